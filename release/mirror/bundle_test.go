package mirror

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/repo/repotest"
	"github.com/countersign-project/countersign/tuf/trust"
)

func pack(t *testing.T, w *repotest.World, change func(*BundleOptions)) ([]byte, Packed, error) {
	t.Helper()
	o := BundleOptions{Anchor: anchor.Anchor{Root: w.Anchor()}, Courier: &fetch.Courier{Sources: []fetch.Source{source("origin", w.Files())}},
		Now: func() time.Time { return w.Now }, Channel: "stable", Platforms: []string{"linux/amd64"}, Scratch: t.TempDir()}
	if change != nil {
		change(&o)
	}
	var b bytes.Buffer
	p, err := Bundle(t.Context(), o, &b)
	return b.Bytes(), p, err
}

// A device without a network judges and gets its program from the bundle alone, as from any mirror.
func TestBundleIsAMirror(t *testing.T) {
	w := world(t)
	w.PublishRoot(w.Layout)
	w.Release("1.1.0", programs("1.1.0"))
	b, p, err := pack(t, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Version != "1.1.0" || p.Expires != w.Now.Add(24*time.Hour) || p.Files == 0 {
		t.Errorf("packed %+v", p)
	}
	fsys, err := fetch.Tar(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	courier := &fetch.Courier{Sources: []fetch.Source{fetch.Dir(fsys, "bundle")}}
	c, err := client.Open(t.TempDir(), w.Anchor())
	if err != nil {
		t.Fatal(err)
	}
	set, md, err := c.Refresh(t.Context(), courier, w.Now, "stable")
	if err != nil {
		t.Fatal(err)
	}
	ev, err := evidence.Collect(t.Context(), anchor.Anchor{Root: w.Anchor(), Policy: w.Policy}, set, md, "stable", "1.1.0", courier)
	if err != nil {
		t.Fatal(err)
	}
	program := programs("1.1.0")["linux-amd64/messenger"]
	verdict := genuine.Judge(anchor.Anchor{Root: w.Anchor(), Policy: w.Policy}, ev, genuine.Subject{Channel: "stable", Program: "messenger",
		OS: "linux", Arch: "amd64", Length: int64(len(program)), SHA256: sha256.Sum256(program)}, evidence.Seen(c.Seen()), w.Now)
	if verdict.Outcome != genuine.Genuine {
		t.Errorf("%s", verdict.Text())
	}
	target, err := set.Target("stable/1.1.0/linux-amd64/messenger")
	if err != nil {
		t.Fatal(err)
	}
	got, err := courier.FetchSum(t.Context(), fetch.TargetPath(target.Path, target.SHA256), target.Length, target.SHA256)
	if err != nil || string(got) != string(program) {
		t.Errorf("got %q, %v", got, err)
	}
	if bytes.Contains(b, []byte("arm64 messenger")) || bytes.Contains(b, []byte("messenger 1.0.0")) {
		t.Error("the bundle holds programs of other platforms or versions")
	}
}

func TestBundleIsDeterministic(t *testing.T) {
	w := world(t)
	one, _, err := pack(t, w, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, _, err := pack(t, w, nil)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("two bundles of one repository differ; %v", err)
	}
}

func TestBundleOfWhatIsNotThere(t *testing.T) {
	w := world(t)
	for want, change := range map[string]func(*BundleOptions){
		`there is no channel "nightly" in this distribution`:     func(o *BundleOptions) { o.Channel = "nightly" },
		`channel beta has no release yet`:                        func(o *BundleOptions) { o.Channel = "beta" },
		`stable 1.0.0 has no programs for "plan9/mips"`:          func(o *BundleOptions) { o.Platforms = []string{"linux/amd64", "plan9/mips"} },
		`"stable/9.9.9/release.json": no role names this target`: func(o *BundleOptions) { o.Version = "9.9.9" },
	} {
		b, _, err := pack(t, w, change)
		var none *NoSuchError
		if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.As(err, &none) && !errors.Is(err, trust.ErrNoTarget) {
			t.Errorf("error %v, want %s", err, want)
		}
		if len(b) != 0 {
			t.Errorf("%s: %d bytes were written", want, len(b))
		}
	}
}
