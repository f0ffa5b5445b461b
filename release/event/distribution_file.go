package event

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/countersign-project/countersign/attest/signer"
	"github.com/countersign-project/countersign/tuf/repo"
)

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
		Name          string   `toml:"name"`
		Quorum        int      `toml:"quorum"`
		Jurisdictions int      `toml:"jurisdictions"`
		Organisations int      `toml:"organisations"`
		Rebuilds      int      `toml:"rebuilds"`
		Reviews       int      `toml:"reviews"`
		Criteria      []string `toml:"criteria"`
		Logged        bool     `toml:"logged"`
		Withdrawals   int      `toml:"withdrawals"`
	} `toml:"channel"`
	Log *struct {
		Key    string `toml:"key"`
		URL    string `toml:"url"`
		Quorum int    `toml:"quorum"`
		Policy string `toml:"policy"`
	} `toml:"log"`
	Publisher *struct {
		Name         string `toml:"name"`
		Organisation string `toml:"organisation"`
		Jurisdiction string `toml:"jurisdiction"`
		Snapshot     string `toml:"snapshot"`
		Timestamp    string `toml:"timestamp"`
	} `toml:"publisher"`
	Person []struct {
		Name         string   `toml:"name"`
		Organisation string   `toml:"organisation"`
		Jurisdiction string   `toml:"jurisdiction"`
		Auditor      string   `toml:"auditor"`
		Statement    string   `toml:"statement"`
		Root         string   `toml:"root"`
		Witness      []string `toml:"witness"`
		WitnessURL   string   `toml:"witness_url"`
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
		d.Channels = append(d.Channels, ChannelRule{c.Name, c.Quorum, c.Jurisdictions, c.Organisations, c.Rebuilds,
			c.Reviews, slices.Sorted(slices.Values(c.Criteria)), c.Logged, c.Withdrawals})
	}
	if l := f.Log; l != nil {
		d.Log = &Log{l.Key, l.URL, l.Quorum, l.Policy}
	}
	sort.SliceStable(d.Channels, func(i, j int) bool { return d.Channels[i].Name < d.Channels[j].Name })
	p := f.Publisher
	d.Publisher.Person = repo.Person{Name: p.Name, Organisation: p.Organisation, Jurisdiction: p.Jurisdiction}
	err := readKeys(at.table("[publisher]", 0), keyLine{"snapshot", p.Snapshot, &d.Publisher.Snapshot}, keyLine{"timestamp", p.Timestamp, &d.Publisher.Timestamp})
	if err != nil {
		return d, err
	}
	for i, p := range f.Person {
		who := Person{Person: repo.Person{Name: p.Name, Organisation: p.Organisation, Jurisdiction: p.Jurisdiction}, Witness: p.Witness, WitnessURL: p.WitnessURL}
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
