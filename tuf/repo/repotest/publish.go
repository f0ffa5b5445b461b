package repotest

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"github.com/countersign-project/countersign/tuf/repo"
)

// Days until each kind of role expires.
var days = map[string]int{"root": 365, "targets": 180, "channel": 90, "snapshot": 7, "timestamp": 1}

func (w *World) stamp(kind string, version int64, event string) repo.Stamp {
	s := repo.Stamp{Version: version, Made: w.Now, Expires: w.Now.Add(time.Duration(days[kind]) * 24 * time.Hour)}
	if event != "" {
		s.Event = EventID(event)
	}
	return s
}

// next is the version after a role's newest.
func (w *World) next(role string) int64 {
	if w.current[role] == nil {
		return 1
	}
	return version(w.current[role]) + 1
}

// Sign puts the signatures of these keys, which the layout must know, on metadata, and no others.
func (w *World) Sign(b []byte, keys ...crypto.Signer) []byte {
	w.T.Helper()
	payload, err := repo.Payload(b)
	w.check(err)
	var sigs []repo.Signature
	for _, k := range keys {
		sigs = append(sigs, repo.Signature{KeyID: w.keyID(k), Sig: w.sign(k, payload)})
	}
	b, err = repo.Attach(b, sigs)
	w.check(err)
	return b
}

func (w *World) sign(k crypto.Signer, message []byte) []byte {
	var sig []byte
	var err error
	if _, ok := k.(ed25519.PrivateKey); ok {
		sig, err = k.Sign(nil, message, crypto.Hash(0))
	} else {
		sum := sha256.Sum256(message)
		sig, err = k.Sign(nil, sum[:], crypto.SHA256) // no randomness: RFC 6979
	}
	w.check(err)
	return sig
}

// keyID finds the holder of a key among the people and the publisher.
func (w *World) keyID(k crypto.Signer) string {
	w.T.Helper()
	pub := k.Public().(interface{ Equal(crypto.PublicKey) bool })
	person, found := w.Publisher, pub.Equal(w.Snapshot.Public()) || pub.Equal(w.Timestamp.Public())
	for _, m := range w.People {
		if pub.Equal(m.Auditor.Public()) || pub.Equal(m.Root.Public()) {
			person, found = m.Person, true
		}
	}
	if !found {
		w.T.Fatal("repotest: a key that belongs to nobody in this world")
	}
	id, err := repo.KeyID(repo.Holder{Person: person, Public: k.Public()})
	w.check(err)
	return id
}

// auditors returns the TUF keys of these members; without numbers, of the first quorum of them.
func (w *World) auditors(members ...int) []crypto.Signer {
	return w.keys(w.Quorum, members, func(m *Member) crypto.Signer { return m.Auditor })
}

func (w *World) keys(first int, members []int, of func(*Member) crypto.Signer) []crypto.Signer {
	var keys []crypto.Signer
	if members == nil {
		for _, m := range w.People[:first] {
			keys = append(keys, of(m))
		}
	}
	for _, i := range members {
		keys = append(keys, of(w.People[i]))
	}
	return keys
}

// PublishRoot signs and publishes a root for the layout, which becomes the world's. Without members it
// is signed by the first Quorum root holders of the layout before and after; the snapshot stays.
func (w *World) PublishRoot(l repo.Layout, members ...int) {
	w.T.Helper()
	w.Layout = l
	b, err := repo.Root(l, w.stamp("root", w.next("root"), fmt.Sprintf("root %d", w.next("root"))))
	w.check(err)
	b = w.Sign(b, w.keys(l.Root.Quorum, members, func(m *Member) crypto.Signer { return m.Root })...)
	w.roots = append(w.roots, b)
	w.put("root", b)
}

// PublishTargets signs and publishes targets with Policy, Mirrors and the layout's channels. Call
// Refresh afterwards to make it visible.
func (w *World) PublishTargets(members ...int) {
	w.T.Helper()
	files := []repo.File{w.AddTarget("mirrors.json", w.Mirrors), w.AddTarget("policy.json", w.Policy)}
	b, err := repo.Targets(w.Layout, files, w.stamp("targets", w.next("targets"), fmt.Sprintf("targets %d", w.next("targets"))))
	w.check(err)
	w.put("targets", w.Sign(b, w.auditors(members...)...))
}

// Refresh publishes a new snapshot of what is current, and a new timestamp.
func (w *World) Refresh() {
	w.T.Helper()
	roles := map[string][]byte{"targets": w.readable["targets"]}
	for _, ch := range w.Layout.Channels {
		roles[ch.Name] = w.readable[ch.Name]
	}
	b, err := repo.SnapshotListing(roles, w.Withdrawn, w.stamp("snapshot", w.next("snapshot"), ""))
	w.check(err)
	for role, good := range roles { // what cannot be read is pinned all the same
		b = bytes.Replace(b, pin(role, good), pin(role, w.current[role]), 1)
	}
	w.put("snapshot", w.Sign(b, w.Snapshot))
	w.RefreshTimestamp()
}

// pin is a role's entry in a snapshot.
func pin(role string, b []byte) []byte {
	return fmt.Appendf(nil, `"%s.json":{"hashes":{"sha256":"%x"},"length":%d,"version":%d}`, role, sha256.Sum256(b), len(b), version(b))
}

// version reads a version out of anything, hostile or not; 1 where there is none.
func version(b []byte) int64 {
	var doc struct{ Signed struct{ Version int64 } }
	if json.Unmarshal(b, &doc) != nil || doc.Signed.Version < 1 {
		return 1
	}
	return doc.Signed.Version
}

// RefreshTimestamp publishes a new timestamp over the current snapshot.
func (w *World) RefreshTimestamp() {
	w.T.Helper()
	b, err := repo.Timestamp(w.readable["snapshot"], w.stamp("timestamp", w.next("timestamp"), ""))
	w.check(err)
	w.put("timestamp", w.Sign(b, w.Timestamp))
}

// Replace makes b, whatever it is, the current bytes of targets or a channel and publishes snapshot and
// timestamp over it, as a publisher could who was given b.
func (w *World) Replace(role string, b []byte) {
	w.T.Helper()
	w.put(role, b)
	w.Refresh()
}

// put makes bytes current and places them where a mirror has them.
func (w *World) put(role string, b []byte) {
	w.T.Helper()
	if _, err := repo.Inspect(b); err == nil {
		w.readable[role] = b
	}
	w.current[role] = b
	name := fmt.Sprintf("metadata/%d.%s.json", version(b), role)
	if role == "timestamp" {
		name = "metadata/timestamp.json"
	}
	w.files[name] = b
}

// AddTarget puts a file where a mirror has it and returns its entry for a role; no role names it yet.
func (w *World) AddTarget(target string, content []byte) repo.File {
	sum := sha256.Sum256(content)
	w.files[FilePath(target, sum)] = content
	return repo.File{Path: target, Length: int64(len(content)), SHA256: sum}
}

// FilePath is where a mirror holds a target (TUF 6.2, consistent snapshots).
func FilePath(target string, sum [32]byte) string {
	return "targets/" + path.Join(path.Dir(target), hex.EncodeToString(sum[:])+"."+path.Base(target))
}
