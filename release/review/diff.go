package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/builds/source"
)

// Limits of what is shown line by line, in bytes.
const (
	maxText = 8 << 20
	maxDiff = 64 << 20
	hexHead = 512 // of a binary file
)

// Diff is one page to read.
type Diff struct {
	Notes []string // one line each, safe to show
	Hunks []Hunk
	Path  string // whose name says in which language it is
	Old   []byte // the whole file before and after, for colouring; empty where it is not text
	New   []byte
}

// Hunk is a stretch of changed lines with some unchanged ones around.
type Hunk struct {
	OldStart, NewStart int    // line numbers, from 1
	Head               string // the function it is in, as git finds it; may be unsafe to show
	Lines              []Line
}

// Line is one line of a hunk.
type Line struct {
	Kind     byte // ' ', '+' or '-'
	Old, New int  // its number before and after, 0 where it has none
	Text     []byte
}

// Reader makes pages from a repository. It is for one goroutine at a time; Close it.
type Reader struct {
	ctx   context.Context
	r     *source.Repository
	blobs *source.Blobs
}

// NewReader starts reading.
func NewReader(ctx context.Context, r *source.Repository) (*Reader, error) {
	b, err := r.Blobs(ctx)
	return &Reader{ctx, r, b}, err
}

// Close ends the git process.
func (r *Reader) Close() { r.blobs.Close() }

// Page returns page n of an item, with this many unchanged lines around each change.
func (r *Reader) Page(i Item, n, around int) (*Diff, error) {
	f := i.Page(n)
	if f == nil {
		return &Diff{Notes: moduleNotes(i)}, nil
	}
	d := &Diff{Path: f.Path}
	if i.Module == "" {
		d.Notes = append(d.Notes, itemNotes(i)...)
	}
	d.Notes = append(d.Notes, fileNotes(f)...)
	if f.What == Moved && f.OldBlob == f.Blob {
		return d, nil
	}
	return d, r.fill(d, f, around)
}

func itemNotes(i Item) []string {
	notes := slices.Clone(i.Notes)
	if i.Generated != "" {
		notes = append(notes, "made by a program; what checks it: "+VisibleText(i.Generated))
	}
	if i.Mechanical > 0 {
		notes = append(notes, fmt.Sprintf("the same edit as the other files of group %d", i.Mechanical))
	}
	return notes
}

func moduleNotes(i Item) []string {
	var first string
	switch i.What {
	case Added:
		first = fmt.Sprintf("module %s %s is new: the whole of it is to be read", i.Module, i.New.Version)
	case Removed:
		first = fmt.Sprintf("module %s %s is gone", i.Module, i.Old.Version)
	default:
		first = fmt.Sprintf("module %s: %s → %s", i.Module, i.Old.Version, i.New.Version)
		if i.Old.Version == i.New.Version {
			first = fmt.Sprintf("module %s %s has other content under the same version", i.Module, i.New.Version)
		}
	}
	counts := map[string]int{}
	for _, f := range i.Files {
		counts[f.What]++
	}
	notes := []string{first, fmt.Sprintf("%d files added, %d removed, %d changed, %d moved", counts[Added], counts[Removed], counts[Changed]+counts[Retyped], counts[Moved])}
	return append(notes, i.Notes...)
}

func fileNotes(f *File) []string {
	var notes []string
	switch f.What {
	case Moved:
		notes = append(notes, "moved from "+Quote(f.OldPath)+", every byte the same")
	case Added:
		notes = append(notes, "added: "+kind(f.Mode))
	case Removed:
		notes = append(notes, "removed: "+kind(f.OldMode))
	}
	if f.OldMode != f.Mode && f.What != Added && f.What != Removed {
		notes = append(notes, fmt.Sprintf("was %s, is %s", kind(f.OldMode), kind(f.Mode)))
	}
	return notes
}

func kind(mode string) string {
	switch mode {
	case "100644":
		return "a plain file"
	case "100755":
		return "a program (executable)"
	case modeLink:
		return "a symbolic link; its text is the target"
	case modeModule:
		return "a submodule: a commit of another repository, whose files are not here"
	}
	return "of mode " + mode
}

