package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/tuf/repo"
)

// dishonest is a publisher under pressure: it holds the two online keys and serves whatever it likes.
// It works on a copy of the repository, as somebody who took the publisher's machine would.
type dishonest struct {
	root string // the repository it serves
	keys signer.Ring
	now  time.Time
	lied *shown // what it showed before, of which this must be newer
}

// shown are versions of the publisher's own roles.
type shown struct{ snapshot, timestamp int64 }

// copyTree copies a directory of plain files.
func copyTree(from, to string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

// publishEvent writes an event's channel with whatever signatures are there, and signs a new snapshot
// and timestamp over it. The auditors' tools refuse to do this.
func (d dishonest) publishEvent(event, channel string) error {
	proposed, err := os.ReadFile(filepath.Join(event, "metadata", channel+".json"))
	if err != nil {
		return err
	}
	sigs, err := signaturesOf(event, channel)
	if err != nil {
		return err
	}
	signed, err := repo.Attach(proposed, sigs)
	if err != nil {
		return err
	}
	if err := d.addFiles(event, proposed); err != nil {
		return err
	}
	return d.sign(map[string][]byte{channel: signed})
}

// serveAgain makes an older version of a channel the newest: a fresh snapshot and timestamp over it.
func (d dishonest) serveAgain(channel string, old []byte) error {
	return d.sign(map[string][]byte{channel: old})
}

// sign writes the given roles and a new snapshot and timestamp over them and the other current ones.
func (d dishonest) sign(changed map[string][]byte) error {
	stamp, snapshot, err := d.current("timestamp.json", "snapshot")
	if err != nil {
		return err
	}
	roles := map[string][]byte{}
	for _, m := range snapshot.Meta {
		name := strings.TrimSuffix(m.Name, ".json")
		if roles[name] = changed[name]; roles[name] == nil {
			if roles[name], err = d.read(fmt.Sprintf("%d.%s.json", m.Version, name)); err != nil {
				return err
			}
			continue
		}
		info, err := repo.Inspect(roles[name])
		if err != nil {
			return err
		}
		if err := d.write(fmt.Sprintf("%d.%s.json", info.Version, name), roles[name]); err != nil {
			return err
		}
	}
	d.lied.snapshot = max(d.lied.snapshot, snapshot.Version) + 1
	d.lied.timestamp = max(d.lied.timestamp, stamp.Version) + 1
	next := repo.Stamp{Version: d.lied.snapshot, Made: d.now, Expires: d.now.Add(7 * 24 * time.Hour)}
	unsigned, err := repo.Snapshot(roles, next)
	if err != nil {
		return err
	}
	newSnapshot, err := d.countersign(unsigned, "snapshot")
	if err != nil {
		return err
	}
	if err := d.write(fmt.Sprintf("%d.snapshot.json", next.Version), newSnapshot); err != nil {
		return err
	}
	next = repo.Stamp{Version: d.lied.timestamp, Made: d.now, Expires: d.now.Add(24 * time.Hour)}
	if unsigned, err = repo.Timestamp(newSnapshot, next); err != nil {
		return err
	}
	newTimestamp, err := d.countersign(unsigned, "timestamp")
	if err != nil {
		return err
	}
	return d.write("timestamp.json", newTimestamp)
}

// current reads the timestamp and the snapshot it names.
func (d dishonest) current(timestamp, snapshot string) (repo.Info, repo.Info, error) {
	b, err := d.read(timestamp)
	if err != nil {
		return repo.Info{}, repo.Info{}, err
	}
	stamp, err := repo.Inspect(b)
	if err != nil {
		return repo.Info{}, repo.Info{}, err
	}
	if len(stamp.Meta) != 1 {
		return repo.Info{}, repo.Info{}, errors.New("timestamp.json does not name one snapshot")
	}
	if b, err = d.read(fmt.Sprintf("%d.%s.json", stamp.Meta[0].Version, snapshot)); err != nil {
		return repo.Info{}, repo.Info{}, err
	}
	info, err := repo.Inspect(b)
	return stamp, info, err
}

// countersign signs with the online key that the newest root gives to a role.
func (d dishonest) countersign(unsigned []byte, role string) ([]byte, error) {
	root, err := newestRoot(filepath.Join(d.root, "metadata"))
	if err != nil {
		return nil, err
	}
	targets, err := newest(filepath.Join(d.root, "metadata"), "targets")
	if err != nil {
		return nil, err
	}
	layout, err := repo.Read(root, targets)
	if err != nil {
		return nil, err
	}
	holders := map[string]repo.RoleKeys{"snapshot": layout.Snapshot, "timestamp": layout.Timestamp}[role].Holders
	payload, err := repo.Payload(unsigned)
	if err != nil {
		return nil, err
	}
	for _, h := range holders {
		s, ok := d.keys.Find(h.Public)
		if !ok {
			continue
		}
		sig, err := s.Sign(payload)
		if err != nil {
			return nil, err
		}
		id, err := repo.KeyID(h)
		if err != nil {
			return nil, err
		}
		return repo.Attach(unsigned, []repo.Signature{{KeyID: id, Sig: sig}})
	}
	return nil, fmt.Errorf("no key for %s", role)
}

// addFiles puts an event's artifacts and evidence where clients look for them.
func (d dishonest) addFiles(event string, proposed []byte) error {
	info, err := repo.Inspect(proposed)
	if err != nil {
		return err
	}
	for _, f := range info.Files {
		parts := strings.SplitN(f.Path, "/", 3) // channel, version, artifact
		from := filepath.Join(event, "artifacts", filepath.FromSlash(parts[2]))
		if parts[2] == "release.json" {
			from = filepath.Join(event, "release.json")
		}
		dir, name := filepath.Split(filepath.FromSlash(f.Path))
		to := filepath.Join(d.root, "targets", dir, hex.EncodeToString(f.SHA256[:])+"."+name)
		if _, err := os.Stat(to); err == nil {
			continue // of an earlier release
		}
		content, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			return err
		}
		if parts[2] == "release.json" {
			if err := d.addEvidence(event, hex.EncodeToString(f.SHA256[:])); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d dishonest) addEvidence(event, release string) error {
	var file struct {
		Format     string            `json:"format"`
		Statements []json.RawMessage `json:"statements"`
		Proof      string            `json:"proof"`
	}
	file.Format = "countersign-evidence-2"
	list, err := filepath.Glob(filepath.Join(event, "statements", "*.json"))
	if err != nil {
		return err
	}
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file.Statements = append(file.Statements, b)
	}
	b, err := json.Marshal(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(d.root, "evidence"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.root, "evidence", release+".json"), b, 0o644)
}

func (d dishonest) read(name string) ([]byte, error) {
	return os.ReadFile(filepath.Join(d.root, "metadata", name))
}

func (d dishonest) write(name string, b []byte) error {
	return os.WriteFile(filepath.Join(d.root, "metadata", name), b, 0o644)
}

// signaturesOf reads an event's signature files for a role.
func signaturesOf(event, role string) ([]repo.Signature, error) {
	list, err := filepath.Glob(filepath.Join(event, "signatures", role+".*.json"))
	if err != nil {
		return nil, err
	}
	var sigs []repo.Signature
	for _, name := range list {
		b, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var s struct{ KeyID, Sig string }
		if err := json.Unmarshal(b, &s); err != nil {
			return nil, err
		}
		raw, err := hex.DecodeString(s.Sig)
		if err != nil {
			return nil, err
		}
		sigs = append(sigs, repo.Signature{KeyID: s.KeyID, Sig: raw})
	}
	return sigs, nil
}

func newestRoot(metadata string) ([]byte, error) { return newest(metadata, "root") }

// newest returns the highest version of a role that lies in a metadata directory.
func newest(metadata, role string) ([]byte, error) {
	list, err := fs.Glob(os.DirFS(metadata), "*."+role+".json")
	if err != nil {
		return nil, err
	}
	var best []byte
	var version int64
	for _, name := range list {
		b, err := os.ReadFile(filepath.Join(metadata, name))
		if err != nil {
			return nil, err
		}
		info, err := repo.Inspect(b)
		if err != nil {
			return nil, err
		}
		if info.Version > version {
			best, version = b, info.Version
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no %s metadata in %s", role, metadata)
	}
	return best, nil
}
