// Package repotest builds small signed repositories in memory, for tests of those who read, mirror,
// judge and install them. Everything is derived from names and from World.Now, so that a test's bytes
// are the same on every machine and day; it is for tests only, its private keys are public knowledge.
//
// A world has auditors (each with a TUF key, a statement key and a root key), a publisher with the two
// online keys, the channels stable and beta, and the targets policy.json and mirrors.json. It obeys
// whoever calls it: Release with too few signers publishes a release with too few signatures.
package repotest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/countersign-project/countersign/tuf/repo"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Member is an auditor.
type Member struct {
	repo.Person
	Auditor   crypto.Signer // signs targets and channels; Ed25519 for even, P-256 for odd members
	Statement crypto.Signer // signs statements; P-256
	Root      crypto.Signer // signs root; Ed25519
	Witness   []string      // verifier keys that policy.json gives them; none unless a test or Config.Member sets them
}

// Rule is what policy.json asks of one channel.
type Rule struct {
	Channel       string   `json:"channel"`
	Quorum        int      `json:"quorum"`
	Jurisdictions int      `json:"jurisdictions"`
	Organisations int      `json:"organisations"`
	Rebuilds      int      `json:"rebuilds"`
	Reviews       int      `json:"reviews"`
	Criteria      []string `json:"criteria"`
	Logged        bool     `json:"logged"`
	Withdrawals   int      `json:"withdrawals"`
}

// Config says what a world is like. The zero value of a field takes the default.
type Config struct {
	People     int                                    // default 5
	Quorum     int                                    // of targets and stable; default 3
	BetaQuorum int                                    // of beta; default 1
	RootQuorum int                                    // default a majority
	Now        time.Time                              // default 2026-11-21 12:00 UTC
	Rules      []Rule                                 // sorted by channel; default the quorums, and as many rebuilds
	Mirrors    []string                               // default one that does not exist
	Policy     func(w *World) []byte                  // bytes of policy.json; default from Rules and the people
	Place      func(i int) (org, jurisdiction string) // of member i; default all different (five of them)
	Member     func(i int, m *Member)                 // may change member i before anything is made; nil: nothing
}

// World is a repository and everyone who signs it.
type World struct {
	T         testing.TB
	Now       time.Time // when the next thing is made; tests move it
	People    []*Member
	Publisher repo.Person
	Snapshot  crypto.Signer
	Timestamp crypto.Signer
	Layout    repo.Layout
	Quorum    int
	Policy    []byte            // policy.json
	Mirrors   []byte            // mirrors.json
	Withdrawn repo.Listed       // the list of withdrawals; see Withdraw
	Proofs    map[string][]byte // proofs by evidence path, which the next SetEvidence writes

	current  map[string][]byte // role name → newest signed bytes
	readable map[string][]byte // the same, but the newest that tuf/repo can read
	roots    [][]byte          // version 1 …
	files    map[string][]byte // the repository as on a mirror
	made     map[string]Made   // releases by channel/version
}

// New makes a world with that many auditors, any quorum of whom release on stable.
func New(t testing.TB, people, quorum int) *World {
	t.Helper()
	return NewWith(t, Config{People: people, Quorum: quorum})
}

// NewWith makes a world and publishes its first version, signed by the first Quorum auditors.
func NewWith(t testing.TB, c Config) *World {
	t.Helper()
	c = c.withDefaults()
	w := &World{T: t, Now: c.Now, Quorum: c.Quorum, Publisher: repo.Person{Name: "Pia Publisher", Organisation: "Example Project", Jurisdiction: "CH"},
		Snapshot: ed25519Key("snapshot"), Timestamp: ed25519Key("timestamp"),
		current: map[string][]byte{}, readable: map[string][]byte{}, files: map[string][]byte{}, made: map[string]Made{}}
	for i := range c.People {
		w.People = append(w.People, member(i, c.Place))
		if c.Member != nil {
			c.Member(i, w.People[i])
		}
	}
	w.Layout = w.layout(c)
	w.Policy = c.Policy(w)
	w.Mirrors = mirrors(c.Mirrors)
	w.PublishRoot(w.Layout)
	w.PublishTargets()
	for _, ch := range w.Layout.Channels {
		b, err := repo.ChannelRole(nil, nil, w.stamp("channel", 1, "start "+ch.Name))
		w.check(err)
		w.put(ch.Name, w.Sign(b, w.auditors()...))
	}
	w.Refresh()
	return w
}

