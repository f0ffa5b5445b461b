package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Repository is a bare repository of our own, into which strangers' objects are put in order to look at
// them. Nothing of it is ever checked out, and git runs in it with a clean environment.
type Repository struct{ g git }

// OpenRepository opens the repository in dir and makes it when dir is missing or empty. Only PATH and a
// few system variables of environ reach git.
func OpenRepository(ctx context.Context, dir string, environ []string) (*Repository, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, err
	}
	g, err := newGit(abs, environ)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(abs, "objects")); err == nil {
		return &Repository{g}, nil
	}
	_, err = g.run(ctx, "init", "--quiet", "--bare", "--object-format=sha1", "--template=", ".")
	return &Repository{g}, err
}

// Unbundle puts the objects of a git bundle into the repository; git hashes each of them. An error with
// Refused() true means a bad bundle.
func (r *Repository) Unbundle(ctx context.Context, file string) error {
	file, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	if _, err := r.g.run(ctx, "bundle", "unbundle", file); err != nil {
		if ctx.Err() != nil {
			return err
		}
		return refusef("source bundle: %v", err)
	}
	return nil
}

// Tree returns the tree of a commit, 40 hex digits both. ErrNoCommit: the repository does not hold it.
func (r *Repository) Tree(ctx context.Context, commit string) (string, error) {
	if !commitID.MatchString(commit) {
		return "", fmt.Errorf("commit %q, want 40 hex digits", commit)
	}
	out, err := r.g.run(ctx, "rev-parse", "--verify", "--quiet", commit+"^{tree}")
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		return "", fmt.Errorf("%w: %s", ErrNoCommit, commit)
	}
	return strings.TrimSpace(out), nil
}

// ErrNoCommit says that a commit is not in a repository.
var ErrNoCommit = errors.New("no such commit in the source")

// Git runs a git command and returns what it printed, at most max bytes: more is an error. In may be nil.
func (r *Repository) Git(ctx context.Context, in io.Reader, max int64, args ...string) ([]byte, error) {
	cmd := r.g.command(ctx, args...)
	var stderr bytes.Buffer
	out := &capped{max: max}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, &stderr
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case out.over:
		return nil, refusef("git %s: more than %d bytes", args[0], max)
	case err != nil:
		return nil, fmt.Errorf("git %s in %s: %w: %s", args[0], r.g.dir, err, strings.TrimSpace(stderr.String()))
	}
	return out.b.Bytes(), nil
}

// capped stops a command that prints more than is wanted.
type capped struct {
	b    bytes.Buffer
	max  int64
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if int64(c.b.Len()+len(p)) > c.max {
		c.over = true
		return 0, errors.New("too much output")
	}
	return c.b.Write(p)
}

// Blobs reads many blobs through one git process. Each is hashed again as it is read.
type Blobs struct{ o *objects }

// Blobs starts reading; Close ends it.
func (r *Repository) Blobs(ctx context.Context) (*Blobs, error) {
	o, err := r.g.objects(ctx)
	return &Blobs{o}, err
}

// Read returns the bytes of a blob.
func (b *Blobs) Read(id string) ([]byte, error) { return b.o.read(id, "blob") }

// Close ends the git process.
func (b *Blobs) Close() { b.o.close() }
