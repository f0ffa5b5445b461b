package ratchet

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/braid"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// Record is the state for one address: a current session, archived ones that can still decrypt, and the best protocol level
// the contact is known to speak. The zero value is an empty record.
type Record struct {
	best     handshake.Level
	current  *session
	archived []*session // newest first, at most maxArchived
}

// Best returns the highest level this contact was ever known to speak. It survives Archive.
func (r *Record) Best() handshake.Level { return r.best }

// Known returns a record without a session that remembers the best level a contact is known to speak. A contact's best outlives the sessions:
// without it a server could strip the post-quantum keys from the first bundle after them.
func Known(best handshake.Level) (*Record, error) {
	if best > handshake.LevelV4SPQR || best == 1 {
		return nil, fmt.Errorf("protocol level %d, want 0 or 2 to %d", best, handshake.LevelV4SPQR)
	}
	return &Record{best: best}, nil
}

// Epochs returns how many exchanges of the post-quantum ratchet the current session has completed, 0 without SPQR.
func (r *Record) Epochs() uint64 {
	if r.current == nil || r.current.pq == nil {
		return 0
	}
	return r.current.pq.Epoch()
}

// CanEncrypt tells whether Encrypt would find a session.
func (r *Record) CanEncrypt(w Setting) bool { return r.usable(w) == nil }

// Sends tells whether key is the ratchet key we send with in the current session: only then does a request to send a message again, which
// proves nothing by itself, deserve a new session (wire.DecryptionError, 15).
func (r *Record) Sends(key keys.Public) bool {
	return r.current != nil && r.current.own.Public().Equal(key)
}

// Archive puts the current session away: it still decrypts what is on its way, and Encrypt asks for a new one.
func (r *Record) Archive() {
	if r.current != nil {
		r.push(r.current)
		r.current = nil
	}
}

func (r *Record) push(s *session) {
	r.archived = append([]*session{s.archive()}, r.archived...)
	if len(r.archived) > maxArchived {
		r.archived[maxArchived].wipe(&session{})
		r.archived[maxArchived] = nil
		r.archived = r.archived[:maxArchived]
	}
	r.trim()
}

// trim keeps what the archived sessions have for late messages within maxKept, the newest sessions first.
func (r *Record) trim() {
	total := 0
	for i, s := range r.archived {
		n := s.kept()
		if total+n <= maxKept {
			total += n
			continue
		}
		r.archived[i] = s.forget()
		s.wipe(r.archived[i])
	}
}

// replace makes s the current session and archives the former one.
func (r *Record) replace(s *session) {
	r.Archive()
	r.current = s
}

// advance replaces session number i (0 is the current one, the archived ones follow) by its successor and makes it the current one.
func (r *Record) advance(i int, next *session) {
	if i == 0 {
		r.current.wipe(next)
		r.current = next
		return
	}
	old := r.archived[i-1]
	r.archived = slices.Delete(slices.Clone(r.archived), i-1, i)
	old.wipe(next)
	r.replace(next)
}

// sessions lists the current session, which may be nil, and the archived ones.
func (r *Record) sessions() []*session {
	return append([]*session{r.current}, r.archived...)
}

// usable says why Encrypt has no session: there is none, or it was never answered and is too old (3.5).
func (r *Record) usable(w Setting) error {
	switch {
	case r.current == nil:
		return refusal.Because(refusal.NoSession, "with %q", w.Peer)
	case r.current.pending != nil && w.Now.Unix()-r.current.pending.created > int64(maxUnanswered/time.Second):
		return refusal.Because(refusal.NoSession, "with %q that was answered within 30 days", w.Peer)
	case r.current.version == wire.V2 && !w.Policy.V2:
		return refusal.Because(refusal.LegacyVersion, "version 2 is switched off")
	}
	return nil
}

// Initiate starts a session from a fetched bundle (3.2). Signatures, identity and version are checked before anything changes. The
// former session is archived.
func (r *Record) Initiate(w Setting, b *handshake.Bundle) error {
	if err := b.Check(); err != nil {
		return err
	}
	if err := w.checkIdentity(b.Identity); err != nil {
		return err
	}
	level, err := w.Policy.Choose(b, r.best)
	if err != nil {
		return err
	}
	s, err := initiate(w, b, level)
	if err != nil {
		return err
	}
	r.replace(s)
	if b.Kyber != nil { // signed by the identity: no server can have made it up
		r.best = max(r.best, handshake.LevelV4)
	}
	return nil
}

func initiate(w Setting, b *handshake.Bundle, level handshake.Level) (*session, error) {
	version := level.Version()
	offer, a, err := handshake.Initiate(version, w.Identity, b, w.Rand)
	if err != nil {
		return nil, err
	}
	defer a.Wipe()
	their := b.Signed.Key
	if version == wire.V2 {
		their = b.OneTime.Key
	}
	s := &session{version: version, local: w.Identity.Public(), remote: b.Identity, localID: w.RegistrationID, remoteID: b.RegistrationID,
		root: a.Root, receiving: []received{{their: their, chain: chain{key: a.Chain}}}, pending: &pending{offer, max(0, w.Now.Unix())}}
	if s.own, err = keys.Generate(w.Rand); err != nil {
		return nil, err
	}
	if err := s.send(their); err != nil {
		return nil, err
	}
	if level == handshake.LevelV4SPQR {
		s.pq = braid.New(a.PQ, true, false)
	} else if version == wire.V4 && w.Policy.OfferSPQR && !w.Policy.NoSPQR {
		s.pq = braid.New(a.PQ, true, true)
	}
	return s, nil
}

