package mirror

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// BundleOptions says what to pack.
type BundleOptions struct {
	Anchor    anchor.Anchor
	Courier   *fetch.Courier
	Now       func() time.Time
	Channel   string
	Version   string   // "" is the newest of the channel
	Platforms []string // "linux/amd64"
	Scratch   string   // an empty directory for the time of the packing
	Progress  func(Progress)
}

// Packed is what is in a bundle.
type Packed struct {
	Channel   string    `json:"channel"`
	Version   string    `json:"version"`
	Platforms []string  `json:"platforms"`
	Expires   time.Time `json:"expires"` // of the first role in it; afterwards it proves nothing recent
	Files     int       `json:"files"`
	Bytes     int64     `json:"bytes"` // of the files in it
}

// NoSuchError says that a repository does not hold what was asked for.
type NoSuchError struct{ Text string }

func (e *NoSuchError) Error() string { return e.Text }

// Bundle writes an update bundle: one uncompressed tar with the part of a repository that one channel and
// these platforms need, complete metadata and statements included. Of the log it has no tiles: what a device asks of
// the log is the proof, which lies with the statements. It is a mirror in a file, believed no
// more than any other, for devices without a network. The same state of a repository always makes the same
// bytes: names sorted, times zero, owners empty. Nothing is written before everything is in hand.
func Bundle(ctx context.Context, o BundleOptions, w io.Writer) (Packed, error) {
	b := &bundling{BundleOptions: o, small: map[string][]byte{}, large: map[string]file{}}
	if err := b.gather(ctx); err != nil {
		return Packed{}, err
	}
	if err := b.fetch(ctx); err != nil {
		return Packed{}, err
	}
	err := b.write(w)
	return b.packed, err
}

type bundling struct {
	BundleOptions
	packed Packed
	small  map[string][]byte
	large  map[string]file // fetched into Scratch under their sums
}

// gather refreshes, and names what goes into the bundle.
func (b *bundling) gather(ctx context.Context) error {
	c, err := client.Open(filepath.Join(b.Scratch, "tuf"), b.Anchor.Root)
	if err != nil {
		return err
	}
	set, md, err := evidence.RefreshAll(ctx, c, b.Courier, b.Now())
	if set == nil {
		return err
	}
	if _, ok := set.Role(b.Channel); !ok {
		if err != nil {
			return err
		}
		return &NoSuchError{fmt.Sprintf("there is no channel %q in this distribution", b.Channel)}
	}
	if b.Version == "" {
		versions := evidence.Versions(set, b.Channel)
		if len(versions) == 0 {
			return &NoSuchError{fmt.Sprintf("channel %s has no release yet", b.Channel)}
		}
		b.Version = versions[len(versions)-1]
	}
	first, err := rootVersion(b.Anchor.Root)
	if err != nil {
		return err
	}
	withdrawn, err := evidence.Withdrawn(ctx, set, b.Courier)
	if err != nil {
		return err
	}
	p := planOf(b.Anchor, first, set, md, withdrawn)
	for _, m := range p.metadata {
		b.small[m.path] = m.data
	}
	return b.release(ctx, set, md)
}

// release adds policy, mirrors, manifest, statements, and names the programs.
func (b *bundling) release(ctx context.Context, set *trust.Set, md trust.Metadata) error {
	ev, err := evidence.Collect(ctx, b.Anchor, set, md, b.Channel, b.Version, b.Courier)
	if err != nil {
		return err
	}
	manifest, err := genuine.ParseManifest(ev.Release)
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{"policy.json": ev.Policy, genuine.ManifestPath(b.Channel, b.Version): ev.Release} {
		t, err := set.Target(path)
		if err != nil {
			return err
		}
		b.small[fetch.TargetPath(path, t.SHA256)] = content
		if path != "policy.json" && len(ev.Statements) > 0 {
			if b.small[evidence.Path(t.SHA256)], err = (genuine.File{Statements: ev.Statements, Proof: ev.Proof}).Encode(); err != nil {
				return err
			}
		}
	}
	if t, err := set.Target("mirrors.json"); err == nil {
		path := fetch.TargetPath(t.Path, t.SHA256)
		if b.small[path], err = b.Courier.FetchSum(ctx, path, min(t.Length, anchor.MaxFile), t.SHA256); err != nil {
			return err
		}
	}
	b.packed = Packed{Channel: b.Channel, Version: b.Version, Platforms: slices.Clone(b.Platforms)}
	for _, r := range set.Roles() {
		if b.packed.Expires.IsZero() || r.Expires.Before(b.packed.Expires) {
			b.packed.Expires = r.Expires
		}
	}
	return b.programs(set, manifest)
}

// programs names the programs of each platform.
func (b *bundling) programs(set *trust.Set, m genuine.Manifest) error {
	for _, platform := range b.Platforms {
		found := false
		for _, a := range m.Artifacts {
			if a.Kind != genuine.KindProgram || a.OS+"/"+a.Arch != platform {
				continue
			}
			t, err := set.Target(m.TargetPath(a))
			if err != nil {
				return err
			}
			f := file{t, fetch.TargetPath(t.Path, t.SHA256)}
			b.large[f.path], found = f, true
		}
		if !found {
			return &NoSuchError{fmt.Sprintf("%s %s has no programs for %q", b.Channel, b.Version, platform)}
		}
	}
	return nil
}

func (b *bundling) partial(f file) string { return filepath.Join(b.Scratch, hex256(f.SHA256)) }

// fetch brings the programs.
func (b *bundling) fetch(ctx context.Context) error {
	var total, before int64
	for _, f := range b.large {
		total += f.Length
	}
	for _, path := range sortedKeys(b.large) {
		f := b.large[path]
		err := b.Courier.Download(ctx, f.path, f.Length, f.SHA256, b.partial(f), func(done, _ int64) {
			if b.Progress != nil {
				b.Progress(Progress{f.path, before + done, total})
			}
		})
		if err != nil {
			return err
		}
		before += f.Length
	}
	return nil
}

// write prints the tar.
func (b *bundling) write(w io.Writer) error {
	tw := tar.NewWriter(w)
	names := append(sortedKeys(b.small), sortedKeys(b.large)...)
	slices.Sort(names)
	for _, name := range names {
		size := int64(len(b.small[name]))
		f, isLarge := b.large[name]
		if isLarge {
			size = f.Length
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if isLarge {
			if err := b.copy(tw, f); err != nil {
				return err
			}
		} else if _, err := tw.Write(b.small[name]); err != nil {
			return err
		}
		b.packed.Files, b.packed.Bytes = b.packed.Files+1, b.packed.Bytes+size
	}
	return tw.Close()
}

func (b *bundling) copy(w io.Writer, f file) error {
	r, err := os.Open(b.partial(f))
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(w, r)
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
