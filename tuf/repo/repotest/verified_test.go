package repotest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

func TestAWorldIsVerified(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.4.0", artifacts)
	w.Now = w.Now.Add(time.Hour)
	w.Release("1.5.0", artifacts, 1, 2, 4)
	set, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now)
	if err != nil {
		t.Fatal(err)
	}
	target, err := set.Target("stable/1.5.0/linux-amd64/messenger")
	if err != nil {
		t.Fatal(err)
	}
	if content := w.Files()[repotest.FilePath(target.Path, target.SHA256)]; string(content) != "program" {
		t.Fatalf("target holds %q", content)
	}
	stable, _ := set.Role("stable")
	var names []string
	for _, k := range stable.Signers {
		names = append(names, k.Holder)
	}
	if got := fmt.Sprint(names); len(names) != 3 || stable.Version != 3 || stable.Event != repotest.EventID("stable 1.5.0") {
		t.Fatalf("stable version %d signed by %s", stable.Version, got)
	}
	if w.Made("stable", "1.5.0").Previous != "1.4.0" {
		t.Fatal("1.5.0 does not follow 1.4.0")
	}
}

func TestTooFewSignersAreRefused(t *testing.T) {
	w := repotest.New(t, 5, 3)
	w.Release("1.4.0", artifacts, 0, 1)
	set, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now)
	var quorum *trust.QuorumError
	if !errors.As(err, &quorum) {
		t.Fatalf("2 of 3 signatures: %v, %v", set, err)
	}
}

// Every subset of the auditors: accepted exactly when it reaches the quorum.
func TestEverySubsetOfSigners(t *testing.T) {
	for subset := range 1 << 5 {
		w := repotest.New(t, 5, 3)
		signers := []int{}
		for i := range 5 {
			if subset&(1<<i) != 0 {
				signers = append(signers, i)
			}
		}
		w.Publish(repotest.Release{Version: "1.4.0", Artifacts: artifacts, Signers: signers})
		_, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now)
		if (err == nil) != (len(signers) >= 3) {
			t.Errorf("signed by %v of five, three needed: %v", signers, err)
		}
	}
}

// A publisher who is given unreadable bytes pins them, and only the reader can refuse.
func TestReplaceTakesAnything(t *testing.T) {
	for _, b := range []string{"null", `{"signed":{"_type":"targets","version":9,"targets":{"stable/1/x":null}},"signatures":[]}`} {
		w := repotest.New(t, 5, 3)
		w.Replace("stable", []byte(b))
		_, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now)
		var mismatch *trust.MismatchError
		if err == nil || errors.As(err, &mismatch) {
			t.Errorf("%s: %v, want it refused for what it is", b, err)
		}
		w.Release("1.4.0", artifacts)
		if _, err := trust.Verify(w.Anchor(), w.Metadata(), w.Now); err != nil {
			t.Errorf("after a good release: %v", err)
		}
	}
}
