package record

import (
	"crypto/sha256"
	"fmt"

	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/genuine"
)

// Said is an entry of the log that stands for something said about a release.
type Said struct {
	Entry []byte // as it is in the log
	What  string // "release", "rebuilt", "rebuilt otherwise" (other bytes), "inconclusive", "review", "withdrawn" or "reinstated"
}

// wordOf is what a statement is called where entries are listed.
func wordOf(s said, m genuine.Manifest) string {
	switch x := s.what.(type) {
	case *statement.Rebuild:
		if !rebuildOf(s.by, x, m).Same() {
			return "rebuilt otherwise"
		}
		return "rebuilt"
	case *statement.Inconclusive:
		return "inconclusive"
	case *statement.Review:
		return "review"
	case *statement.Withdrawal:
		return x.State
	}
	return "statement"
}

// Entry is what is known of an entry of the log.
type Entry struct {
	Text    string // one line for people
	By      string // of a statement: whose key signed it, where that is known
	Release string // "stable 1.4.0", where it is known
	What    string // as Said has it; "metadata"; "statement" where it is not known what it says; "" for no leaf
}

// Reader says in words what entries of the log mean, as far as a record tells.
type Reader struct {
	holders map[[32]byte]string // by SHA-256 of the statement key
	said    map[string]Entry    // by entry; without Text
}

// Reader returns a reader of entries. That of an empty record knows nobody by name.
func (r Record) Reader() Reader {
	out := Reader{map[[32]byte]string{}, map[string]Entry{}}
	for _, m := range r.Policy.People {
		if len(m.Statement) > 0 {
			out.holders[sha256.Sum256(m.Statement)] = m.Person.String()
		}
	}
	for _, ch := range r.Channels {
		for _, rel := range ch.Releases {
			for _, s := range rel.Entries {
				out.said[string(s.Entry)] = Entry{What: s.What, Release: rel.Channel + " " + rel.Version}
			}
		}
	}
	return out
}

// Read says what an entry is. Every text ends with the hash by which its file is found.
func (r Reader) Read(entry []byte) Entry {
	leaf, err := proof.ParseLeaf(entry)
	if err != nil {
		return Entry{Text: fmt.Sprintf("%q, which says nothing we know", entry)}
	}
	e := r.said[string(entry)]
	switch leaf.Kind {
	case proof.KindRelease:
		e.What, e.Release = "release", leaf.Channel+" "+leaf.Version
		e.Text = fmt.Sprintf("release %s, sha256 %x", e.Release, leaf.SHA256)
	case proof.KindMetadata:
		e.What = "metadata"
		e.Text = fmt.Sprintf("version %d of %s, sha256 %x", leaf.RoleVersion, leaf.Role, leaf.SHA256)
	case proof.KindStatement:
		by, known := r.holders[leaf.Key]
		if !known {
			by = fmt.Sprintf("a key of nobody in the policy (sha256 %x)", leaf.Key)
		}
		e.By = by
		if e.What == "" {
			e.What = "statement"
			e.Text = fmt.Sprintf("a statement by %s, payload sha256 %x", by, leaf.SHA256)
			break
		}
		e.Text = fmt.Sprintf("%s %s by %s, payload sha256 %x", e.What, e.Release, by, leaf.SHA256)
	}
	return e
}
