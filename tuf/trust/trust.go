// Package trust judges TUF metadata: bytes and a time go in, who signed what
// comes out. It is pure: it opens no file, asks no network, logs nothing and
// keeps no state outside the Set it returns.
//
// The world. A distribution has the roles root (root holders), targets and its
// channels such as "stable" (auditors, a quorum each), snapshot and timestamp
// (the publisher's online keys). The first root, the anchor, was compiled into
// the program. Everything else arrives from couriers who may lie, cut, repeat
// and mix as they like. What they can do at worst is to bring nothing usable:
// no byte counts before the quorum of distinct keys that the next higher role
// names has signed it.
//
// go-tuf is the engine of the state machine (TUF 1.0.31, 5.3 to 5.6). This
// package stands before it and behind it: before, a strict parser refuses what
// would confuse or crash the engine (nulls, duplicate and look-alike fields,
// one key under two ids, quorum 0); behind, signatures are counted a second
// time by our own code over the canonical bytes, and both must agree.
package trust

import (
	"crypto"
	"time"
)

// Names of the top-level roles (TUF 2.1).
const (
	Root      = "root"
	Timestamp = "timestamp"
	Snapshot  = "snapshot"
	Targets   = "targets"
)

// Key is one authorised key of a role and the person who holds it.
type Key struct {
	ID           string           // key id as the metadata names it
	Public       crypto.PublicKey // ed25519.PublicKey or *ecdsa.PublicKey (in Standard mode also *rsa.PublicKey)
	Raw          []byte           // PKIX DER: equal bytes, same key
	Holder       string           // x-countersign-holder, "" when absent
	Organisation string           // x-countersign-organisation
	Jurisdiction string           // x-countersign-jurisdiction, ISO 3166 alpha-2
}

// Role is one verified role.
type Role struct {
	Name       string
	Version    int64     // ≥ 1
	Expires    time.Time // UTC, whole seconds
	Made       time.Time // x-countersign-made; zero when absent
	Event      string    // x-countersign-event; "" when absent
	Quorum     int       // signatures needed, ≥ 1
	Authorised []Key     // in the order of the role that delegates
	Signers    []Key     // those of Authorised whose signature is valid, distinct by raw key
}

// Target is one file that a role vouches for.
type Target struct {
	Path   string
	Length int64
	SHA256 [32]byte
	Custom map[string]string // nil when absent
	Role   string            // the role that names it
	hashes map[string][]byte // by algorithm
}

// Metadata is a bundle of signed files nobody has judged yet.
type Metadata struct {
	Roots     [][]byte // N+1, N+2, … after the anchor; may be empty
	Timestamp []byte
	Snapshot  []byte
	Targets   []byte
	Delegated map[string][]byte // by role name
}
