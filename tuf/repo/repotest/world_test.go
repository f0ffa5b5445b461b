package repotest_test

import (
	"bytes"
	"maps"
	"testing"

	"github.com/countersign-project/countersign/tuf/repo/repotest"
)

var artifacts = map[string][]byte{
	"linux-amd64/messenger":           []byte("program"),
	"linux-amd64/messenger.debug":     []byte("debug"),
	"messenger-1.4.0-linux-amd64.tar": []byte("archive"),
	"windows-amd64/messenger.exe":     []byte("exe"),
}

func TestTheSameWorldTwice(t *testing.T) {
	files := func() map[string][]byte {
		w := repotest.New(t, 6, 4)
		w.Publish(repotest.Release{Version: "1.4.0", Artifacts: artifacts, Otherwise: []int{5}})
		return w.Files()
	}
	if !maps.EqualFunc(files(), files(), bytes.Equal) {
		t.Fatal("two worlds of the same making differ")
	}
}