func (c Config) withDefaults() Config {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&c.People, 5)
	def(&c.Quorum, min(3, c.People))
	def(&c.BetaQuorum, 1)
	def(&c.RootQuorum, c.People/2+1)
	if c.Now.IsZero() {
		c.Now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	}
	if c.Rules == nil {
		c.Rules = []Rule{{Channel: "beta", Quorum: c.BetaQuorum, Rebuilds: c.BetaQuorum}, {Channel: "stable", Quorum: c.Quorum, Rebuilds: c.Quorum}}
	}
	if c.Mirrors == nil {
		c.Mirrors = []string{"https://mirror.example/"}
	}
	if c.Policy == nil {
		c.Policy = func(w *World) []byte { return policy(w, c.Rules) }
	}
	if c.Place == nil {
		c.Place = func(i int) (string, string) {
			return []string{"Tejo Labs", "Spree Verein", "Hudson Co-op", "Fuji Kenkyu", "Rio Aberto"}[i%5] + suffix(i/5), []string{"PT", "DE", "US", "JP", "BR"}[i%5]
		}
	}
	return c
}

// member makes auditor i. Names are distinct for 10 people, numbered beyond.
func member(i int, place func(int) (string, string)) *Member {
	names := []string{"Ana Sousa", "Bernd Kraus", "Carol Reed", "Daiki Mori", "Elena Prado", "Farid Nasser", "Greta Holm", "Hugo Blanc", "Ines Vidal", "Jan Novak"}
	org, jurisdiction := place(i)
	m := &Member{Person: repo.Person{Name: names[i%10] + suffix(i/10), Organisation: org, Jurisdiction: jurisdiction}}
	m.Root, m.Statement = ed25519Key("root "+m.Name), p256Key("statement "+m.Name)
	m.Auditor = ed25519Key("auditor " + m.Name)
	if i%2 == 1 {
		m.Auditor = p256Key("auditor " + m.Name)
	}
	return m
}

func suffix(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" %d", n+1)
}

func (w *World) layout(c Config) repo.Layout {
	var root, audit []repo.Holder
	for _, m := range w.People {
		root = append(root, repo.Holder{Person: m.Person, Public: m.Root.Public()})
		audit = append(audit, repo.Holder{Person: m.Person, Public: m.Auditor.Public()})
	}
	online := func(k crypto.Signer) repo.RoleKeys {
		return repo.RoleKeys{Holders: []repo.Holder{{Person: w.Publisher, Public: k.Public()}}, Quorum: 1}
	}
	return repo.Layout{
		Root: repo.RoleKeys{Holders: root, Quorum: c.RootQuorum}, Targets: repo.RoleKeys{Holders: audit, Quorum: c.Quorum},
		Snapshot: online(w.Snapshot), Timestamp: online(w.Timestamp),
		Channels: []repo.Channel{
			{Name: "beta", RoleKeys: repo.RoleKeys{Holders: audit, Quorum: c.BetaQuorum}},
			{Name: "stable", RoleKeys: repo.RoleKeys{Holders: audit, Quorum: c.Quorum}},
		},
	}
}

// Files returns the repository as a mirror holds it: path → content. The map is the caller's own.
func (w *World) Files() map[string][]byte { return maps.Clone(w.files) }

// Anchor returns the first root, which programs embed.
func (w *World) Anchor() []byte { return w.roots[0] }

// Role returns the newest signed bytes of a role: "root", "targets", "snapshot", "timestamp", "stable", "beta".
func (w *World) Role(name string) []byte { return w.current[name] }

// Metadata returns everything a verifier needs, newest versions.
func (w *World) Metadata() trust.Metadata {
	m := trust.Metadata{Roots: w.roots[1:], Timestamp: w.Role("timestamp"), Snapshot: w.Role("snapshot"), Targets: w.Role("targets"), Delegated: map[string][]byte{}}
	for _, ch := range w.Layout.Channels {
		m.Delegated[ch.Name] = w.Role(ch.Name)
	}
	return m
}

// ed25519Key and p256Key derive a key from its name.
func ed25519Key(name string) crypto.Signer {
	seed := sha256.Sum256([]byte("repotest ed25519 " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func p256Key(name string) crypto.Signer {
	seed := sha256.Sum256([]byte("repotest p256 " + name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		panic("internal error: " + err.Error()) // a seed beyond the group order: 1 in 2^32, and then always
	}
	return key
}

// EventID is the id of the event that a world makes a thing for, from its label ("stable 1.4.0").
func EventID(label string) string {
	sum := sha256.Sum256([]byte("repotest event " + label))
	return hex.EncodeToString(sum[:])
}

func (w *World) check(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}