// fill reads both sides and their difference.
func (r *Reader) fill(d *Diff, f *File, around int) error {
	old, err := r.side(f.OldMode, f.OldBlob)
	if err != nil {
		return err
	}
	now, err := r.side(f.Mode, f.Blob)
	if err != nil {
		return err
	}
	if !text(f.Path, old) || !text(f.Path, now) {
		d.Notes = append(d.Notes, binaryNotes("before", f.OldBlob, old)...)
		d.Notes = append(d.Notes, binaryNotes("now", f.Blob, now)...)
		return nil
	}
	d.Old, d.New = old, now
	switch {
	case f.OldBlob == f.Blob: // only the mode changed
	case f.OldBlob == noBlob || f.OldMode == modeModule || f.Mode == modeModule || f.Blob == noBlob:
		d.Hunks = whole(old, now)
	default:
		if d.Hunks, err = r.hunks(f, around); err != nil {
			return err
		}
	}
	d.Notes = append(d.Notes, endNotes(old, now)...)
	d.Notes = append(d.Notes, deceptionNotes(d.Hunks)...)
	return nil
}

func (r *Reader) side(mode, blob string) ([]byte, error) {
	switch {
	case blob == noBlob:
		return nil, nil
	case mode == modeModule:
		return []byte("commit " + blob + "\n"), nil
	}
	return r.blobs.Read(blob)
}

// sourceEnds are names whose files are shown as text whatever bytes are in them: one zero byte must not
// hide code.
var sourceEnds = []string{".go", ".mod", ".sum", ".s", ".sh", ".py", ".js", ".ts", ".html", ".css", ".toml", ".json", ".proto", ".md", ".txt", ".yml", ".yaml", ".sql", ".c", ".h", "Makefile"}

func text(path string, b []byte) bool {
	if len(b) > maxText {
		return false
	}
	isSource := func(end string) bool { return strings.HasSuffix(path, end) }
	return slices.ContainsFunc(sourceEnds, isSource) || !bytes.Contains(b[:min(len(b), 8000)], []byte{0})
}

func binaryNotes(when, blob string, b []byte) []string {
	if blob == noBlob {
		return nil
	}
	sum := sha256.Sum256(b)
	notes := []string{fmt.Sprintf("%s: %d bytes that are not shown as text, sha256 %x, git blob %s", when, len(b), sum, blob)}
	for line := range strings.Lines(hex.Dump(b[:min(len(b), hexHead)])) {
		notes = append(notes, strings.TrimRight(line, "\n"))
	}
	return notes
}

func endNotes(old, now []byte) []string {
	cut := func(b []byte) bool { return len(b) > 0 && b[len(b)-1] != '\n' }
	crlf := func(b []byte) bool { return bytes.Contains(b, []byte("\r\n")) }
	var notes []string
	if cut(now) && !cut(old) {
		notes = append(notes, "the last line has no line end")
	}
	if crlf(now) != crlf(old) && len(now) > 0 && len(old) > 0 {
		notes = append(notes, map[bool]string{true: "lines end in CR LF now", false: "lines ended in CR LF before"}[crlf(now)])
	}
	return notes
}

// deceptionNotes names the added lines that a reader may misread.
func deceptionNotes(hunks []Hunk) []string {
	var numbers []string
	for _, h := range hunks {
		for _, l := range h.Lines {
			if l.Kind == '+' && deceptive(l.Text) {
				numbers = append(numbers, strconv.Itoa(l.New))
			}
		}
	}
	if len(numbers) == 0 {
		return nil
	}
	if len(numbers) > 20 {
		numbers = append(numbers[:20], "…")
	}
	return []string{"WARNING: characters that control, hide or turn text, spelled out below, in lines " + strings.Join(numbers, ", ")}
}

// whole shows a file that only one side has.
func whole(old, now []byte) []Hunk {
	h := Hunk{}
	add := func(b []byte, kind byte) {
		n := 0
		for line := range bytes.Lines(b) {
			n++
			l := Line{Kind: kind, Text: bytes.TrimSuffix(line, []byte("\n"))}
			if kind == '+' {
				l.New = n
			} else {
				l.Old = n
			}
			h.Lines = append(h.Lines, l)
		}
	}
	add(old, '-')
	add(now, '+')
	if len(h.Lines) == 0 {
		return nil
	}
	h.OldStart, h.NewStart = min(1, len(old)), min(1, len(now))
	return []Hunk{h}
}

// diffArgs make git compare bytes, and nothing that a file or a setting could change.
var diffArgs = []string{"--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--text", "--diff-algorithm=myers", "--no-indent-heuristic", "--full-index", "--src-prefix=a/", "--dst-prefix=b/"}

func (r *Reader) hunks(f *File, around int) ([]Hunk, error) {
	args := append([]string{"diff", "-U" + strconv.Itoa(around)}, diffArgs...)
	out, err := r.r.Git(r.ctx, nil, maxDiff, append(args, f.OldBlob, f.Blob)...)
	if err != nil {
		return nil, err
	}
	p := patch{rest: out}
	if !p.next() {
		return nil, errors.New("git diff found no difference between two blobs")
	}
	return p.hunks()
}
