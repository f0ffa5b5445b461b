package update

import (
	"crypto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/countersign-project/countersign/attest/bundle"
	"github.com/countersign-project/countersign/attest/proof"
	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
)

// Picture is what About says, arranged by people: who did what for the running bytes, how many of them it takes, and the same for each version
// that lies here. It decides nothing: who counts for what is as the verdict says, and times are added where the evidence has them.
type Picture struct {
	About
	Made   time.Time    `json:"made,omitzero"` // when the release says it was made
	Source string       `json:"source,omitempty"`
	Need   genuine.Rule `json:"need"`   // of the channel; the zero Rule without a distribution
	Counts Counts       `json:"counts"` // what there is of it
	People []Vouch      `json:"people"` // everybody the policy names, sorted by name; then others who vouched
	Past   []Past       `json:"versions"`
	// Channels are those of the distribution, for who may choose; whoever paints fills them in.
	Channels []string `json:"channels,omitempty"`
	Return   string   `json:"return,omitempty"` // the version before this one that can be gone back to
	Check    []string `json:"checkItYourself"`
}

// Counts are numbers of distinct people, but for the last two.
type Counts struct {
	Signed        int `json:"signed"`
	Rebuilt       int `json:"rebuilt"`
	Reviewed      int `json:"reviewed"`
	Witnessed     int `json:"witnessed"`
	Withdrew      int `json:"withdrew"`
	Jurisdictions int `json:"jurisdictions"`
	Organisations int `json:"organisations"`
}

// Vouch is one person, and what he stands for. A time is zero where none is known: a signature has none.
type Vouch struct {
	genuine.Person
	Auditor     bool      `json:"auditor"` // may sign
	Signed      bool      `json:"signed"`
	Rebuilt     bool      `json:"rebuilt"`
	RebuiltAt   time.Time `json:"rebuiltAt,omitzero"`
	OtherBytes  bool      `json:"otherBytes"` // rebuilt, and got others
	Reviewed    bool      `json:"reviewed"`
	ReviewedAt  time.Time `json:"reviewedAt,omitzero"`
	FoundFault  bool      `json:"foundFault"`
	Witnessed   bool      `json:"witnessed"`
	WitnessedAt time.Time `json:"witnessedAt,omitzero"`
	Withdrew    bool      `json:"withdrew"`
	WithdrewAt  time.Time `json:"withdrewAt,omitzero"`
}

// Past is a version that lies here.
type Past struct {
	Version string           `json:"version"`
	Channel string           `json:"channel,omitempty"`
	SHA256  genuine.Digest   `json:"sha256"`
	Running bool             `json:"running"`
	Pinned  bool             `json:"pinned"`
	Held    *home.Hold       `json:"held,omitempty"` // not installed by itself, and why
	Below   bool             `json:"below"`
	Outcome genuine.Outcome  `json:"outcome"`
	Why     string           `json:"why,omitempty"` // of an outcome that is not genuine
	Notes   string           `json:"notes,omitempty"`
	Signed  []genuine.Person `json:"signed"`
	Rebuilt []genuine.Person `json:"rebuilt"`
	Read    []genuine.Person `json:"reviewed"`
}

// Paint makes the picture, offline. Like Describe it never fails.
func Paint(a anchor.Anchor, distribution error, h home.Home, r Running, now time.Time) Picture {
	p := Picture{About: Describe(a, distribution, h, r, now), People: []Vouch{}, Past: []Past{}, Check: checks(r, "")}
	if distribution != nil {
		return p
	}
	st, err := h.Load()
	if err != nil {
		return p // About says it
	}
	policy := knownPolicy(a, h)
	p.named(policy, st.Channel)
	ev, manifest, evidence := ownEvidence(h, r)
	if p.Verdict != nil {
		p.vouch(*p.Verdict)
		p.witnessed(policy, p.Verdict.Log)
	}
	if evidence == nil {
		p.Made, p.Source = manifest.Made, manifest.Source.Commit
		p.Check = checks(r, p.Source)
		p.times(policy, append(slices.Clone(ev.Statements), h.Memory().Withdrawals()...))
	}
	p.history(a, h, st, r, now)
	return p
}

