package mirror

import (
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
)

// Tessera's client is a foreign reader of what a mirror serves: it follows the log from one sync to the next with
// proofs of consistency that its own code makes of our tiles, and reads every entry.
func TestTesserasClientReadsAMirrorsLog(t *testing.T) {
	l, dir := newLogged(t), t.TempDir()
	sync(t, l.options(dir, source("origin", l.files(l.log, 300))))
	server := httptest.NewServer(Handler(dir))
	defer server.Close()
	root, err := url.Parse(server.URL + "/log/")
	if err != nil {
		t.Fatal(err)
	}
	reader, err := client.NewHTTPFetcher(root, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(l.log.Key.String())
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := client.NewLogStateTracker(t.Context(), reader.ReadTile, nil, verifier, l.log.Key.Name, client.UnilateralConsensus(reader.ReadCheckpoint))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []uint64{300, 512, 777} {
		sync(t, l.options(dir, source("origin", l.files(l.log, int(size)))))
		if _, _, _, err := tracker.Update(t.Context()); err != nil || tracker.Latest().Size != size {
			t.Fatalf("%d entries, want %d: %v", tracker.Latest().Size, size, err)
		}
	}
	size := tracker.Latest().Size
	for i := range (size + 255) / 256 {
		b, err := client.GetEntryBundle(t.Context(), reader.ReadEntryBundle, i, size)
		if err != nil {
			t.Fatal(err)
		}
		for j, e := range b.Entries {
			if n := i*256 + uint64(j); string(e) != string(l.log.Entries[n]) {
				t.Errorf("entry %d is %q", n, e)
			}
		}
		if want := min(256, size-i*256); uint64(len(b.Entries)) != want {
			t.Errorf("bundle %d has %d entries, want %d", i, len(b.Entries), want)
		}
	}
}
