package peer

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// S3 is versitygw, an S3-compatible store over a directory, with one empty bucket. It checks signatures and hashes.
type S3 struct {
	*Process
	URL         string // of the bucket; the same after Start again
	Key, Secret string
	Dir         string // where the bucket's objects are files
	socket      string
}

const s3Bucket = "chat"

// StartS3 starts a store. It listens on a unix socket, because it does not say which port it got; URL is a door to that.
func StartS3(t testing.TB) *S3 {
	t.Helper()
	program := findGateway(t)
	dir := shortDir(t, owner{})
	s := &S3{Key: "accesskeyoftests", Secret: "the secret of tests", Dir: filepath.Join(dir, "data", s3Bucket), socket: filepath.Join(dir, "s")}
	meta := filepath.Join(dir, "meta") // not every file system has extended attributes
	for _, d := range []string{s.Dir, meta} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.Process = &Process{Name: "versitygw", t: t, make: func() *exec.Cmd {
		cmd := exec.Command(program, "--port", s.socket, "--quiet", "posix", "--sidecar", meta, filepath.Dir(s.Dir))
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "ROOT_ACCESS_KEY=" + s.Key, "ROOT_SECRET_KEY=" + s.Secret}
		return cmd
	}}
	t.Cleanup(func() { s.Stop(syscall.SIGKILL) })
	d := newDoor(t)
	d.lead("unix", s.socket)
	s.URL = "http://" + d.Addr().String() + "/" + s3Bucket
	s.Start()
	return s
}

// findGateway finds the pinned program, built by messenger/interop/s3/build.sh into the user's cache.
func findGateway(t testing.TB) string {
	t.Helper()
	const build = "messenger/interop/s3/build.sh"
	mod, err := os.ReadFile(filepath.Join(moduleRoot(t), "messenger", "interop", "s3", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	pin := regexp.MustCompile(`github\.com/versity/versitygw (v\S+)`).FindSubmatch(mod)
	if pin == nil {
		t.Fatal("messenger/interop/s3/go.mod pins no versitygw")
	}
	cache, err := os.UserCacheDir()
	if err == nil {
		path := filepath.Join(cache, "countersign-interop", "versitygw-"+string(pin[1]))
		if _, err = os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI must keep attachments in an S3-compatible store: run %s (%v)", build, err)
	}
	t.Skipf("skipped: no S3-compatible store: %s builds one in about a minute", build)
	return ""
}

// Start starts it and waits until it listens.
func (s *S3) Start() {
	s.t.Helper()
	_ = os.Remove(s.socket) // of one that was killed
	s.Process.Start()
	s.await("does not listen", func() error {
		c, err := net.Dial("unix", s.socket)
		if err != nil {
			return err
		}
		return c.Close()
	})
}

// Age makes an object that old.
func (s *S3) Age(name string, age time.Duration) {
	s.t.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(filepath.Join(s.Dir, filepath.FromSlash(name)), at, at); err != nil {
		s.t.Fatal(err)
	}
}

// moduleRoot is the directory of our go.mod.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above this directory")
		}
	}
}
