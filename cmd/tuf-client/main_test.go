package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestFaketime runs this test program under faketime(1), as the suite does.
func TestFaketime(t *testing.T) {
	if os.Getenv("TUF_CLIENT_SAY_TIME") != "" {
		now, err := now(context.Background(), os.Getenv)
		must(t, err)
		fmt.Println("time", now.UTC().Format(time.RFC3339))
		return
	}
	faketime, err := exec.LookPath("faketime")
	if err != nil {
		// Even CI may lack it: the other tests hand the clock in.
		t.Skip("faketime is not installed")
	}
	for spec, want := range map[string]string{"2031-02-03 04:05:06+00:00": "time 2031-02-03"} {
		cmd := exec.Command(faketime, spec, os.Args[0], "-test.run=^TestFaketime$")
		cmd.Env = append(os.Environ(), "TUF_CLIENT_SAY_TIME=1", "TZ=UTC")
		out, err := cmd.CombinedOutput()
		must(t, err)
		if !strings.Contains(string(out), want) {
			t.Fatalf("under faketime %q: %s", spec, out)
		}
	}
}

func TestCommandLine(t *testing.T) {
	clock := func() (time.Time, error) { return time.Time{}, nil }
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--help", 0, "usage: tuf-client"},
		{"", 1, "--metadata-dir is missing"},
		{"--metadata-dir x", 1, "want init ROOTFILE, refresh or download"},
		{"--metadata-dir x refresh", 1, "--metadata-url is missing"},
		{"--metadata-dir x --metadata-url http://x frob", 1, `got ["frob"]`},
		{"--metadata-dir x --metadata-url http://x download", 1, "download needs --target-name"},
		{"--metadata-dir x init nothing-here", 1, "nothing-here"},
		{"--metadata-dir x --metadata-url http://x refresh", 1, "run init first"},
		{"--frob", 1, "flag provided but not defined"},
	} {
		var out, errout strings.Builder
		code := run(context.Background(), strings.Fields(c.args), clock, &out, &errout)
		if code != c.code || !strings.Contains(out.String()+errout.String(), c.says) {
			t.Errorf("%q: exit %d, %s%s; want %d and %q", c.args, code, &out, &errout, c.code, c.says)
		}
		if c.code == 0 && errout.Len() > 0 {
			t.Errorf("%q: help goes to standard output", c.args)
		}
	}
}
