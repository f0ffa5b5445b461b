// Package publish writes a distribution's repository: plain files that mirrors copy and programs update
// from.
//
// # World
//
// The publisher has a room: events/ (release/event) and repository/, written only here:
//
//	metadata/timestamp.json, metadata/N.{root,snapshot,targets,<channel>}.json
//	targets/<directories>/<sha256>.<name>
//	evidence/<sha256 of release.json>.json        statements about that release, and the proof that they are logged
//	log/checkpoint, log/tile/…                    the public log, where the distribution has one (attest/log)
//
// and two online keys, snapshot and timestamp. The keys of root, targets and the channels are with their
// holders; their signatures come out of an event.
//
// # Who may change what, and the worst they can do
//
// Whoever holds the room and the online keys can delay, and freeze until the timestamp expires. They
// cannot ship a byte: what users believe needs the quorums. This package refuses to publish what users
// would refuse (release/genuine is asked about every program first), so that a mistake is seen here.
//
// # Order of writes
//
// What users look at first is written last. Targets and evidence, which nothing names yet; then targets
// and channel metadata, then the snapshot, then a new root, then timestamp.json, which makes all of it
// visible at once. A crash before it leaves files nobody asks for; publishing again completes them. A
// crash after it has published. A release goes into the log before all of it, and its proof, under a head
// that enough witnesses cosigned, is part of the evidence. A new root comes late because programs look for it by its number alone:
// between it and the timestamp there is as little as possible.
package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// maxMetadata is the largest metadata or small target file that is read here, in bytes.
const maxMetadata = 16 << 20

// Disk writes one file whole or not at all. Tests put a failing one in its place.
type Disk interface {
	// WriteFile makes path hold exactly data, durably.
	WriteFile(path string, data []byte) error
	// Copy makes path hold what r gives up to its end, durably; an error of r leaves path as it was.
	Copy(path string, r io.Reader) error
}

// Repository is the repository directory of a room.
type Repository struct {
	Dir  string      // room/repository
	Keys signer.Ring // holds the snapshot and timestamp keys; not needed for looking
	Disk Disk        // nil: the real one

	// Wait is how long to wait for another program that is publishing into the same directory, such as
	// a `countersign serve` beside a `countersign publish`. Zero: not at all.
	Wait time.Duration

	// OpenLog opens the public log for a log policy. Nil: this publisher keeps no log, and can publish only
	// for a distribution without one.
	OpenLog func(ctx context.Context, policy proof.Policy) (Log, error)

	log       Log    // as OpenLog opened it for logPolicy
	logPolicy []byte // text
}

// refusal is an error that means "checked and found wrong".
type refusal struct{ error }

func (e refusal) Refused() bool { return true }
func (e refusal) Unwrap() error { return e.error }

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// Interrupted says that a publication stopped half way and must be completed by publishing that event
// again.
type Interrupted struct{ Event string }

func (e *Interrupted) Error() string {
	return "a publication was interrupted; publish event " + e.Event + " again to complete it"
}

// State is what the repository serves, verified from its first root on. Expiry is not judged: it is for
// Refresh and the notices.
type State struct {
	Set       *trust.Set // nil when nothing is published yet
	Base      event.Base
	Published event.Published
	Pending   error  // *Interrupted, or nil
	standing  []byte // the root that the interrupted publication has left
}

// Empty reports whether nothing has been published yet.
func (s State) Empty() bool { return s.Set == nil }

// Load reads and verifies what is on disk.
func (r *Repository) Load() (State, error) {
	roots, err := r.roots()
	if err != nil {
		return State{}, err
	}
	if _, err := os.Stat(r.path("metadata/timestamp.json")); errors.Is(err, fs.ErrNotExist) {
		return State{}, nil // at most the beginnings of a first publication
	}
	if len(roots) == 0 {
		return State{}, refusef("%s has a timestamp.json but no metadata/1.root.json", r.Dir)
	}
	s, err := r.load(roots)
	if err == nil || len(roots) == 1 {
		return s, r.named(err)
	}
	// A root that came with new keys may stand there without the roles signed by them: a crash between
	// the root and the timestamp. What was served before must then still hold together.
	before, errBefore := r.load(roots[:len(roots)-1])
	if errBefore != nil {
		return State{}, r.named(err)
	}
	info, errInfo := repo.Inspect(roots[len(roots)-1])
	if errInfo != nil {
		return State{}, r.named(err)
	}
	before.Pending, before.standing = &Interrupted{info.Event}, roots[len(roots)-1]
	return before, nil
}

func (r *Repository) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("repository %s: %w", r.Dir, err)
}

