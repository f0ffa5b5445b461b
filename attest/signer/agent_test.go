package signer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
)

func sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// agent starts a real ssh-agent that ends with the test, and returns a function that runs OpenSSH's
// programs against it, and the environment it gives.
func agent(t *testing.T) (run func(name string, args ...string) string, env func(string) string) {
	t.Helper()
	for _, name := range []string{"ssh-agent", "ssh-add", "ssh-keygen"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(name, "is missing, and CI must test against it")
			}
			t.Skip(name, "is not installed: no test against a real ssh-agent")
		}
	}
	dir, err := os.MkdirTemp("", "agent") // t.TempDir can be too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for i := 0; ; i++ {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			break
		}
		if i == 12000 { // two minutes
			t.Fatal("ssh-agent did not come up")
		}
		time.Sleep(10 * time.Millisecond)
	}
	run = func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir, c.Env = dir, append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	return run, func(name string) string {
		if name == "SSH_AUTH_SOCK" {
			return socket
		}
		return ""
	}
}

func TestAgentSigns(t *testing.T) {
	run, env := agent(t)
	if _, err := signer.Open([]string{"ssh-agent:"}, nil, env); err == nil || !strings.Contains(err.Error(), "has no usable key among its 0") {
		t.Fatalf("empty agent: %v", err)
	}
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ed", "-f", "ed")
	run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-N", "", "-C", "p256", "-f", "p256")
	run("ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-C", "p384", "-f", "p384")
	run("ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-C", "rsa", "-f", "rsa")
	run("ssh-add", "-q", "ed", "p256", "p384", "rsa")

	ring, err := signer.Open([]string{"ssh-agent:"}, nil, env)
	if err != nil {
		t.Fatal(err)
	}
	if len(ring) != 2 {
		t.Fatalf("ring %v, want the Ed25519 and the P-256 key", ring)
	}
	for i := range 20 { // r and s of several lengths
		m := append([]byte{byte(i)}, message...)
		for _, s := range ring {
			sig, err := s.Sign(m)
			if err != nil {
				t.Fatal(err)
			}
			switch pub := s.Public().(type) {
			case ed25519.PublicKey:
				if len(sig) != 64 || !ed25519.Verify(pub, m, sig) {
					t.Fatalf("%s: bad signature", s)
				}
			case *ecdsa.PublicKey:
				if !ecdsa.VerifyASN1(pub, sum(m), sig) {
					t.Fatalf("%s: bad signature", s)
				}
			}
		}
	}

	one := strings.Fields(run("ssh-keygen", "-l", "-f", "ed.pub"))[1]
	ring, err = signer.Open([]string{"ssh-agent:" + one}, nil, env)
	if err != nil {
		t.Fatal(err)
	}
	if want := "key " + one + ` in the ssh-agent ("ed")`; len(ring) != 1 || ring[0].String() != want {
		t.Fatalf("ring %v, want %s", ring, want)
	}
	line := run("cat", "ed.pub")
	pub, err := signer.ParsePublic(line)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := ring.Find(pub); !ok || signer.FormatPublic(pub, "ed")+"\n" != line {
		t.Errorf("the public key %q prints as %q", line, signer.FormatPublic(pub, "ed"))
	}

	rsa := strings.Fields(run("ssh-keygen", "-l", "-f", "rsa.pub"))[1]
	for ref, want := range map[string]string{
		"ssh-agent:" + rsa:      "key " + rsa + " in the ssh-agent: type ssh-rsa, want ssh-ed25519 or ecdsa-sha2-nistp256",
		"ssh-agent:SHA256:none": "key SHA256:none is not in the ssh-agent, which has SHA256:",
	} {
		if _, err := signer.Open([]string{ref}, nil, env); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}

	run("ssh-add", "-q", "-D")
	if sig, err := ring[0].Sign(message); err == nil {
		t.Errorf("signed %x with a key that the agent no longer has", sig)
	}
}

func TestNoAgent(t *testing.T) {
	if _, err := signer.Open([]string{"ssh-agent:"}, nil, noEnv); err == nil || err.Error() != "no ssh-agent is running: SSH_AUTH_SOCK is not set" {
		t.Errorf("no agent: %v", err)
	}
	gone := func(string) string { return filepath.Join(t.TempDir(), "gone") }
	if _, err := signer.Open([]string{"ssh-agent:"}, nil, gone); err == nil || !strings.HasPrefix(err.Error(), "no ssh-agent answers: ") {
		t.Errorf("agent gone: %v", err)
	}
}
