package handshake

import (
	"fmt"

	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Level orders what a session gives, from nothing to everything. It is remembered per contact (1).
type Level uint8

// Levels. Their numbers are stored.
const (
	None        Level = 0 // no session was ever made
	LevelV2     Level = 2
	LevelV3     Level = 3
	LevelV4     Level = 4
	LevelV4SPQR Level = 5
)

// Version returns the session version of a level.
func (l Level) Version() uint8 { return uint8(min(l, LevelV4)) }

// String names the level as the specification does.
func (l Level) String() string {
	switch l {
	case None:
		return "none"
	case LevelV4SPQR:
		return "v4+SPQR"
	}
	return fmt.Sprintf("v%d", uint8(l))
}

// Policy says which versions we speak (1). The zero value is the recommended one.
type Policy struct {
	// V2 switches on receiving and answering sessions of TextSecure's v2, which has no signed prekeys and no identities in its MACs.
	V2 bool
	// Downgrade says that a person has seen, and agreed to, this contact falling back to an older version.
	Downgrade bool
	// OfferSPQR offers the post-quantum ratchet in v4 sessions with peers who do not advertise it. Those who know it take it up with
	// their first answer, the others ignore it; peers who insist on it want it advertised instead.
	OfferSPQR bool
	// NoSPQR keeps us from offering the post-quantum ratchet, for peers that choke on it.
	NoSPQR bool
}

// Choose picks the level of a new session from what the bundle offers: v4 with SPQR, else v4, else v3. SPQR need not be
// advertised again by a contact who is known to speak it. Choose refuses anything below best, the highest level this contact was ever
// known to speak: a server that strips keys looks just like that.
func (p Policy) Choose(b *Bundle, best Level) (Level, error) {
	l := LevelV3
	switch {
	case b.Kyber != nil && (b.SPQR || best == LevelV4SPQR) && !p.NoSPQR:
		l = LevelV4SPQR
	case b.Kyber != nil:
		l = LevelV4
	}
	return l, p.weigh(l, best)
}

// Accept tells whether a message of that version may start a session. SPQR shows only in what is inside (AcceptLevel).
func (p Policy) Accept(version uint8, best Level) error {
	if version == wire.V2 && !p.V2 {
		return refusal.Because(refusal.LegacyVersion, "version 2 is switched off")
	}
	l := Level(version)
	if l == LevelV4 {
		l = LevelV4SPQR // the most it can turn out to be
	}
	return p.weigh(l, best)
}

// AcceptLevel judges the level a received session turned out to have.
func (p Policy) AcceptLevel(l, best Level) error { return p.weigh(l, best) }

func (p Policy) weigh(l, best Level) error {
	if l < best && !p.Downgrade {
		return refusal.Because(refusal.Downgrade, "%s, and this contact is known to speak %s", l, best)
	}
	return nil
}
