//go:build linux

package rpc_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// stranger is the child of TestAnotherUser: it speaks to a socket that somebody has opened to it by mistake.
func stranger(path string) (got string) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return "not connected: " + err.Error()
	}
	_, _ = io.WriteString(c, `{"jsonrpc":"2.0","id":1,"method":"version"}`+"\n")
	b, _ := io.ReadAll(c)
	return "connected, answered " + string(b)
}

func TestMain(m *testing.M) {
	if path := os.Getenv("RPC_TEST_STRANGER"); path != "" {
		_, _ = io.WriteString(os.Stdout, stranger(path)+"\n")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Another user of the computer does not get to the socket; and were it open to all, he would get no answer.
func TestAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to be another user")
	}
	dir, err := os.MkdirTemp("", "rpc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	account := filepath.Join(dir, "account")
	if err := os.Mkdir(account, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := rpc.Listen(account)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- (&rpc.Server{Version: "1.4.0", Log: silent}).ServeSocket(ctx, l) }()
	defer func() { cancel(); <-served }()
	program := filepath.Join(dir, "stranger")
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(account, rpc.SocketName)
	ask := func(uid uint32) string {
		cmd := exec.Command(program)
		cmd.Dir, cmd.Env = dir, []string{"RPC_TEST_STRANGER=" + path}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const nobody = 65534
	if got := ask(nobody); !strings.HasPrefix(got, "not connected: ") || !strings.Contains(got, "permission denied") {
		t.Error(got)
	}
	for name, mode := range map[string]os.FileMode{account: 0o755, path: 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask(nobody); got != "connected, answered" {
		t.Error(got)
	}
}