// Encrypt seals a plaintext, padded by the caller (wire.Pad) in v3 and later. The caller stores the Record before it sends the message.
func (r *Record) Encrypt(w Setting, plaintext []byte) (Message, error) {
	if err := r.usable(w); err != nil {
		return Message{}, err
	}
	if err := w.checkIdentity(r.current.remote); err != nil {
		return Message{}, err
	}
	if len(plaintext) > wire.MaxPlaintext {
		return Message{}, fmt.Errorf("plaintext of %d bytes, want at most %d: send it as an attachment", len(plaintext), wire.MaxPlaintext)
	}
	m, next, err := r.current.encrypt(plaintext, w.Rand)
	if err != nil {
		return Message{}, err
	}
	r.advance(0, next)
	return m, nil
}

// Decrypt opens a message of kind Whisper (3.4): with the current session, or with the newest archived one that can, which
// then becomes the current one. A duplicate ends the search.
func (r *Record) Decrypt(w Setting, body []byte) (Opened, error) {
	m, err := wire.ParseSignal(body)
	if err != nil {
		return Opened{}, err
	}
	return r.open(w, m)
}

func (r *Record) open(w Setting, m *wire.Signal) (Opened, error) {
	if r.current == nil && len(r.archived) == 0 {
		return Opened{}, refusal.Because(refusal.NoSession, "with %q", w.Peer)
	}
	var causes []string
	var only error
	steps := newWork()
	for i, s := range r.sessions() {
		if s == nil {
			continue
		}
		plaintext, next, err := s.decrypt(m, steps, false, w.Policy, r.best, w.Rand)
		steps.first = false
		if refusal.Of(err) == refusal.Duplicate {
			return Opened{}, err
		}
		if err != nil && refusal.Of(err) == "" {
			return Opened{}, err // nothing is wrong with the message: we could not, and it must not be acknowledged
		}
		if err != nil {
			only = err
			causes = append(causes, err.Error())
			continue
		}
		if err := w.checkIdentity(s.remote); err != nil {
			return Opened{}, err
		}
		r.advance(i, next)
		return r.opened(plaintext, next, false), nil
	}
	if len(causes) == 1 {
		return Opened{}, only
	}
	return Opened{}, refusal.Because(refusal.InvalidMessage, "no session opens it (%s)", strings.Join(causes, "; "))
}

// opened describes a success, and remembers the level: SPQR once it has been heard.
func (r *Record) opened(plaintext []byte, s *session, started bool) Opened {
	l := s.level()
	if l == handshake.LevelV4SPQR && !s.pq.Heard() {
		l = handshake.LevelV4
	}
	r.best = max(r.best, l)
	return Opened{Plaintext: plaintext, Identity: s.remote, Started: started, Level: l}
}

// DecryptPreKey opens a message of kind PreKey, parsed by the caller so that it could look the prekeys up. The first of a session
// starts it; the others, and retransmissions whose prekey is gone, find it by what they repeat (3.2).
func (r *Record) DecryptPreKey(w Setting, m *wire.PreKey, have handshake.Prekeys) (Opened, error) {
	if err := w.checkIdentity(m.Identity); err != nil {
		return Opened{}, err
	}
	digest := handshake.OfferOf(m).Digest(m.Identity)
	for i, s := range r.sessions() {
		if s == nil || !s.responder || s.offer != digest {
			continue
		}
		plaintext, next, err := s.decrypt(m.Inner, newWork(), false, w.Policy, r.best, w.Rand)
		if err != nil {
			return Opened{}, err
		}
		r.advance(i, next)
		return r.opened(plaintext, next, false), nil
	}
	return r.respond(w, m, have, digest)
}

// respond starts a session from the other side's first message.
func (r *Record) respond(w Setting, m *wire.PreKey, have handshake.Prekeys, digest [32]byte) (Opened, error) {
	if err := w.Policy.Accept(m.Version(), r.best); err != nil {
		return Opened{}, err
	}
	a, pair, err := handshake.Respond(w.Identity, have, m)
	if err != nil {
		return Opened{}, err
	}
	defer a.Wipe()
	s := &session{version: m.Version(), responder: true, local: w.Identity.Public(), remote: m.Identity, localID: w.RegistrationID,
		remoteID: m.RegistrationID, offer: digest, root: a.Root, own: pair.Clone(), sending: chain{key: a.Chain}}
	if s.version == wire.V4 {
		s.pq = braid.New(a.PQ, false, false)
	}
	plaintext, next, err := s.decrypt(m.Inner, newWork(), true, w.Policy, r.best, w.Rand)
	if err != nil {
		return Opened{}, err
	}
	s.wipe(next)
	r.replace(next)
	return r.opened(plaintext, next, true), nil
}

// String tells how many sessions there are, and no secret.
func (r *Record) String() string {
	n := len(r.archived)
	if r.current == nil {
		return fmt.Sprintf("no current session, %d archived", n)
	}
	return fmt.Sprintf("a current session (%s), %d archived", r.current.level(), n)
}

// Remote returns the registration id of the device the current session is with; ok says whether there is one.
func (r *Record) Remote() (registrationID uint32, ok bool) {
	if r.current == nil {
		return 0, false
	}
	return r.current.remoteID, true
}
