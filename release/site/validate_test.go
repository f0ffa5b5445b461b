package site_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/site"
)

const peer = "../interop/htmlvalidate"

// npm's html-validate, with the standard's rules and those for accessibility, has nothing to say.
func TestPagesAreValidHTML(t *testing.T) {
	missing := func(format string, args ...any) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI must judge the pages with html-validate: "+format, args...)
		}
		t.Skipf("not judging the pages with html-validate: "+format, args...)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat(peer + "/node_modules/html-validate"); err != nil {
		missing("run npm ci --ignore-scripts in release/interop/htmlvalidate")
	}
	pages := map[string]string{}
	for name, b := range render(t, full(t, "a <b> & c"), site.Links{Repository: "../"}) {
		if name != "style.css" {
			pages[name] = string(b)
		}
	}
	in, err := json.Marshal(pages)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	node := exec.CommandContext(ctx, "node", peer+"/check.mjs")
	node.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	var stderr bytes.Buffer
	node.Stdin, node.Stderr = bytes.NewReader(in), &stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("check.mjs: %v\n%s", err, stderr.String())
	}
	var found []struct {
		Page, Rule, Message string
		Line                int
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatalf("check.mjs printed %q: %v", out, err)
	}
	for _, f := range found {
		t.Errorf("%s:%d: %s: %s", f.Page, f.Line, f.Rule, f.Message)
	}
}
