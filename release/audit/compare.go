package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/countersign-project/countersign/builds/compare"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
)

// compare lists everything in which a build differs from the release: the inputs the release names, and
// the set of artifacts with their digests, in both directions. This is the only place where it is decided
// whether a rebuild matched, and it looks at nothing but these values.
func (w *rebuilding) compare(got Product) []Difference {
	m := w.p.Manifest
	var out []Difference
	for _, f := range []struct{ what, ours, theirs string }{
		{"version", got.Version, m.Version},
		{"source commit", got.Source.Commit, m.Source.Commit}, {"source tree", got.Source.Tree, m.Source.Tree}, {"source h1", got.Source.H1, m.Source.H1},
		{"recipe", got.Recipe, m.Recipe}, {"go", got.Go, m.Toolchain.Go}, {"go.sum", got.Modules, m.Modules},
	} {
		if f.ours != f.theirs {
			out = append(out, Difference{What: f.what, Ours: f.ours, Theirs: f.theirs})
		}
	}
	ours := map[string]Built{}
	for _, b := range got.Artifacts {
		ours[b.Path] = b
	}
	for _, want := range m.Artifacts {
		b, ok := ours[want.Path]
		delete(ours, want.Path)
		switch {
		case !ok:
			out = append(out, Difference{What: want.Path, Ours: "nothing", Theirs: sizeAndSum(want.Length, want.SHA256)})
		case b.SHA256 != want.SHA256 || b.Length != want.Length:
			out = append(out, Difference{What: want.Path, Ours: sizeAndSum(b.Length, b.SHA256), Theirs: sizeAndSum(want.Length, want.SHA256)})
		}
	}
	for _, b := range got.Artifacts {
		if _, extra := ours[b.Path]; extra {
			out = append(out, Difference{What: b.Path, Ours: sizeAndSum(b.Length, b.SHA256), Theirs: "nothing"})
		}
	}
	return out
}

// verify hashes what the builder left on the disk. A builder that reports what it did not make has shown
// nothing about the release, whatever it reports.
func (w *rebuilding) verify(got Product) error {
	if len(got.Artifacts) == 0 {
		return errors.New("the build made nothing")
	}
	for _, b := range got.Artifacts {
		same, err := hasContent(filepath.Join(w.ours(), filepath.FromSlash(b.Path)), event.File{Length: b.Length, SHA256: b.SHA256})
		if err != nil {
			return fmt.Errorf("%s: the builder says that it made it: %v", b.Path, err)
		}
		if !same {
			return fmt.Errorf("%s: is not what the builder says that it made, %s", b.Path, sizeAndSum(b.Length, b.SHA256))
		}
	}
	return nil
}

func sizeAndSum(n int64, sum genuine.Digest) string {
	return fmt.Sprintf("%d bytes with sha256 %s", n, sum)
}

// keep fetches the publisher's side of every artifact that differs and explains the difference. Both
// sides stay: a difference nobody can look at any more helps only the one who made it.
func (w *rebuilding) keep(ctx context.Context, r *Record) error {
	for i, d := range r.Differences {
		name := "artifacts/" + d.What
		if _, isArtifact := w.p.Event.Files[name]; !isArtifact {
			continue
		}
		theirs := filepath.Join(w.theirs(), filepath.FromSlash(d.What))
		err := w.p.Fetch(ctx, w.a.Store, name, theirs, func(done, total int64) { w.a.progress("fetching "+name, done, total) })
		switch {
		case errors.Is(err, fs.ErrNotExist):
			r.Differences[i].Explain = "this copy of the event is without the publisher's file"
			continue
		case isRefusal(err):
			// The publisher's own file is not what release.json says. The digests differ all the same.
			r.Differences[i].Explain = "the publisher's file is not what release.json says either: " + oneLine(err.Error(), maxReason)
			continue
		case err != nil:
			return err
		}
		diff, err := compare.Files(d.What, theirs, filepath.Join(w.ours(), filepath.FromSlash(d.What)))
		if err != nil {
			return err
		}
		if diff != nil {
			r.Differences[i].Explain = strings.Join(append([]string{diff.Cause}, diff.Details...), "\n")
		}
	}
	r.Kept = w.o.Work
	return nil
}

// isFile reports whether a file is there with the content event.json says. One that has other content is
// removed: it was fetched for another event, into a work directory used twice, or it is damaged.
func isFile(path string, want event.File) (bool, error) {
	same, err := hasContent(path, want)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if same || err != nil {
		return same, err
	}
	return false, os.Remove(path)
}

func hasContent(path string, want event.File) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n == want.Length && genuine.Digest(h.Sum(nil)) == want.SHA256, err
}
