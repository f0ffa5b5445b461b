package ratchet

import (
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/braid"
	"github.com/countersign-project/countersign/messenger/handshake"
	"github.com/countersign-project/countersign/messenger/keys"
	"github.com/countersign-project/countersign/messenger/record"
	"github.com/countersign-project/countersign/messenger/wire"
)

// recordVersion is the version of the stored form. A reader refuses others: an older program must not guess at newer secrets.
//
// Stored form of version 1, in the terms of package record:
//
//	version      u8     1
//	best         u8     level: 0 none, 2 v2, 3 v3, 4 v4, 5 v4+SPQR
//	current      bool, then a session if true
//	archived     u32 count, at most 40, then sessions, newest first
//
// A session:
//
//	version      u8     2, 3 or 4
//	responder    bool
//	local        32     our identity key
//	remote       32     theirs
//	local id     u32    registration ids
//	remote id    u32
//	offer        32     digest of the first message's offer; zero for an initiator
//	root         32
//	own          32 ‖ 32: private ratchet key, clamped, and its public half
//	sending      32 ‖ u32: chain key and index
//	previous     u32
//	receiving    u32 count, at most 5, oldest first, then each: their ratchet key 32 ‖ chain key 32 ‖ index u32 ‖
//	             u32 count, at most 2000 ‖ count × (index u32 ‖ seed 32)
//	pending      bool, then: base key 32 ‖ bool ‖ one-time id u32 ‖ signed id u32 ‖ kyber id u32 ‖ kyber ciphertext with length ‖ created u64 (Unix seconds)
//	pq           bool, then a state of package braid
const recordVersion = 1

// Marshal returns the stored form. It holds live keys.
func (r *Record) Marshal() []byte {
	var w record.Writer
	w.U8(recordVersion)
	w.U8(uint8(r.best))
	w.Bool(r.current != nil)
	if r.current != nil {
		r.current.write(&w)
	}
	w.U32(uint32(len(r.archived)))
	for _, s := range r.archived {
		s.write(&w)
	}
	return w.Bytes()
}

// Unmarshal reads a stored form.
func Unmarshal(b []byte) (*Record, error) {
	r := record.NewReader(b)
	if v := r.U8(); v != recordVersion {
		return nil, fmt.Errorf("stored session record: got version %d, want %d", v, recordVersion)
	}
	out := &Record{best: handshake.Level(r.U8())}
	if out.best > handshake.LevelV4SPQR || out.best == 1 {
		r.Failf("level %d", out.best)
	}
	if r.Bool() {
		out.current = readSession(r)
	}
	for range r.Count(maxArchived) {
		s := readSession(r)
		if s.pending != nil {
			r.Failf("an archived session with an unanswered offer")
		}
		out.archived = append(out.archived, s)
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return out, nil
}

// Clone returns a record that shares nothing with r.
func (r *Record) Clone() *Record {
	c, err := Unmarshal(r.Marshal())
	if err != nil {
		panic("internal error: own record does not read back: " + err.Error())
	}
	return c
}

// Format keeps every verb from printing what is inside.
func (r *Record) Format(f fmt.State, _ rune) { io.WriteString(f, r.String()) }

func (s *session) write(w *record.Writer) {
	w.U8(s.version)
	w.Bool(s.responder)
	w.Public(s.local)
	w.Public(s.remote)
	w.U32(s.localID)
	w.U32(s.remoteID)
	w.Fixed(s.offer[:])
	w.Secret(s.root)
	w.Secret(s.own.Scalar())
	w.Public(s.own.Public())
	w.Secret(s.sending.key)
	w.U32(s.sending.index)
	w.U32(s.previous)
	w.U32(uint32(len(s.receiving)))
	for _, c := range s.receiving {
		w.Public(c.their)
		w.Secret(c.key)
		w.U32(c.index)
		w.U32(uint32(len(c.skipped)))
		for _, k := range c.skipped {
			w.U32(k.index)
			w.Secret(k.seed)
		}
	}
	w.Bool(s.pending != nil)
	if p := s.pending; p != nil {
		w.Public(p.offer.Base)
		w.Bool(p.offer.OneTime)
		w.U32(p.offer.PreKeyID)
		w.U32(p.offer.SignedID)
		w.U32(p.offer.KyberID)
		w.Var(p.offer.Kyber)
		w.U64(uint64(p.created))
	}
	w.Bool(s.pq != nil)
	if s.pq != nil {
		s.pq.Write(w)
	}
}

func readSession(r *record.Reader) *session {
	s := &session{version: r.U8(), responder: r.Bool(), local: r.Public(), remote: r.Public(), localID: r.U32(), remoteID: r.U32()}
	if s.version < wire.V2 || s.version > wire.V4 {
		r.Failf("session version %d", s.version)
	}
	copy(s.offer[:], r.Fixed(len(s.offer)))
	s.root = r.Secret()
	var err error
	if s.own, err = keys.Restore(r.Secret(), r.Public()); err != nil {
		r.Failf("%v", err)
	}
	s.sending.key, s.sending.index, s.previous = r.Secret(), r.U32(), r.U32()
	for range r.Count(maxReceiving) {
		s.receiving = append(s.receiving, readReceived(r))
	}
	if r.Bool() {
		s.pending = readPending(r, s.version)
	}
	if r.Bool() {
		if s.version < wire.V4 {
			r.Failf("SPQR in a session of version %d", s.version)
		}
		s.pq = braid.Read(r)
	}
	return s
}

func readReceived(r *record.Reader) received {
	var c received
	c.their, c.key, c.index = r.Public(), r.Secret(), r.U32()
	for i := range r.Count(maxSkipped) {
		k := skippedSeed{r.U32(), r.Secret()}
		if k.index >= c.index || i > 0 && k.index <= c.skipped[i-1].index {
			r.Failf("skipped seed %d out of order", k.index)
			break
		}
		c.skipped = append(c.skipped, k)
	}
	return c
}

func readPending(r *record.Reader, version uint8) *pending {
	o := handshake.Offer{Version: version, Base: r.Public(), OneTime: r.Bool(), PreKeyID: r.U32(), SignedID: r.U32(), KyberID: r.U32(),
		Kyber: r.Var(keys.KyberCiphertextSize)}
	if (version == wire.V4) != (len(o.Kyber) == keys.KyberCiphertextSize) || version < wire.V4 && o.Kyber != nil {
		r.Failf("offer of version %d with a kyber ciphertext of %d bytes", version, len(o.Kyber))
	}
	created := r.U64()
	if created > 1<<40 {
		r.Failf("offer made at %d", created)
	}
	return &pending{o, int64(created)}
}
