package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Head is what a checkpoint says of a log: so many entries, with this root.
type Head struct {
	Origin    string     `json:"origin"` // the log's name
	Size      uint64     `json:"size"`   // number of entries
	Root      Hash       `json:"root"`   // of the Merkle tree over them
	Witnesses []Cosigned `json:"witnesses,omitempty"`
}

// Cosigned is a witness of the policy whose cosignature on a head was verified.
type Cosigned struct {
	Name string    `json:"name"` // in the policy
	Key  string    `json:"key"`  // verifier key
	Time time.Time `json:"time"` // when the witness saw this head as the log's largest, UTC
}

// Why a checkpoint is refused; all are wrapped in an error that says more.
var (
	ErrOtherLog       = errors.New("checkpoint of another log")
	ErrNoLogSignature = errors.New("checkpoint without the log's signature")
	ErrWrongSignature = errors.New("checkpoint with a wrong signature")
	ErrWrongTime      = errors.New("cosignature with an impossible time")
	ErrNoPolicy       = errors.New("no log policy")
	ErrNotTheRoot     = errors.New("the inclusion hashes do not lead to the checkpoint's root")
	ErrNotConsistent  = errors.New("the two heads are not of one log")
)

// QuorumError says that too few witnesses cosigned a head, and who is missing.
type QuorumError struct {
	Signed  []string // witnesses whose cosignatures are there, in the order of the policy
	Missing []string // witnesses whose cosignatures are not
	Want    string   // the first group that is not satisfied: "eu: 1 of 2, has 0"
}

func (e *QuorumError) Error() string {
	return fmt.Sprintf("too few witnesses cosigned (%s); signed: %s; missing: %s", e.Want, listed(e.Signed), listed(e.Missing))
}

// Refused says that something was checked and found wrong.
func (e *QuorumError) Refused() bool { return true }

func listed(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// UnverifiedHead reads a checkpoint without checking any signature, for those who route or compare it.
// Its Witnesses are empty.
func UnverifiedHead(checkpoint []byte) (Head, error) {
	c, err := parseCheckpoint(checkpoint)
	if err != nil {
		return Head{}, err
	}
	return Head{Origin: c.origin, Size: c.size, Root: c.root}, nil
}

// Open verifies a checkpoint: it is the policy's log, that log signed it, a quorum of witnesses
// cosigned it, and no signature that claims to be by one of these keys is wrong. Lines by other keys
// say nothing. A quorum that is not there is a *QuorumError.
func (p Policy) Open(checkpoint []byte) (Head, error) {
	if p.verifiers == nil {
		return Head{}, ErrNoPolicy
	}
	c, err := parseCheckpoint(checkpoint)
	if err != nil {
		return Head{}, err
	}
	if c.origin != p.Origin() {
		return Head{}, fmt.Errorf("%w: origin %q, want %q", ErrOtherLog, c.origin, p.Origin())
	}
	if _, ok := c.by(p.log.Key); !ok {
		return Head{}, fmt.Errorf("%w %s+%08x", ErrNoLogSignature, p.log.Key.Name, p.log.Key.Hash())
	}
	if _, err := note.Open(checkpoint, p.verifiers); err != nil {
		return Head{}, fmt.Errorf("%w: %v", ErrWrongSignature, err)
	}
	head := Head{Origin: c.origin, Size: c.size, Root: c.root}
	for _, w := range p.witnesses {
		s, ok := c.by(w.Key)
		if !ok {
			continue
		}
		at, err := s.time()
		if err != nil {
			return Head{}, fmt.Errorf("witness %q: %w", w.Name, err)
		}
		head.Witnesses = append(head.Witnesses, Cosigned{w.Name, w.Key.String(), at})
	}
	if err := p.satisfied(head.Witnesses); err != nil {
		return Head{}, err
	}
	return head, nil
}

// latest is the last second of the year 9999, up to which a time can be printed.
const latest = 253402300799

// time returns when a cosignature was made. A time of 0 is what a cosigner writes that does not say
// whether it saw a larger head: not what a witness of checkpoints does.
func (s signature) time() (time.Time, error) {
	if len(s.body) < 8 {
		return time.Time{}, ErrWrongTime
	}
	t := binary.BigEndian.Uint64(s.body)
	if t == 0 || t > latest {
		return time.Time{}, fmt.Errorf("%w: %d seconds", ErrWrongTime, t)
	}
	return time.Unix(int64(t), 0).UTC(), nil
}

// satisfied says whether these witnesses are a quorum, or returns a *QuorumError.
func (p Policy) satisfied(signed []Cosigned) error {
	has := map[string]bool{}
	for _, c := range signed {
		has[c.Name] = true
	}
	if p.quorum.Satisfied(func(w Witness) bool { return has[w.Name] }) {
		return nil
	}
	e := &QuorumError{Want: p.quorum.lacking(has)}
	for _, w := range p.witnesses {
		if has[w.Name] {
			e.Signed = append(e.Signed, w.Name)
		} else {
			e.Missing = append(e.Missing, w.Name)
		}
	}
	return e
}

// Satisfied reports whether the witnesses for whom signed is true satisfy this node.
func (n Node) Satisfied(signed func(Witness) bool) bool {
	if n.Witness != nil {
		return signed(*n.Witness)
	}
	count := 0
	for _, m := range n.Members {
		if m.Satisfied(signed) {
			count++
		}
	}
	return n.Need > 0 && count >= n.Need // a group that needs nobody is no group: see ParsePolicy
}

// lacking describes the first unsatisfied node.
func (n Node) lacking(has map[string]bool) string {
	if n.Witness != nil {
		return fmt.Sprintf("%s has not", n.Name)
	}
	count := 0
	for _, m := range n.Members {
		if m.Satisfied(func(w Witness) bool { return has[w.Name] }) {
			count++
		}
	}
	return fmt.Sprintf("group %s needs %d of %d, has %d", n.Name, n.Need, len(n.Members), count)
}

// Conflicts reports whether two heads show that their log was forked: as many entries, another root.
// Heads of different sizes need CheckConsistency.
func (h Head) Conflicts(other Head) bool {
	return h.Origin == other.Origin && h.Size == other.Size && h.Root != other.Root
}

// CheckConsistency verifies that the log of the old head is the beginning of the log of the new one,
// by a consistency proof (RFC 6962 section 2.1.2). An error wraps ErrNotConsistent; the two signed
// checkpoints are then the evidence that the log was forked, if the proof is the log's own.
func CheckConsistency(old, new Head, hashes []Hash) error {
	switch {
	case old.Origin != new.Origin:
		return fmt.Errorf("%w: %q and %q", ErrOtherLog, old.Origin, new.Origin)
	case old.Size > new.Size || new.Size > MaxSize:
		return fmt.Errorf("%w: from %d entries to %d", ErrNotConsistent, old.Size, new.Size)
	case old.Size == new.Size || old.Size == 0:
		if len(hashes) > 0 || old.Size == new.Size && old.Root != new.Root || old.Size == 0 && old.Root != emptyRoot {
			return fmt.Errorf("%w: at %d entries", ErrNotConsistent, old.Size)
		}
		return nil
	}
	list := make(tlog.TreeProof, len(hashes))
	for i, h := range hashes {
		list[i] = tlog.Hash(h)
	}
	if err := tlog.CheckTree(list, int64(new.Size), tlog.Hash(new.Root), int64(old.Size), tlog.Hash(old.Root)); err != nil {
		return fmt.Errorf("%w: from %d entries to %d", ErrNotConsistent, old.Size, new.Size)
	}
	return nil
}
