package sockstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// Strace ends a test that wants to see where programs connect to, and cannot on this computer.
func Strace(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("strace is not installed: nobody has seen where the program connects to (apt-get install strace)")
	}
}

// Watch runs a command to its end while strace writes down the ports, of any address, that it and its children connect or send to: each once, sorted. A name
// that is looked up shows as port 53.
func Watch(t testing.TB, cmd *exec.Cmd) (out string, ports []string, err error) {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	cmd.Args = append([]string{"strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", trace, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = path
	b, ran := cmd.CombinedOutput()
	calls, err := os.ReadFile(trace)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	for _, m := range regexp.MustCompile(`sa_family=AF_INET6?, sin6?_port=htons\((\d+)\)`).FindAllStringSubmatch(string(calls), -1) {
		ports = append(ports, m[1])
	}
	slices.Sort(ports)
	return string(b), slices.Compact(ports), ran
}
