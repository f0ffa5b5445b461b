package genuine

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Subject is the file in question, by its bytes, and what it is said to be. Program, OS and Arch may
// all be empty when only the bytes are known; then any artifact of the release with these bytes will do.
type Subject struct {
	Channel string `json:"channel"`
	Program string `json:"program,omitempty"`
	OS      string `json:"os,omitempty"`
	Arch    string `json:"arch,omitempty"`
	Length  int64  `json:"length"`
	SHA256  Digest `json:"sha256"`
}

func (s Subject) describe(version string) string {
	name := s.Program
	if name == "" {
		name = "file"
	}
	parts := []string{name}
	if version != "" {
		parts = append(parts, version)
	}
	if s.OS != "" {
		parts = append(parts, "for "+s.OS+"/"+s.Arch)
	}
	return strings.Join(append(parts, "from "+s.Channel), " ")
}

// believed is what has been verified on the way to a verdict.
type believed struct {
	set     *trust.Set
	role    trust.Role // of the channel
	policy  Policy
	rule    Rule
	release Manifest
	sum     Digest // of release.json
	said    []said // what people state about the release
}

// Judge answers whether the subject is genuine for a device that began with this anchor and remembers
// seen, at time now. The steps are the reasons of the claim, in their order.
func Judge(a anchor.Anchor, ev Evidence, s Subject, seen Seen, now time.Time) Verdict {
	v := Verdict{Subject: s, At: now.UTC(), Reasons: []Reason{
		{Number: 1, Name: ReasonQuorum}, {Number: 2, Name: ReasonSpread},
		{Number: 3, Name: ReasonFresh}, {Number: 4, Name: ReasonRebuilt},
		{Number: 5, Name: ReasonReviewed}, {Number: 6, Name: ReasonLogged}, {Number: 7, Name: ReasonNotWithdrawn},
	}}
	b, err := believe(a, ev, s)
	if err != nil {
		r := &v.Reasons[0]
		r.State, r.Text, r.People = Failed, err.Error(), signersOf(err)
		for i := range v.Reasons[1:] {
			v.Reasons[1+i].Text = "not judged, since " + ReasonQuorum + " failed"
		}
		v.Outcome = Refused
		return v
	}
	v.Version, v.Commit, v.Notes = b.release.Version, b.release.Source.Commit, b.release.Notes
	b.quorum(&v.Reasons[0])
	b.spread(&v.Reasons[1])
	b.fresh(&v.Reasons[2], ev, seen, now)
	b.rebuilt(&v.Reasons[3])
	b.reviewed(&v.Reasons[4])
	v.Log = b.logged(&v.Reasons[5], a, ev, seen)
	b.notWithdrawn(&v.Reasons[6], ev)
	v.Outcome = outcome(v.Reasons)
	return v
}

// outcome joins the reasons: one failure refuses, and otherwise one open question leaves it open.
func outcome(reasons []Reason) Outcome {
	result := Genuine
	for _, r := range reasons {
		switch r.State {
		case Failed:
			return Refused
		case Open, NotJudged:
			result = Unknown
		}
	}
	return result
}

// believe verifies the metadata from the anchor's root on (TUF 5.3 to 5.6), then the policy and the
// manifest as its targets, and that the manifest and the metadata both name the subject's bytes. Expiry
// is not looked at here: it is reason 3.
func believe(a anchor.Anchor, ev Evidence, s Subject) (believed, error) {
	var b believed
	var err error
	if b.set, err = trust.Verify(a.Root, ev.Metadata, time.Time{}); err != nil {
		return b, err
	}
	var ok bool
	if b.role, ok = b.set.Role(s.Channel); !ok {
		return b, fmt.Errorf("there is no channel %q in this evidence", s.Channel)
	}
	if err := b.isTarget("policy.json", "targets", ev.Policy); err != nil {
		return b, err
	}
	if b.policy, err = ParsePolicy(ev.Policy); err != nil {
		return b, err
	}
	if b.rule, err = ruleFor(a, b.policy, s.Channel); err != nil {
		return b, err
	}
	if b.release, err = ParseManifest(ev.Release); err != nil {
		return b, err
	}
	if b.release.Channel != s.Channel {
		return b, fmt.Errorf("the release is of channel %q, not %q", b.release.Channel, s.Channel)
	}
	if err := b.isTarget(ManifestPath(s.Channel, b.release.Version), s.Channel, ev.Release); err != nil {
		return b, err
	}
	b.sum = sha256.Sum256(ev.Release)
	b.said = b.open(ev.Statements)
	return b, b.namesSubject(s)
}

