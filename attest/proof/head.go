package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
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
