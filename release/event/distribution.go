package event

import (
	"crypto"
	"crypto/x509"

	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/tuf/repo"
)

// MaxDistribution is the largest distribution file that is read, in bytes.
const MaxDistribution = 256 << 10

// Distribution is a distribution file, checked: who the people are, which keys they hold, and how many
// of them it takes. The file is TOML:
//
//	name    = "Countersign Messenger"
//	mirrors = ["https://updates.example.org/countersign"]
//
//	[quorum]
//	root    = 3                     # of the root holders; at least a majority
//	targets = 3                     # of the auditors: policy, mirrors, channels
//
//	[expiry]                        # all optional, these are the defaults
//	root_days = 365
//	targets_days = 180
//	channel_days = 90
//	snapshot_days = 7
//	timestamp_hours = 24
//
//	[[channel]]
//	name = "stable"
//	quorum = 3                      # auditors who must sign
//	jurisdictions = 3               # countries among them, at least
//	organisations = 3               # organisations among them, at least
//	rebuilds = 3                    # people who must state that they rebuilt the same bytes
//	reviews = 2                     # people who must have read each change of the source
//	criteria = ["no-backdoor"]      # what such a review must state
//	logged = true                   # the release must be in the public log, under a witnessed head
//	withdrawals = 2                 # so many people's withdrawals stop a release
//
//	[log]                           # the public log; see attest/proof for log.policy, which comes of this
//	key = "log.example.org+1a2b3c4d+AAAA…"
//	url = "https://updates.example.org/countersign/log"
//	quorum = 3                      # countries whose witnesses, most of each, must have cosigned: more than half
//	# policy = """…"""              # instead of quorum: log.policy written out
//
//	[publisher]                     # the online keys: may delay, cannot ship a byte
//	name = "Ada"
//	organisation = "Countersign"
//	jurisdiction = "PT"
//	snapshot = "ssh-ed25519 AAAA…"
//	timestamp = "ssh-ed25519 AAAA…"
//
//	[[person]]                      # each key optional, at least one
//	name = "Ben"
//	organisation = "Beta Collective"
//	jurisdiction = "DE"             # ISO 3166, two letters
//	auditor = "ssh-ed25519 AAAA…"
//	statement = "ecdsa-sha2-nistp256 AAAA…"
//	root = "ssh-ed25519 AAAA…"
//	witness = ["ben.example+5e6f7a8b+AAAA…"]  # at most one Ed25519 and one ML-DSA-44 key
//	witness_url = "https://witness.example.net/"
type Distribution struct {
	Name      string
	Mirrors   []string
	Quorum    Quorums
	Expiry    Expiry
	Channels  []ChannelRule
	Publisher Publisher
	People    []Person
	Log       *Log // nil: there is none
}

// Quorums are the numbers of the two top-level roles that people sign.
type Quorums struct{ Root, Targets int }

// Expiry says how long each role lives.
type Expiry struct {
	RootDays, TargetsDays, ChannelDays, SnapshotDays, TimestampHours int
}

// DefaultExpiry is design section 3.
func DefaultExpiry() Expiry { return Expiry{365, 180, 90, 7, 24} }

// ChannelRule is what a channel asks of a release.
type ChannelRule struct {
	Name                                           string
	Quorum, Jurisdictions, Organisations, Rebuilds int
	Reviews                                        int
	Criteria                                       []string // sorted
	Logged                                         bool
	Withdrawals                                    int
}

// Log is the public log: who signs its heads and where it is. Either Quorum or Policy is set.
type Log struct {
	Key    string // note verifier key
	URL    string // where its tiles are, or ""
	Quorum int    // countries whose witnesses must have cosigned: more than half of those that have one
	Policy string // log.policy written out, or ""
}

// Publisher holds the online keys.
type Publisher struct {
	repo.Person
	Snapshot, Timestamp crypto.PublicKey
}

// Person is one human with up to three keys, nil where there is none, and up to two witness keys.
type Person struct {
	repo.Person
	Auditor, Statement, Root crypto.PublicKey
	Witness                  []string // note verifier keys
	WitnessURL               string   // where their witness answers, or ""
}

// Layout returns the roles and keys as tuf/repo wants them.
func (d Distribution) Layout() (repo.Layout, error) {
	var root, auditors []repo.Holder
	for _, p := range d.People {
		if p.Root != nil {
			root = append(root, repo.Holder{Person: p.Person, Public: p.Root})
		}
		if p.Auditor != nil {
			auditors = append(auditors, repo.Holder{Person: p.Person, Public: p.Auditor})
		}
	}
	online := func(k crypto.PublicKey) repo.RoleKeys {
		return repo.RoleKeys{Holders: []repo.Holder{{Person: d.Publisher.Person, Public: k}}, Quorum: 1}
	}
	l := repo.Layout{
		Root:      repo.RoleKeys{Holders: root, Quorum: d.Quorum.Root},
		Targets:   repo.RoleKeys{Holders: auditors, Quorum: d.Quorum.Targets},
		Snapshot:  online(d.Publisher.Snapshot),
		Timestamp: online(d.Publisher.Timestamp),
	}
	for _, c := range d.Channels {
		l.Channels = append(l.Channels, repo.Channel{Name: c.Name, RoleKeys: repo.RoleKeys{Holders: auditors, Quorum: c.Quorum}})
	}
	return l, l.Check()
}

// Policy returns what policy.json says for this distribution.
func (d Distribution) Policy() genuine.Policy {
	var p genuine.Policy
	for _, c := range d.Channels {
		p.Channels = append(p.Channels, genuine.Rule{Channel: c.Name, Quorum: c.Quorum, Jurisdictions: c.Jurisdictions, Organisations: c.Organisations, Rebuilds: c.Rebuilds,
			Reviews: c.Reviews, Criteria: c.Criteria, Logged: c.Logged, Withdrawals: c.Withdrawals})
	}
	for _, who := range d.People {
		if who.Auditor == nil && who.Statement == nil && len(who.Witness) == 0 {
			continue
		}
		p.People = append(p.People, genuine.Member{
			Person:  genuine.Person{Name: who.Name, Organisation: who.Organisation, Jurisdiction: who.Jurisdiction},
			Auditor: pkix(who.Auditor), Statement: pkix(who.Statement), Witness: who.Witness,
		})
	}
	return p
}

func (d Distribution) hasChannel(name string) bool {
	for _, c := range d.Channels {
		if c.Name == name {
			return true
		}
	}
	return false
}

// pkix is the one spelling by which keys are compared; nil for no key.
func pkix(pub crypto.PublicKey) []byte {
	if pub == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		panic("internal error: a parsed public key that cannot be encoded")
	}
	return der
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:57] + "…"
	}
	return s
}
