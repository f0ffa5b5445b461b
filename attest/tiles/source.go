package tiles

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/countersign-project/countersign/attest/proof"
)

// Checkpoint is the path of the newest head.
const Checkpoint = "checkpoint"

// Source brings files of a log; tuf/fetch.Courier is one. Nothing it brings is believed.
type Source interface {
	// FetchChecked returns the file path, of at most max bytes, for which check is nil. Where several places
	// may have it, the next is asked when check refuses. A file that is not there is fs.ErrNotExist.
	FetchChecked(ctx context.Context, path string, max int64, check func([]byte) error) ([]byte, error)
}

// rejecter is a Source that can be told afterwards that a file was wrong (tuf/fetch.Courier). It reports
// whether another place is left to be asked for it.
type rejecter interface {
	Reject(path string, why error) bool
}

// Dir is the log in a directory or an opened archive.
func Dir(fsys fs.FS) Source { return dir{fsys} }

type dir struct{ fs fs.FS }

func (d dir) FetchChecked(ctx context.Context, path string, max int64, check func([]byte) error) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Looked at before it is opened: opening a pipe would hang.
	if info, err := fs.Stat(d.fs, path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", path)
	}
	f, err := d.fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("%s: is longer than %d bytes", path, max)
	}
	if err := check(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// Under is a log that lies in a folder of a larger source, such as "log" in a repository.
func Under(folder string, s Source) Source {
	if r, ok := s.(rejecter); ok {
		return underRejecter{under{folder, s}, r}
	}
	return under{folder, s}
}

type under struct {
	folder string
	source Source
}

func (u under) FetchChecked(ctx context.Context, path string, max int64, check func([]byte) error) ([]byte, error) {
	return u.source.FetchChecked(ctx, u.folder+"/"+path, max, check)
}

type underRejecter struct {
	under
	rejecter rejecter
}

func (u underRejecter) Reject(path string, why error) bool {
	return u.rejecter.Reject(u.folder+"/"+path, why)
}

// Newest fetches the checkpoint and verifies it by a policy. Each source is asked until one gives a checkpoint
// that the policy believes; that it is the newest of all is not known, as a source can be behind.
func Newest(ctx context.Context, s Source, policy proof.Policy) ([]byte, proof.Head, error) {
	var head proof.Head
	b, err := s.FetchChecked(ctx, Checkpoint, proof.MaxCheckpoint, func(b []byte) (err error) {
		head, err = policy.Open(b)
		return err
	})
	return b, head, err
}
