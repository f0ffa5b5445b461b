package update

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/genuine"
	"github.com/countersign-project/countersign/release/update/home"
)

// About is everything a program can say about itself without asking anybody.
type About struct {
	Program      string               `json:"program"`
	Version      string               `json:"version"`
	OS           string               `json:"os"`
	Arch         string               `json:"arch"`
	Path         string               `json:"path"`
	SHA256       genuine.Digest       `json:"sha256"`
	Outcome      genuine.Outcome      `json:"outcome"`
	Why          string               `json:"why,omitempty"` // when nothing could be judged
	Verdict      *genuine.Verdict     `json:"verdict,omitempty"`
	Distribution string               `json:"distribution,omitempty"`
	Channel      string               `json:"channel"`
	Automatic    bool                 `json:"automatic"`
	Checked      time.Time            `json:"checked,omitzero"`
	Freshness    Freshness            `json:"freshness"`
	Pinned       string               `json:"pinned,omitempty"`
	Next         string               `json:"next,omitempty"` // runs from the next start on
	Trial        bool                 `json:"trial"`          // this version has yet to show that it works
	Floor        string               `json:"floor,omitempty"`
	Below        bool                 `json:"below"` // this version is below the floor: nobody may use it any more
	Held         map[string]home.Hold `json:"held,omitempty"`
	Refused      *home.Refusal        `json:"refused,omitempty"`
	Notice       string               `json:"notice,omitempty"`
	NoticedAt    time.Time            `json:"noticedAt,omitzero"`
}

// Describe answers `about`, offline. It never fails: what cannot be told is said.
func Describe(a anchor.Anchor, distribution error, h home.Home, r Running, now time.Time) About {
	b := About{Program: h.Program, Version: r.Version, OS: r.OS, Arch: r.Arch, Path: r.Path, Distribution: a.Name}
	if self, err := r.Self(h.Program, ""); err == nil {
		b.SHA256 = self.SHA256
	}
	st, err := h.Load()
	if err != nil {
		b.Notice = err.Error()
	}
	b.fill(st, r)
	if distribution != nil {
		b.Why = distribution.Error()
		b.Freshness = Freshness{StageNever, distribution.Error()}
		return b
	}
	b.Freshness = Fresh(a, h, st.Channel, now)
	if v, err := Self(a, h, r, now); err == nil {
		b.Verdict, b.Outcome = &v, v.Outcome
	} else if st.Checked.IsZero() {
		b.Why = "never checked; run '" + h.Program + " update --check'"
	} else if r.Installed != "" {
		b.Why = fmt.Sprintf("what it was judged by is not there any more: %v; run '%s update --check'", err, h.Program)
	} else {
		b.Why = fmt.Sprintf("the distribution names no version %s: this file was built by somebody else, or is not released", r.Version)
	}
	return b
}

func (b *About) fill(st home.State, r Running) {
	b.Channel, b.Automatic, b.Checked, b.Pinned = st.Channel, !st.Manual, st.Checked, st.Pinned
	b.Floor, b.Held, b.Refused, b.Below = st.Floor, st.Held, st.Refused, st.Below(r.Version)
	b.Trial = st.Trial != nil && r.Installed != "" && st.Trial.Version == r.Installed
	if st.Notice != "" {
		b.Notice, b.NoticedAt = st.Notice, st.NoticedAt
	}
	if next := st.Choose(r.Base); next != r.Installed {
		if b.Next = next; next == "" {
			b.Next = r.Base
		}
	}
}

// Text is the answer for people.
func (b About) Text() string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, format+"\n", args...) }
	line("you are running %s %s (%s/%s, sha256 %s)", b.Program, b.Version, b.OS, b.Arch, b.SHA256)
	b.vouched(line)
	if b.Freshness.Stage != StageFresh && b.Freshness.Text != b.Why {
		line("%s: %s", b.Freshness.Stage, b.Freshness.Text)
	}
	if b.Distribution == "" && b.Verdict == nil {
		return out.String() // the rest is about updates, and they are off
	}
	switch {
	case b.Checked.IsZero():
		line("last checked: never")
	default:
		line("last checked: %s", minute(b.Checked))
	}
	line("automatic updates: %s, channel %s%s", onOff(b.Automatic), b.Channel, betaNote(b.Channel))
	b.decisions(line)
	return out.String()
}

// vouched says who stands behind the running bytes.
func (b About) vouched(line func(string, ...any)) {
	if b.Verdict == nil {
		line("%s: %s", b.Outcome, b.Why)
		return
	}
	quorum, rebuilt := b.Verdict.Reason(genuine.ReasonQuorum), b.Verdict.Reason(genuine.ReasonRebuilt)
	if b.Outcome == genuine.Genuine {
		line("genuine: countersigned by %s", people(quorum.People))
		if len(rebuilt.People) > 0 {
			line("rebuilt from source commit %.12s by %s", b.Verdict.Commit, people(rebuilt.People))
		}
		b.evidence(line)
		return
	}
	first, _ := b.Verdict.First()
	line("%s: %s (reason %d, %s)", b.Outcome, first.Text, first.Number, first.Name)
	if len(quorum.People) > 0 && first.Name != genuine.ReasonQuorum {
		line("countersigned by %s", people(quorum.People))
	}
}

// evidence says who read the source, who saw it in the log, and who has spoken against it.
func (b About) evidence(line func(string, ...any)) {
	if r := b.Verdict.Reason(genuine.ReasonReviewed); r.State == genuine.Held {
		line("reviewed by %s", people(r.People))
	}
	if r := b.Verdict.Reason(genuine.ReasonLogged); r.State == genuine.Held {
		line("logged: %s", r.Text)
	}
	if r := b.Verdict.Reason(genuine.ReasonNotWithdrawn); len(r.Against) > 0 {
		line("withdrawals: %s", r.Text)
	}
}

// decisions lists what a person or this device decided about versions.
func (b About) decisions(line func(string, ...any)) {
	if b.Next != "" {
		line("version %s runs from the next start on", b.Next)
	}
	if b.Trial {
		line("this version is new here and has yet to show that it works")
	}
	if b.Pinned != "" {
		line("pinned to %s: it stays until you say '%s update --unpin'", b.Pinned, b.Program)
	}
	switch {
	case b.Below:
		line("ALARM: this version is below the signed minimum %s; run '%s update'", b.Floor, b.Program)
	case b.Floor != "":
		line("signed minimum: %s", b.Floor)
	}
	for _, v := range sortedVersions(b.Held) {
		line("held: %s, %s", v, b.Held[v].Reason)
	}
	if b.Refused != nil {
		word := "could not tell"
		if b.Refused.Wrong {
			word = "refused"
		}
		what := "the repository"
		if b.Refused.Version != "" {
			what = "version " + b.Refused.Version
		}
		line("%s since %s: %s: %s", word, minute(b.Refused.Since), what, b.Refused.Reason)
	}
	if b.Notice != "" {
		line("%s: %s", minute(b.NoticedAt), b.Notice)
	}
}

func people(list []genuine.Person) string {
	var names []string
	for _, p := range list {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// betaNote says what another channel than stable means.
func betaNote(channel string) string {
	if channel == home.DefaultChannel {
		return ""
	}
	return " (not stable: fewer auditors vouch for it)"
}

func sortedVersions(held map[string]home.Hold) []string {
	var list []candidate
	for v := range held {
		list = append(list, candidate{version: v})
	}
	sortNewest(list)
	var out []string
	for _, c := range list {
		out = append(out, c.version)
	}
	return out
}