// roots reads 1.root.json, 2.root.json, … as far as they go.
func (r *Repository) roots() ([][]byte, error) {
	var out [][]byte
	for n := 1; ; n++ {
		b, err := r.read(fmt.Sprintf("metadata/%d.root.json", n))
		if errors.Is(err, fs.ErrNotExist) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
}

// load reads the roles the timestamp leads to.
func (r *Repository) load(roots [][]byte) (State, error) {
	b := event.Base{Roots: roots, Channels: map[string][]byte{}}
	var err error
	if b.Timestamp, err = r.read("metadata/timestamp.json"); err != nil {
		return State{}, err
	}
	snapshot, err := pinned(b.Timestamp)
	if err != nil {
		return State{}, err
	}
	if b.Snapshot, err = r.read(fmt.Sprintf("metadata/%d.snapshot.json", snapshot["snapshot"])); err != nil {
		return State{}, err
	}
	roles, err := pinned(b.Snapshot)
	if err != nil {
		return State{}, err
	}
	if version, ok := roles[trust.Withdrawn]; ok {
		delete(roles, trust.Withdrawn)
		b.Withdrawn.Version = version
		if b.Withdrawn.Content, err = r.read(evidence.WithdrawnPath(version)); err != nil {
			return State{}, err
		}
	}
	for role, version := range roles {
		raw, err := r.read(fmt.Sprintf("metadata/%d.%s.json", version, role))
		if err != nil {
			return State{}, err
		}
		if role == "targets" {
			b.Targets = raw
		} else {
			b.Channels[role] = raw
		}
	}
	if b.Policy, b.Mirrors, err = r.policy(b.Targets); err != nil {
		return State{}, err
	}
	set, err := b.Verify(nil)
	if err != nil {
		return State{}, err
	}
	if f, ok := set.Withdrawn(); ok && f.SHA256 != sha256.Sum256(b.Withdrawn.Content) {
		return State{}, refusef("%s is not the one the snapshot names", evidence.WithdrawnPath(f.Version))
	}
	s := State{Set: set, Base: b, Published: event.PublishedFrom(set)}
	s.Published.Was = r.was
	return s, nil
}

// was looks into a former version of a role, which this package wrote, for the event it came from. A
// search for the field does: parsing three hundred old channels at every step would not.
func (r *Repository) was(role string, version int64, id event.ID) bool {
	b, err := r.read(fmt.Sprintf("metadata/%d.%s.json", version, role))
	return err == nil && bytes.Contains(b, fmt.Appendf(nil, `"x-countersign-event":%q`, id.String()))
}

// pinned lists the versions a timestamp or snapshot names, by role.
func pinned(metadata []byte) (map[string]int64, error) {
	info, err := repo.Inspect(metadata)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, m := range info.Meta {
		out[strings.TrimSuffix(m.Name, ".json")] = m.Version
	}
	return out, nil
}

// policy reads the two files the targets role names.
func (r *Repository) policy(targets []byte) (policy, mirrors []byte, err error) {
	info, err := repo.Inspect(targets)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range info.Files {
		b, err := r.read(TargetPath(f.Path, f.SHA256))
		if err != nil {
			return nil, nil, err
		}
		switch f.Path {
		case "policy.json":
			policy = b
		case "mirrors.json":
			mirrors = b
		}
	}
	return policy, mirrors, nil
}

// TargetPath is where the repository keeps a target (TUF consistent snapshots): the hash goes in front of
// the last part of its path.
func TargetPath(target string, sum [sha256.Size]byte) string {
	dir, name := path.Split(target)
	return "targets/" + dir + hex.EncodeToString(sum[:]) + "." + name
}

func (r *Repository) path(name string) string { return filepath.Join(r.Dir, filepath.FromSlash(name)) }

func (r *Repository) read(name string) ([]byte, error) {
	f, err := os.Open(r.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxMetadata+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxMetadata {
		return nil, refusef("%s is longer than %d bytes", name, maxMetadata)
	}
	return b, nil
}

// lockTry is the pause between two tries for the lock, which is held for well under a second.
const lockTry = 20 * time.Millisecond

// lock keeps a second publisher away. The lock file lies beside the repository, which holds nothing that
// mirrors should not copy.
func (r *Repository) lock(ctx context.Context) (func() error, error) {
	if err := durable.MkdirAll(filepath.Dir(r.Dir), 0o755); err != nil {
		return nil, err
	}
	for left := r.Wait; ; left -= lockTry {
		unlock, err := durable.Lock(r.Dir + ".lock")
		if err == nil {
			return unlock, nil
		}
		if left <= 0 || !errors.Is(err, durable.ErrLocked) {
			return nil, fmt.Errorf("%s: another program is publishing: %w", r.Dir, err)
		}
		select {
		case <-time.After(lockTry):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Repository) disk() Disk {
	if r.Disk != nil {
		return r.Disk
	}
	return realDisk{}
}

// made is the latest time anything served was made at.
func (s State) made() time.Time {
	var latest time.Time
	if s.Set == nil {
		return latest
	}
	for _, role := range s.Set.Roles() {
		if role.Made.After(latest) {
			latest = role.Made
		}
	}
	return latest
}
