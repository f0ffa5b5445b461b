package review

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"strings"

	"github.com/countersign-project/countersign/builds/source"
)

// madeBy is Go's convention for generated files, with # for other languages.
var madeBy = regexp.MustCompile(`(?m)^(?://|#|--|/\*) ?Code generated (.*) DO NOT EDIT\.`)

// headSize is how far into a file the words "Code generated" are looked for.
const headSize = 4 << 10

// findGenerated recognises files of the source that nobody wrote by hand, and finds the command that
// checks them. They stay items: who takes one on the word of its command says so in the statement.
func findGenerated(ctx context.Context, r *source.Repository, c *Changes) error {
	head, err := listTree(ctx, r, c.Head)
	if err != nil {
		return err
	}
	blobs, err := r.Blobs(ctx)
	if err != nil {
		return err
	}
	defer blobs.Close()
	tree := map[string]entry{}
	for _, e := range head {
		tree[e.path] = e
	}
	for i := range c.Items {
		item := &c.Items[i]
		if item.Module != "" || item.What == Removed || item.What == Moved || !plainFile(item.Files[0].Mode) {
			continue
		}
		f := item.Files[0]
		body, err := blobs.Read(f.Blob)
		if err != nil {
			return err
		}
		if item.Generated, err = generated(f.Path, body, tree, blobs); err != nil {
			return err
		}
	}
	return nil
}

// generated returns the command that checks a file, "" when it looks like one that people write.
func generated(name string, body []byte, tree map[string]entry, blobs *source.Blobs) (string, error) {
	dir, base := path.Split(name)
	switch base {
	case "go.sum":
		return "go mod verify && go mod tidy -diff", nil
	case "package-lock.json":
		return "npm ci --ignore-scripts (in " + Quote(dir) + ")", nil
	}
	if madeBy.Match(body[:min(len(body), headSize)]) {
		if _, ok := tree[dir+"generate.sh"]; ok {
			return "./" + Quote(dir+"generate.sh") + " --check", nil
		}
		return "go generate ./" + Quote(strings.TrimSuffix(dir, "/")) + " && git diff --exit-code", nil
	}
	sums, ok := tree[dir+"SHA256SUMS"]
	if !ok || base == "SHA256SUMS" {
		return "", nil
	}
	list, err := blobs.Read(sums.blob)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(body)
	line := hex.EncodeToString(sum[:]) + "  " + base
	for have := range bytes.Lines(list) {
		if strings.TrimRight(string(have), "\r\n") == line {
			return "sha256sum -c SHA256SUMS (in " + Quote(dir) + "; the hash agrees), and compare the list with its origin", nil
		}
	}
	return "", nil
}
