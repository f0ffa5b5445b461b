package client_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/group"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Whatever somebody points to, it keeps nothing else from being fetched.
func TestWhatCannotBeFetched(t *testing.T) {
	w := newWorld(t)
	alice, bob, mallory := w.person("alice"), w.person("bob"), w.person("mallory")
	knows(alice, bob)
	knows(alice, mallory)
	id := mallory.founds("pictures", alice)
	// A real blob, of which Mallory says something else.
	path := filepath.Join(t.TempDir(), "blob")
	if err := os.WriteFile(path, bytes.Repeat([]byte("<html>"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := mallory.acc.Send(t.Context(), client.Draft{To: alice.number, Files: []client.File{{Path: path}}})
	if err != nil {
		t.Fatal(err)
	}
	alice.sees(mallory.number, "hello", "hello back", "")
	sent, err := mallory.acc.Message(t.Context(), m.Seq)
	if err != nil {
		t.Fatal(err)
	}
	f := sent.Attachments[0]
	blob := wire.Attachment{ID: f.ID, ContentType: "image/png", Key: f.Key, Digest: f.Digest, Size: uint32(f.Size)}
	long := strings.Repeat("A long text. ", 500)
	for what, change := range map[string]func(*wire.Attachment){
		"no picture":      func(*wire.Attachment) {},
		"too large":       func(a *wire.Attachment) { a.Size = client.MaxPicture + 1 },
		"longer than it":  func(a *wire.Attachment) { a.Size += 10_000 },
		"shorter than it": func(a *wire.Attachment) { a.Size = 1 },
		"no key":          func(a *wire.Attachment) { a.Key = nil },
		"no digest":       func(a *wire.Attachment) { a.Digest = nil },
		"another digest":  func(a *wire.Attachment) { a.Digest = make([]byte, 32) },
		"not there":       func(a *wire.Attachment) { a.ID = 1 },
	} {
		pointer := blob
		change(&pointer)
		mallory.changes(id, func(g *group.State, self string) error { g.SetAvatar(self, &pointer); return nil })
		w.waitFor("the picture that is none: "+what, func() bool {
			g, err := alice.acc.Group(t.Context(), id)
			return err == nil && g.Avatar != nil && g.Avatar.Size == pointer.Size && bytes.Equal(g.Avatar.Digest, pointer.Digest) && bytes.Equal(g.Avatar.Key, pointer.Key)
		})
		bob.says(alice.number, what+": "+long)
		w.waitFor("the whole of a long text after a picture that is none: "+what, func() bool {
			list := alice.conversation(bob.number)
			return list[len(list)-1] == what+": "+long
		})
	}
	if p, err := alice.acc.Picture(t.Context(), id); p != nil || err != nil {
		t.Errorf("shown: %+v, %v", p, err)
	}
}
