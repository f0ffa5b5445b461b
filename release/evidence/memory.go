package evidence

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Memory is the directory in which a device keeps what it must not forget about releases:
//
//	withdrawn.json    the newest list of withdrawals that a snapshot named
//	withdrawals.json  every withdrawal this device has ever seen, whatever was published later
//	log.head          the largest head of the log that was believed, as signed
//	forks/N.txt       two signed heads of one log that cannot both be true, for the world to see
//
// Each is replaced by one rename. A damaged file counts as none: the worst that whoever can write there
// can do is to make this device forget, and they are its user.
type Memory struct{ Dir string }

func (m Memory) path(name string) string { return filepath.Join(m.Dir, name) }

func (m Memory) read(name string, max int64) []byte {
	f, err := os.Open(m.path(name))
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil || int64(len(b)) > max {
		return nil
	}
	return b
}

// Head returns the largest head of the log that was believed here; nil when there was none.
func (m Memory) Head() []byte {
	b := m.read("log.head", proof.MaxCheckpoint)
	if _, err := proof.UnverifiedHead(b); err != nil {
		return nil
	}
	return b
}

// KeepHead remembers the head of a verdict whose reason 6 held, when it is larger than the one before or of
// another log.
func (m Memory) KeepHead(v genuine.Verdict) error {
	if v.Log == nil || v.Reason(genuine.ReasonLogged).State != genuine.Held {
		return nil
	}
	old, err := proof.UnverifiedHead(m.Head())
	if err == nil && old.Origin == v.Log.Head.Origin && old.Size >= v.Log.Head.Size {
		return nil
	}
	return durable.WriteFile(m.path("log.head"), []byte(v.Log.Checkpoint), 0o600)
}

// maxForks is how many forks are kept: a thousand of them say no more than ten.
const maxForks = 10

// KeepFork keeps both signed heads of a verdict that the log was forked, and returns the file. It is "" when
// the verdict says nothing of the kind, or when so many forks are kept already that this one adds nothing.
func (m Memory) KeepFork(v genuine.Verdict) (path string, err error) {
	if v.Log == nil || v.Log.Seen == "" {
		return "", nil
	}
	text := "These two signed heads of one log cannot both be true.\n\nseen before:\n\n" + v.Log.Seen + "\nshown now:\n\n" + v.Log.Checkpoint
	for n := 1; n <= maxForks; n++ {
		name := fmt.Sprintf("forks/%d.txt", n)
		switch had, err := os.ReadFile(m.path(name)); {
		case err == nil && string(had) == text:
			return m.path(name), nil
		case errors.Is(err, fs.ErrNotExist):
			if err := durable.MkdirAll(m.path("forks"), 0o700); err != nil {
				return "", err
			}
			return m.path(name), durable.WriteFile(m.path(name), []byte(text), 0o600)
		case err != nil:
			return "", err
		}
	}
	return "", nil
}

// Listed returns the list of withdrawals that this set's snapshot names, if it is the one kept here. ok is
// false when it is not; a snapshot that names none needs none.
func (m Memory) Listed(set *trust.Set) (list []byte, ok bool) {
	f, named := set.Withdrawn()
	if !named {
		return nil, true
	}
	b := m.read("withdrawn.json", genuine.MaxFile)
	if int64(len(b)) != f.Length || sha256.Sum256(b) != f.SHA256 {
		return nil, false
	}
	return b, true
}

// Withdrawals returns every withdrawal this device has seen.
func (m Memory) Withdrawals() [][]byte {
	f, err := genuine.ParseFile(m.read("withdrawals.json", genuine.MaxFile))
	if err != nil {
		return nil
	}
	return f.Statements
}

// KeepWithdrawn remembers a list of withdrawals that a snapshot names, and first each word in it that
// somebody of the policy signed.
func (m Memory) KeepWithdrawn(list []byte, policy genuine.Policy) error {
	f, err := genuine.ParseFile(list)
	if err != nil {
		return err
	}
	had := m.Withdrawals()
	all := lastWords(append(slices.Clone(had), f.Statements...), policy)
	if !slices.EqualFunc(had, all, bytes.Equal) {
		b, err := genuine.File{Statements: all}.Encode()
		if err != nil {
			return err
		}
		if err := durable.WriteFile(m.path("withdrawals.json"), b, 0o600); err != nil {
			return err
		}
	}
	return durable.WriteFile(m.path("withdrawn.json"), list, 0o600)
}

// lastWords keeps of each person the word about each release that counts, sorted. What nobody of the
// policy signed is dropped.
func lastWords(bundles [][]byte, policy genuine.Policy) [][]byte {
	var keys []crypto.PublicKey
	for _, k := range policy.StatementKeys() {
		keys = append(keys, k.Public)
	}
	type about struct {
		author  string
		release [32]byte
	}
	last, raw := map[about]*statement.Withdrawal{}, map[about][]byte{}
	for _, b := range bundles {
		s, ok := identify(b, [32]byte{}, keys)
		w, is := s.what.(*statement.Withdrawal)
		if !ok || !is {
			continue
		}
		k := about{s.author, w.Release}
		if had := last[k]; had == nil || w.Supersedes(*had) && *w != *had {
			last[k], raw[k] = w, b
		}
	}
	var all [][]byte
	for _, b := range raw {
		all = append(all, b)
	}
	slices.SortFunc(all, bytes.Compare)
	return all[:min(len(all), genuine.MaxStatements)]
}
