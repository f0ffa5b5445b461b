package source

import (
	"context"
	"fmt"
	"strings"
)

// DirtyError says that a work tree is not what its commit says.
type DirtyError struct {
	Dir   string
	Files []string // what git status calls them: "modified a.go", "untracked b.go", sorted by name
}

func (e *DirtyError) Error() string {
	const shown = 5
	names, more := e.Files, ""
	if len(names) > shown {
		names, more = names[:shown], fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return fmt.Sprintf("work tree %s is not clean: %s%s", e.Dir, strings.Join(names, ", "), more)
}

// Refused reports true: such a tree must not be built as if it were its commit.
func (e *DirtyError) Refused() bool { return true }

// clean refuses a work tree with changed, staged or untracked files. Nothing of these would be built,
// since the export reads committed objects only; the check is there because the person would believe so.
func (g git) clean(ctx context.Context) error {
	bare, err := g.run(ctx, "rev-parse", "--is-bare-repository")
	if err != nil || strings.TrimSpace(bare) == "true" {
		return err
	}
	out, err := g.run(ctx, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=none")
	if err != nil {
		return err
	}
	e := &DirtyError{Dir: g.dir}
	for _, entry := range strings.Split(out, "\x00") {
		if len(entry) < 4 {
			continue
		}
		e.Files = append(e.Files, fmt.Sprintf("%s %q", word(entry[:2]), entry[3:]))
	}
	if len(e.Files) == 0 {
		return nil
	}
	return e
}

// word says in English what the two letters of git's short status mean.
func word(xy string) string {
	switch {
	case xy == "??":
		return "untracked"
	case strings.Contains(xy, "U"):
		return "unmerged"
	case strings.Contains(xy, "D"):
		return "deleted"
	case strings.Contains(xy, "A"):
		return "added"
	}
	return "modified"
}