// named writes down whom the policy names, and what it wants of a channel's releases.
func (p *Picture) named(policy genuine.Policy, channel string) {
	p.Need, _ = policy.Rule(channel)
	for _, m := range policy.People {
		p.People = append(p.People, Vouch{Person: m.Person, Auditor: len(m.Auditor) > 0})
	}
}

// knownPolicy is the newest policy this device has, or the floor built into the program. It is used for names and numbers that are shown; the verdict
// judges by its own.
func knownPolicy(a anchor.Anchor, h home.Home) genuine.Policy {
	if b, err := os.ReadFile(h.Policy()); err == nil {
		if p, err := genuine.ParsePolicy(b); err == nil {
			return p
		}
	}
	p, _ := genuine.ParsePolicy(a.Policy) // a program without one has no distribution
	return p
}

// person finds somebody's place in the picture, and makes one for who is not in the policy any more.
func (p *Picture) person(who genuine.Person) *Vouch {
	i := slices.IndexFunc(p.People, func(v Vouch) bool { return v.Person == who })
	if i < 0 {
		i = len(p.People)
		p.People = append(p.People, Vouch{Person: who})
	}
	return &p.People[i]
}

// vouch writes down what the verdict says of people.
func (p *Picture) vouch(v genuine.Verdict) {
	jurisdictions, organisations := map[string]bool{}, map[string]bool{}
	for _, who := range v.Reason(genuine.ReasonQuorum).People {
		p.person(who).Signed = true
		p.Counts.Signed++
		jurisdictions[who.Jurisdiction], organisations[who.Organisation] = true, true
	}
	p.Counts.Jurisdictions, p.Counts.Organisations = len(jurisdictions), len(organisations)
	rebuilt, reviewed, withdrawn := v.Reason(genuine.ReasonRebuilt), v.Reason(genuine.ReasonReviewed), v.Reason(genuine.ReasonNotWithdrawn)
	for _, who := range rebuilt.People {
		p.person(who).Rebuilt = true
	}
	for _, who := range rebuilt.Against {
		p.person(who).OtherBytes = true
	}
	for _, who := range reviewed.People {
		p.person(who).Reviewed = true
	}
	for _, who := range reviewed.Against {
		p.person(who).FoundFault = true
	}
	for _, who := range withdrawn.Against {
		p.person(who).Withdrew = true
	}
	for _, who := range v.Reason(genuine.ReasonLogged).People {
		p.person(who).Witnessed = true
		p.Counts.Witnessed++
	}
	p.Counts.Rebuilt, p.Counts.Reviewed, p.Counts.Withdrew = len(rebuilt.People), len(reviewed.People), len(withdrawn.Against)
}

// witnessed adds when each witness saw the log.
func (p *Picture) witnessed(policy genuine.Policy, log *genuine.Logged) {
	if log == nil {
		return
	}
	for _, c := range log.Head.Witnesses {
		k, err := proof.ParseKey(c.Key)
		if err != nil {
			continue
		}
		for _, m := range policy.People {
			for _, vkey := range m.Witness {
				own, err := proof.ParseKey(vkey)
				if v := p.person(m.Person); err == nil && own.Same(k) && v.Witnessed {
					v.WitnessedAt = c.Time
				}
			}
		}
	}
}

