package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/countersign-project/countersign/builds/source"
)

// Analyse adds to a change list what helps to read it, and what is no part of its printed form: lines
// counted, generated files recognised, equal edits grouped.
func Analyse(ctx context.Context, r *source.Repository, c *Changes) error {
	if err := countLines(ctx, r, c); err != nil {
		return err
	}
	if err := findGenerated(ctx, r, c); err != nil {
		return err
	}
	return findMechanical(ctx, r, c)
}

// countLines counts added and removed lines as git does.
func countLines(ctx context.Context, r *source.Repository, c *Changes) error {
	files, err := numstat(ctx, r, c.Base, c.Head)
	if err != nil {
		return err
	}
	for i := range c.Items {
		item := &c.Items[i]
		if item.Module == "" {
			if item.What != Moved {
				item.Lines = files[item.Files[0].Path]
			}
			continue
		}
		of := func(m Module) string {
			if m.Tree == "" {
				return EmptyTree
			}
			return m.Tree
		}
		counts, err := numstat(ctx, r, of(item.Old), of(item.New))
		if err != nil {
			return err
		}
		for _, f := range item.Files {
			if f.What != Moved {
				item.Lines += counts[f.Path]
			}
		}
	}
	return nil
}

func numstat(ctx context.Context, r *source.Repository, base, head string) (map[string]int, error) {
	if err := haveEmptyTree(ctx, r, base, head); err != nil {
		return nil, err
	}
	out, err := r.Git(ctx, nil, maxListing, "diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv", "--diff-algorithm=myers", base, head)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for record := range bytes.SplitSeq(out, []byte{0}) {
		f := strings.SplitN(string(record), "\t", 3)
		if len(f) != 3 {
			continue
		}
		added, _ := strconv.Atoi(f[0]) // "-" for binary files
		removed, _ := strconv.Atoi(f[1])
		counts[f[2]] = added + removed
	}
	return counts, nil
}

// haveEmptyTree writes the empty tree when it is going to be compared with.
func haveEmptyTree(ctx context.Context, r *source.Repository, trees ...string) error {
	for _, t := range trees {
		if t == EmptyTree {
			_, err := r.Git(ctx, strings.NewReader(""), 100, "mktree")
			return err
		}
	}
	return nil
}

// minGroup is how many files need the same edit to be called mechanical.
const minGroup = 3

// findMechanical groups files of the source whose edits are identical: the same lines removed and added
// in the same order, wherever they stand.
func findMechanical(ctx context.Context, r *source.Repository, c *Changes) error {
	if err := haveEmptyTree(ctx, r, c.Base, c.Head); err != nil {
		return err
	}
	args := append([]string{"diff-tree", "-r", "-p", "-U0", "--diff-filter=M"}, diffArgs...)
	out, err := r.Git(ctx, nil, 4*maxDiff, append(args, c.Base, c.Head)...)
	if err != nil {
		return err
	}
	edits := map[[2]string][32]byte{}
	for p := (patch{rest: out}); p.next(); {
		hunks, err := p.hunks()
		if err != nil {
			return err
		}
		edits[[2]string{p.old, p.new}] = editSum(hunks)
	}
	groups := map[[32]byte][]int{}
	for i, item := range c.Items {
		if f := item.Page(0); item.Module == "" && f.What == Changed && f.OldMode == f.Mode {
			if sum, ok := edits[[2]string{f.OldBlob, f.Blob}]; ok {
				groups[sum] = append(groups[sum], i)
			}
		}
	}
	number := 0
	for i, item := range c.Items {
		f := item.Page(0)
		if item.Module != "" || item.Mechanical > 0 {
			continue
		}
		members := groups[edits[[2]string{f.OldBlob, f.Blob}]]
		if len(members) < minGroup || members[0] != i {
			continue
		}
		number++
		for _, m := range members {
			c.Items[m].Mechanical = number
		}
	}
	return nil
}

func editSum(hunks []Hunk) [32]byte {
	h := sha256.New()
	for _, hunk := range hunks {
		for _, l := range hunk.Lines {
			fmt.Fprintf(h, "%c%d ", l.Kind, len(l.Text))
			h.Write(l.Text)
		}
		h.Write([]byte("@"))
	}
	return [32]byte(h.Sum(nil))
}
