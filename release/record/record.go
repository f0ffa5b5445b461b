package record

import (
	"time"

	"github.com/countersign-project/countersign/release/genuine"
)

// Record is what a repository shows. Times are UTC.
type Record struct {
	Name     string         `json:"name"`     // of the distribution, from mirrors.json
	At       time.Time      `json:"at"`       // what everything is judged for
	Mirrors  []string       `json:"mirrors"`  // URLs
	Channels []Channel      `json:"channels"` // stable first, then by name
	People   []Auditor      `json:"people"`   // as the policy lists them
	Roles    []Role         `json:"roles"`    // signed metadata, with expiries
	Log      *Log           `json:"log,omitempty"`
	Missing  []string       `json:"missing"` // what could not be had or did not hold, each in a line
	Policy   genuine.Policy `json:"-"`
}

// Role is a verified TUF role.
type Role struct {
	Name    string           `json:"name"`
	Version int64            `json:"version"`
	Made    time.Time        `json:"made"`
	Expires time.Time        `json:"expires"`
	Quorum  int              `json:"quorum"`
	Signers []genuine.Person `json:"signers"`
}

// Channel is a line of releases under one rule.
type Channel struct {
	Role
	Rule     genuine.Rule `json:"rule"`
	Releases []Release    `json:"releases"` // newest first
}

// Release is one version with everything that was said about it.
type Release struct {
	Channel      string           `json:"channel"`
	Version      string           `json:"version"`
	Sum          genuine.Digest   `json:"sha256"`   // of release.json
	Path         string           `json:"path"`     // of release.json in the repository
	Evidence     string           `json:"evidence"` // path of the evidence file
	Manifest     genuine.Manifest `json:"manifest"`
	Outcome      genuine.Outcome  `json:"outcome"`
	Reasons      []genuine.Reason `json:"reasons"`
	Artifacts    []Artifact       `json:"artifacts"`
	Rebuilds     []Rebuild        `json:"rebuilds"`
	Inconclusive []Inconclusive   `json:"inconclusive"`
	Reviews      []Review         `json:"reviews"`
	Withdrawals  []Withdrawal     `json:"withdrawals"`
	Problem      string           `json:"problem,omitempty"` // why nothing more is known of it
	Entries      []Said           `json:"-"`                 // of the log: the release, then its statements and withdrawals
}

// Artifact is a file of a release and where the repository has it.
type Artifact struct {
	genuine.Artifact
	File string `json:"file"`
}

// Rebuild is an auditor's statement of what they got, compared with the release.
type Rebuild struct {
	Person      genuine.Person `json:"person"`
	Finished    time.Time      `json:"finished"`
	Minutes     int            `json:"minutes"`
	Builder     string         `json:"builder"`
	Bootstrap   string         `json:"bootstrap"`
	Go          string         `json:"go"`
	ToolchainH1 string         `json:"toolchain"`
	Differences []Difference   `json:"differences"` // empty: the same bytes
}

// Same says that the auditor got exactly the release.
func (r Rebuild) Same() bool { return len(r.Differences) == 0 }

// Difference is one thing in which two sides differ. An empty side has nothing there.
type Difference struct {
	What     string `json:"what"`     // path of an artifact, or "source commit" and the like
	Released string `json:"released"` // sha256, or the value, of the release
	Got      string `json:"got"`      // of the auditor
}

// Inconclusive is an auditor's word that they could not tell.
type Inconclusive struct {
	Person   genuine.Person `json:"person"`
	Finished time.Time      `json:"finished"`
	Reason   string         `json:"reason"`
	Builder  string         `json:"builder"`
}

// Review is an auditor's word on the source.
type Review struct {
	Person       genuine.Person `json:"person"`
	Finished     time.Time      `json:"finished"`
	Base         string         `json:"base"` // version the change was read from; empty: the whole source
	Verdict      string         `json:"verdict"`
	Notes        string         `json:"notes"`
	Criteria     []string       `json:"criteria"`
	Files        int            `json:"files"`
	Modules      int            `json:"modules"`
	Lines        int            `json:"lines"`
	Unread       []string       `json:"unread"`
	Generated    []string       `json:"generated"`
	Mechanical   []string       `json:"mechanical"`
	Minutes      int            `json:"minutes"`
	Tools        string         `json:"tools"`
	Independence string         `json:"independence"`
	Changes      genuine.Digest `json:"changes"`
}

// Withdrawal is an auditor's word, after a release, that it should not be used, or may be again.
type Withdrawal struct {
	Person genuine.Person `json:"person"`
	At     time.Time      `json:"at"`
	State  string         `json:"state"` // withdrawn or reinstated
	Reason string         `json:"reason"`
	Latest bool           `json:"latest"` // this person's last word: the one that counts
}

// Auditor is a person of the policy and what they did here.
type Auditor struct {
	genuine.Person
	Keys     []Key `json:"keys"`
	Signs    bool  `json:"signs"` // holds an auditor key
	Rebuilds int   `json:"rebuilds"`
	Differed int   `json:"differed"` // rebuilds with other bytes
	Reviews  int   `json:"reviews"`
	Withdrew int   `json:"withdrew"`
}

// Key is a public key by its purpose.
type Key struct {
	Purpose string `json:"purpose"`
	Text    string `json:"text"` // fingerprint, or a witness's verifier key
}

// Log is the head of the public log.
type Log struct {
	Origin    string    `json:"origin"`
	Size      uint64    `json:"size"`
	Root      string    `json:"root"`
	Witnesses []Witness `json:"witnesses"`
	Problem   string    `json:"problem,omitempty"` // why the head does not count
}

// Witness is who the log's policy names, and when they last cosigned.
type Witness struct {
	Name string    `json:"name"`
	Key  string    `json:"key"`
	Time time.Time `json:"time"` // zero: not under this head
}