// times adds when the people whose word counts gave it.
func (p *Picture) times(policy genuine.Policy, bundles [][]byte) {
	holders := policy.StatementKeys()
	var keys []crypto.PublicKey
	for _, k := range holders {
		keys = append(keys, k.Public)
	}
	for _, raw := range bundles[:min(len(bundles), genuine.MaxStatements)] {
		payload, by, err := bundle.Open(raw, keys)
		if err != nil {
			continue
		}
		i := slices.IndexFunc(holders, func(k genuine.StatementKey) bool {
			same, ok := k.Public.(interface{ Equal(crypto.PublicKey) bool })
			return ok && same.Equal(by)
		})
		what, err := statement.Parse(payload)
		if i < 0 || err != nil {
			continue
		}
		v := p.person(holders[i].Person)
		switch s := what.(type) {
		case *statement.Rebuild:
			if (v.Rebuilt || v.OtherBytes) && s.Finished.After(v.RebuiltAt) {
				v.RebuiltAt = s.Finished
			}
		case *statement.Review:
			if (v.Reviewed || v.FoundFault) && s.Finished.After(v.ReviewedAt) {
				v.ReviewedAt = s.Finished
			}
		case *statement.Withdrawal:
			if v.Withdrew && s.Version == p.Version && s.At.After(v.WithdrewAt) {
				v.WithdrewAt = s.At
			}
		}
	}
}

// history judges each version that lies here, the newest first.
func (p *Picture) history(a anchor.Anchor, h home.Home, st home.State, r Running, now time.Time) {
	var list []candidate
	for v, f := range st.Versions {
		list = append(list, candidate{f.Channel, v})
	}
	if _, installed := st.Versions[r.Base]; !installed && r.Base != "" {
		list = append(list, candidate{version: r.Base})
	}
	sortNewest(list)
	for _, c := range list {
		q := r
		q.Version, q.Installed, q.Path = c.version, c.version, h.Executable(c.version)
		if c.channel == "" {
			q.Installed, q.Path = "", r.BasePath
		}
		one := Past{Version: c.version, Channel: c.channel, Running: c.version == r.Version, Pinned: st.Pinned == c.version, Below: st.Below(c.version),
			Signed: []genuine.Person{}, Rebuilt: []genuine.Person{}, Read: []genuine.Person{}}
		if held, ok := st.Held[c.version]; ok {
			one.Held = &held
		}
		if self, err := q.Self(h.Program, c.channel); err == nil {
			one.SHA256 = self.SHA256
		}
		v, err := Self(a, h, q, now)
		if err != nil {
			one.Why = err.Error()
		} else {
			one.Outcome, one.Notes = v.Outcome, v.Notes
			one.Signed, one.Rebuilt, one.Read = shown(v, genuine.ReasonQuorum), shown(v, genuine.ReasonRebuilt), shown(v, genuine.ReasonReviewed)
			if first, bad := v.First(); bad {
				one.Why = first.Text
			}
		}
		if p.Return == "" && older(list, c.version, r.Version) && one.Held == nil && !one.Below && one.Outcome != genuine.Refused {
			p.Return = c.version
		}
		p.Past = append(p.Past, one)
	}
}

func shown(v genuine.Verdict, reason string) []genuine.Person {
	return append([]genuine.Person{}, v.Reason(reason).People...)
}

// older tells whether a version comes after another in a list of the newest first.
func older(list []candidate, version, than string) bool {
	at := func(v string) int { return slices.IndexFunc(list, func(c candidate) bool { return c.version == v }) }
	return at(than) >= 0 && at(version) > at(than)
}

// checks are three commands by which a person finds out the same without believing the picture: the hash, with a tool that is not ours; the verdict, with
// another program of the distribution; and the bytes, from the source.
func checks(r Running, commit string) []string {
	rev := commit
	if rev == "" {
		rev = "COMMIT"
	}
	path := quoted(r.Path)
	hash := "sha256sum " + path
	switch r.OS {
	case "darwin":
		hash = "shasum -a 256 " + path
	case "windows":
		hash = "certutil -hashfile " + path + " SHA256"
	}
	return []string{hash, "countersign verify --how " + path, "countersign build --rev " + rev + " --platform " + r.OS + "/" + r.Arch + " --out out"}
}

// quoted makes a path one word for a shell.
func quoted(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !strings.ContainsRune("/\\:._-+~", r) && !isPlain(r) }) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}
