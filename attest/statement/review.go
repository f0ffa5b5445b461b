package statement

import (
	"encoding/hex"
	"time"
)

// Verdicts of a Review.
const (
	VerdictPass         = "pass"         // every item was read, and the criteria hold
	VerdictPartial      = "partial"      // the criteria hold for all that is not listed as unread
	VerdictFail         = "fail"         // this release should not be shipped; Notes say why
	VerdictInconclusive = "inconclusive" // the reviewer cannot say; Notes say why
)

// Review is an auditor's statement that they read the change of the source between a base and a release.
// Predicate review/v1; its subject is release.json.
//
// What was read is told by what was not: the change list between the two trees is canonical and anyone
// can compute it again (release/review documents how), the statement fixes it by hash, and lists the
// items of it that were left unread. Whatever is in none of the three lists was read change by change.
//
//	subject            "release.json", sha256 = Release
//	event              Event
//	base               version, release (digest set, empty for none), tree: Base
//	head               commit, tree: HeadCommit, HeadTree
//	changes            sha256, files, modules, lines: Changes, Files, Modules, Lines
//	coverage           unread, generated, mechanical
//	criteria           Criteria
//	verdict, notes     Verdict, Notes
//	minutesSpent       MinutesSpent
//	tools              Tools
//	independence       Independence
//	startedOn, finishedOn
type Review struct {
	Release    [32]byte   // sha256 of release.json
	Event      string     // event the review was made in, 64 hex digits
	Base       ReviewBase // what the change is counted from
	HeadCommit string     // git commit of the release, 40 (or 64) hex digits
	HeadTree   string     // git tree of that commit, 40 (or 64) hex digits

	Changes [32]byte // sha256 of the change list
	Files   int      // items of it that are files of the source
	Modules int      // items of it that are modules
	Lines   int      // lines added and removed, as git counts them; for people, nothing is judged by it

	Unread     []string // items not read, sorted; names as in the change list
	Generated  []string // items that a program made, taken on the word of the command that checks them; sorted
	Mechanical []string // items with the very edit of another item that was read; sorted

	Criteria     []string  // ids of what the reviewer vouches for, sorted; at least one for pass and partial (Criterion)
	Verdict      string    // pass (nothing unread), partial (something unread), fail or inconclusive
	Notes        string    // one line for people; not empty for fail and inconclusive
	MinutesSpent int       // of reading, 0 to 100,000; at least 1 for pass and partial
	Tools        string    // tools used, language models included, or "none"; one line
	Independence string    // the reviewer's ties to the authors and the publisher, or "none"; one line
	Started      time.Time // whole seconds
	Finished     time.Time // whole seconds, not before Started
}

// ReviewBase is the release a change is counted from. All fields are empty when the whole source was
// reviewed, and none is otherwise.
type ReviewBase struct {
	Version string   // of a release of the same channel
	Release [32]byte // sha256 of its release.json
	Tree    string   // git tree it was built from
}

type reviewWire struct {
	header
	Predicate struct {
		Event string `json:"event"`
		Base  struct {
			Version string            `json:"version"`
			Release map[string]string `json:"release"`
			Tree    string            `json:"tree"`
		} `json:"base"`
		Head struct {
			Commit string `json:"commit"`
			Tree   string `json:"tree"`
		} `json:"head"`
		Changes struct {
			SHA256  string `json:"sha256"`
			Files   int    `json:"files"`
			Modules int    `json:"modules"`
			Lines   int    `json:"lines"`
		} `json:"changes"`
		Coverage struct {
			Unread     []string `json:"unread"`
			Generated  []string `json:"generated"`
			Mechanical []string `json:"mechanical"`
		} `json:"coverage"`
		Criteria     []string `json:"criteria"`
		Verdict      string   `json:"verdict"`
		Notes        string   `json:"notes"`
		MinutesSpent int      `json:"minutesSpent"`
		Tools        string   `json:"tools"`
		Independence string   `json:"independence"`
		StartedOn    string   `json:"startedOn"`
		FinishedOn   string   `json:"finishedOn"`
	} `json:"predicate"`
}

// Encode prints the statement, or says which field is wrong.
func (r Review) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, &Error{err.Error()}
	}
	var w reviewWire
	w.Type, w.PredicateType = TypeStatement, PredicateReview
	w.Subject = subjectRelease(r.Release)
	p := &w.Predicate
	p.Event = r.Event
	p.Base.Version, p.Base.Tree, p.Base.Release = r.Base.Version, r.Base.Tree, map[string]string{}
	if r.Base != (ReviewBase{}) {
		p.Base.Release["sha256"] = hex.EncodeToString(r.Base.Release[:])
	}
	p.Head.Commit, p.Head.Tree = r.HeadCommit, r.HeadTree
	p.Changes.SHA256 = hex.EncodeToString(r.Changes[:])
	p.Changes.Files, p.Changes.Modules, p.Changes.Lines = r.Files, r.Modules, r.Lines
	p.Coverage.Unread, p.Coverage.Generated, p.Coverage.Mechanical = list(r.Unread), list(r.Generated), list(r.Mechanical)
	p.Criteria, p.Verdict, p.Notes = list(r.Criteria), r.Verdict, r.Notes
	p.MinutesSpent, p.Tools, p.Independence = r.MinutesSpent, r.Tools, r.Independence
	p.StartedOn, p.FinishedOn = timeText(r.Started), timeText(r.Finished)
	return encode(w)
}

func parseReview(b []byte) (r *Review, err error) {
	var w reviewWire
	if err := decode(b, &w); err != nil {
		return nil, err
	}
	p := w.Predicate
	r = &Review{
		Event: p.Event, HeadCommit: p.Head.Commit, HeadTree: p.Head.Tree,
		Files: p.Changes.Files, Modules: p.Changes.Modules, Lines: p.Changes.Lines,
		Unread: unlist(p.Coverage.Unread), Generated: unlist(p.Coverage.Generated), Mechanical: unlist(p.Coverage.Mechanical),
		Criteria: unlist(p.Criteria), Verdict: p.Verdict, Notes: p.Notes,
		MinutesSpent: p.MinutesSpent, Tools: p.Tools, Independence: p.Independence,
	}
	r.Base.Version, r.Base.Tree = p.Base.Version, p.Base.Tree
	if len(p.Base.Release) > 0 {
		if r.Base.Release, err = digest(p.Base.Release["sha256"]); err != nil {
			return nil, err
		}
	}
	if r.Release, err = releaseOf(w.Subject); err != nil {
		return nil, err
	}
	if r.Changes, err = digest(p.Changes.SHA256); err != nil {
		return nil, err
	}
	if r.Started, err = parseTime(p.StartedOn); err != nil {
		return nil, err
	}
	if r.Finished, err = parseTime(p.FinishedOn); err != nil {
		return nil, err
	}
	return r, nil
}

// subjectRelease is the subject of a statement about a whole release.
func subjectRelease(sum [32]byte) []resource {
	return []resource{{"release.json", map[string]string{"sha256": hex.EncodeToString(sum[:])}, nil}}
}

func releaseOf(subject []resource) (sum [32]byte, err error) {
	if len(subject) != 1 {
		return sum, refusef("%d subjects, want one, release.json", len(subject))
	}
	return digest(subject[0].Digest["sha256"])
}

// list and unlist keep the absence of entries apart from JSON's null.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func unlist(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}
