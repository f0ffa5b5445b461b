package interop_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/ratchet"
	"github.com/countersign-project/countersign/messenger/wire"
)

// libaxc is the version name of the second judge: Debian's libsignal-protocol-c, an implementation of its own, which starts v3. Behind
// libaxcV2 it goes on with sessions of v2.
const (
	libaxc   = "libaxc"
	libaxcV2 = "libaxc v2"
)

// axcPeer is a foreign process that speaks lines of words.
type axcPeer struct {
	t   testing.TB
	in  io.WriteCloser
	out *bufio.Reader
}

// startAxc compiles and runs a C file of the folder libaxc. It skips when the library is not installed, and fails where CI=true.
func startAxc(t testing.TB, source string) *axcPeer {
	t.Helper()
	source = filepath.Join("libaxc", source)
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "libaxc").Output()
	if err != nil {
		text := "libsignal-protocol-c cannot judge: libaxc is not installed (Debian: libaxc-dev pkg-config gcc)"
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "peer")
	args := append([]string{"-Wall", "-Werror", "-o", program, source}, strings.Fields(string(flags))...)
	if out, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, out)
	}
	cmd := exec.Command(program, filepath.Join(dir, "db"))
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error("the peer ended badly:", err)
		}
	})
	return &axcPeer{t, in, bufio.NewReader(out)}
}

func (p *axcPeer) try(words ...string) ([]string, error) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, strings.Join(words, " ")); err != nil {
		p.t.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("%s: the peer does not answer: %v", words[0], err)
	}
	answer := strings.Fields(line)
	if answer[0] != "ok" {
		return nil, &foreign{strings.TrimSpace(line), words[0]}
	}
	return answer[1:], nil
}

func (p *axcPeer) ask(words ...string) []string {
	p.t.Helper()
	answer, err := p.try(words...)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

func (p *axcPeer) bytes(s string) []byte {
	p.t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func (p *axcPeer) number(s string) uint32 {
	p.t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		p.t.Fatal(err)
	}
	return uint32(n)
}

func (p *axcPeer) bundle(oneTime, _ bool) theirs {
	p.t.Helper()
	w := p.ask("bundle")
	b := theirs{RegistrationID: p.number(w[0]), Identity: p.bytes(w[1]), SignedID: p.number(w[2]), SignedKey: p.bytes(w[3]), Signature: p.bytes(w[4])}
	if oneTime {
		b.PreKeyID, b.PreKey = p.number(w[5]), p.bytes(w[6])
	}
	return b
}

func (p *axcPeer) process(from string, b map[string]any) {
	p.t.Helper()
	word := func(name string) string { return hex.EncodeToString(b[name].([]byte)) }
	p.ask("process", from, fmt.Sprint(b["preKeyId"]), word("preKey"), fmt.Sprint(b["signedId"]), word("signedKey"), word("signature"), word("identity"))
}

func (p *axcPeer) open(from string, m letter) (string, error) {
	p.t.Helper()
	op := "decrypt"
	if m.Type == ratchet.PreKey {
		op = "prekey"
	}
	w, err := p.try(op, from, hex.EncodeToString(m.Body))
	if err != nil {
		return "", err
	}
	return string(p.bytes(w[0])), nil
}

func (p *axcPeer) seal(to, text string) letter {
	p.t.Helper()
	m := letter{ratchet.Whisper, p.bytes(p.ask("encrypt", to, hex.EncodeToString([]byte(text)))[0])}
	if _, err := wire.ParsePreKey(m.Body); err == nil {
		m.Type = ratchet.PreKey
	}
	return m
}
