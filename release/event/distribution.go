package event

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/countersign-project/countersign/attest/signer"
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
type Distribution struct {
	Name      string
	Mirrors   []string
	Quorum    Quorums
	Expiry    Expiry
	Channels  []ChannelRule
	Publisher Publisher
	People    []Person
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
}

// Publisher holds the online keys.
type Publisher struct {
	repo.Person
	Snapshot, Timestamp crypto.PublicKey
}

// Person is one human with up to three keys; nil where there is none.
type Person struct {
	repo.Person
	Auditor, Statement, Root crypto.PublicKey
}

// distributionFile is the TOML as written.
type distributionFile struct {
	Name    string   `toml:"name"`
	Mirrors []string `toml:"mirrors"`
	Quorum  *struct {
		Root    int `toml:"root"`
		Targets int `toml:"targets"`
	} `toml:"quorum"`
	Expiry struct {
		Root      *int `toml:"root_days"`
		Targets   *int `toml:"targets_days"`
		Channel   *int `toml:"channel_days"`
		Snapshot  *int `toml:"snapshot_days"`
		Timestamp *int `toml:"timestamp_hours"`
	} `toml:"expiry"`
	Channel []struct {
		Name          string `toml:"name"`
		Quorum        int    `toml:"quorum"`
		Jurisdictions int    `toml:"jurisdictions"`
		Organisations int    `toml:"organisations"`
		Rebuilds      int    `toml:"rebuilds"`
	} `toml:"channel"`
	Publisher *struct {
		Name         string `toml:"name"`
		Organisation string `toml:"organisation"`
		Jurisdiction string `toml:"jurisdiction"`
		Snapshot     string `toml:"snapshot"`
		Timestamp    string `toml:"timestamp"`
	} `toml:"publisher"`
	Person []struct {
		Name         string `toml:"name"`
		Organisation string `toml:"organisation"`
		Jurisdiction string `toml:"jurisdiction"`
		Auditor      string `toml:"auditor"`
		Statement    string `toml:"statement"`
		Root         string `toml:"root"`
	} `toml:"person"`
}

// ParseDistribution reads a distribution file and checks every rule. Each error names the place, what
// stood there and what is wanted.
func ParseDistribution(b []byte) (Distribution, error) {
	d, err := parseDistribution(b)
	if err != nil {
		return Distribution{}, fmt.Errorf("distribution file: %w", err)
	}
	return d, nil
}

func parseDistribution(b []byte) (Distribution, error) {
	if len(b) > MaxDistribution {
		return Distribution{}, fmt.Errorf("%d bytes, at most %d allowed", len(b), MaxDistribution)
	}
	var f distributionFile
	md, err := toml.Decode(string(b), &f)
	var pe toml.ParseError
	if errors.As(err, &pe) {
		return Distribution{}, fmt.Errorf("line %d: %s", pe.Position.Line, strings.TrimPrefix(pe.Message, "toml: "))
	}
	if err != nil {
		return Distribution{}, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	at := places{strings.Split(string(b), "\n")}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return Distribution{}, at.unknown(unknown[0].String())
	}
	d, err := f.convert(at)
	if err != nil {
		return Distribution{}, err
	}
	return d, d.check(at)
}

// convert reads the keys and fills in the defaults.
func (f distributionFile) convert(at places) (Distribution, error) {
	d := Distribution{Name: f.Name, Mirrors: f.Mirrors, Expiry: DefaultExpiry()}
	if f.Quorum == nil {
		return d, errors.New("table [quorum] is missing, want root and targets")
	}
	if f.Publisher == nil {
		return d, errors.New("table [publisher] is missing, want name, organisation, jurisdiction, snapshot and timestamp")
	}
	d.Quorum = Quorums{f.Quorum.Root, f.Quorum.Targets}
	for _, e := range []struct{ from, to *int }{
		{f.Expiry.Root, &d.Expiry.RootDays}, {f.Expiry.Targets, &d.Expiry.TargetsDays}, {f.Expiry.Channel, &d.Expiry.ChannelDays},
		{f.Expiry.Snapshot, &d.Expiry.SnapshotDays}, {f.Expiry.Timestamp, &d.Expiry.TimestampHours},
	} {
		if e.from != nil {
			*e.to = *e.from
		}
	}
	for _, c := range f.Channel {
		d.Channels = append(d.Channels, ChannelRule{c.Name, c.Quorum, c.Jurisdictions, c.Organisations, c.Rebuilds})
	}
	sort.SliceStable(d.Channels, func(i, j int) bool { return d.Channels[i].Name < d.Channels[j].Name })
	p := f.Publisher
	d.Publisher.Person = repo.Person{Name: p.Name, Organisation: p.Organisation, Jurisdiction: p.Jurisdiction}
	err := readKeys(at.table("[publisher]", 0), keyLine{"snapshot", p.Snapshot, &d.Publisher.Snapshot}, keyLine{"timestamp", p.Timestamp, &d.Publisher.Timestamp})
	if err != nil {
		return d, err
	}
	for i, p := range f.Person {
		who := Person{Person: repo.Person{Name: p.Name, Organisation: p.Organisation, Jurisdiction: p.Jurisdiction}}
		place := at.person(i, p.Name)
		if err := readKeys(place, keyLine{"auditor", p.Auditor, &who.Auditor}, keyLine{"statement", p.Statement, &who.Statement}, keyLine{"root", p.Root, &who.Root}); err != nil {
			return d, err
		}
		d.People = append(d.People, who)
	}
	return d, nil
}

type keyLine struct {
	name, line string
	to         *crypto.PublicKey
}

func readKeys(place string, lines ...keyLine) error {
	for _, k := range lines {
		if k.line == "" {
			continue
		}
		pub, err := signer.ParsePublic(k.line)
		if err != nil {
			return fmt.Errorf("%s: %s = %q: %v", place, k.name, clip(k.line), err)
		}
		*k.to = pub
	}
	return nil
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
		p.Channels = append(p.Channels, genuine.Rule{Channel: c.Name, Quorum: c.Quorum, Jurisdictions: c.Jurisdictions, Organisations: c.Organisations, Rebuilds: c.Rebuilds})
	}
	for _, who := range d.People {
		if who.Auditor == nil && who.Statement == nil {
			continue
		}
		p.People = append(p.People, genuine.Member{
			Person:  genuine.Person{Name: who.Name, Organisation: who.Organisation, Jurisdiction: who.Jurisdiction},
			Auditor: pkix(who.Auditor), Statement: pkix(who.Statement),
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