// ruleFor joins the signed policy with the floor compiled into this program.
func ruleFor(a anchor.Anchor, signed Policy, channel string) (Rule, error) {
	rule, ok := signed.Rule(channel)
	if !ok {
		return Rule{}, fmt.Errorf("the policy says nothing about channel %q", channel)
	}
	floor, err := ParsePolicy(a.Policy)
	if err != nil {
		return Rule{}, fmt.Errorf("the policy built into this program: %w", err)
	}
	least, _ := floor.Rule(channel) // a channel that is new since this program was built has no floor
	return Stricter(rule, least), nil
}

// isTarget checks that a role names exactly these bytes under that path.
func (b believed) isTarget(path, role string, content []byte) error {
	t, err := b.set.Target(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if t.Role != role {
		return fmt.Errorf("%s is named by role %s, not by %s", path, t.Role, role)
	}
	if sum := sha256.Sum256(content); t.Length != int64(len(content)) || t.SHA256 != sum {
		return fmt.Errorf("%s has sha256 %s; the signed metadata names %s", path, Digest(sum), Digest(t.SHA256))
	}
	return nil
}

// namesSubject finds the subject in the manifest, by what it is said to be or else by its bytes, and
// checks that the channel's metadata names the same bytes for it. Both are signed by the same quorum;
// asking both means that a renamed file (other os, arch, program, channel or version) fits neither.
func (b believed) namesSubject(s Subject) error {
	art, err := b.artifact(s)
	if err != nil {
		return err
	}
	path := b.release.TargetPath(art)
	t, err := b.set.Target(path)
	if err != nil {
		return fmt.Errorf("%s is in the manifest but not in the signed metadata: %w", path, err)
	}
	if t.Role != s.Channel || t.Length != art.Length || t.SHA256 != art.SHA256 {
		return fmt.Errorf("%s: manifest and signed metadata name different bytes", path)
	}
	want := map[string]string{"channel": s.Channel, "version": b.release.Version, "program": art.Program, "os": art.OS, "arch": art.Arch}
	for key, value := range want {
		if got, ok := t.Custom[key]; ok && got != value {
			return fmt.Errorf("%s: the signed metadata says %s %q, the manifest %q", path, key, got, value)
		}
	}
	return nil
}

func (b believed) artifact(s Subject) (Artifact, error) {
	if s.Program != "" {
		art, ok := b.release.Find(s.Program, s.OS, s.Arch)
		if !ok {
			return art, fmt.Errorf("%s %s has no %s for %s/%s", s.Channel, b.release.Version, s.Program, s.OS, s.Arch)
		}
		if art.SHA256 != s.SHA256 || art.Length != s.Length {
			return art, fmt.Errorf("the file has sha256 %s; the auditors signed %s for %s %s on %s/%s",
				s.SHA256, art.SHA256, s.Program, b.release.Version, s.OS, s.Arch)
		}
		return art, nil
	}
	for _, art := range b.release.Artifacts {
		if art.SHA256 == s.SHA256 && art.Length == s.Length {
			return art, nil
		}
	}
	return Artifact{}, fmt.Errorf("no artifact of %s %s has sha256 %s", s.Channel, b.release.Version, s.SHA256)
}

// signersOf tells who did sign when too few did.
func signersOf(err error) []Person {
	var q *trust.QuorumError
	if !errors.As(err, &q) {
		return nil
	}
	return people(q.Signers)
}

// people turns key holders into persons, without repeating any, sorted by name.
func people(keys []trust.Key) []Person {
	var list []Person
	for _, k := range keys {
		list = append(list, Person{k.Holder, k.Organisation, k.Jurisdiction})
	}
	return distinct(list)
}
