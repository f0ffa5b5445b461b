package mirror

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/countersign-project/countersign/attest/tiles"
	"github.com/countersign-project/countersign/tuf/durable"
	"github.com/countersign-project/countersign/tuf/fetch"
)

// maxTries is how often a log is begun again that grew so fast that files of the head we copy are gone.
const maxTries = 3

// logFiles stores what the log at its new head has and we have not, then remembers the head, then shows it, and
// clears away the partial tiles that neither it nor the head before needs. A crash anywhere leaves the old head
// complete, or the new one; what was stored of the new one is not fetched again.
func (s *syncing) logFiles(ctx context.Context) error {
	if s.log == nil {
		return nil
	}
	for try := 1; ; try++ {
		for s.log.raw != nil {
			if err := s.copyLog(ctx); err != nil || s.log.late == nil {
				return err
			}
			why := s.log.late
			s.log.heads = s.log.heads[1:] // a smaller head, perhaps, of a source that has all of it
			if err := s.follow(ctx); err != nil {
				return err
			}
			if s.log.raw == nil {
				s.log.late = why
			}
		}
		if s.log.late == nil || !errors.Is(s.log.late, fs.ErrNotExist) || try == maxTries {
			return nil
		}
		s.log.late = nil
		if err := s.logHead(ctx); err != nil {
			return err
		}
	}
}

// copyLog copies the log at one head. An error is of our own disk; what the sources did not bring is noted.
func (s *syncing) copyLog(ctx context.Context) error {
	for f := range tiles.FilesFromTop(0, s.log.head.Size) {
		ours, err := s.holds(f)
		if err != nil {
			return err
		}
		if ours {
			continue
		}
		var b []byte
		if s.log.late = s.openTree(ctx); s.log.late == nil {
			b, s.log.late = s.log.tree.File(ctx, f)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.log.late != nil {
			return nil
		}
		changed, err := s.put(logDir+"/"+f.Path(), b)
		if err != nil {
			return err
		}
		if changed {
			s.log.files++
		}
	}
	return s.showHead()
}

// holds reports whether a file of the log is here, was verified before, and has the length it then had. Recheck
// trusts none of it.
func (s *syncing) holds(f tiles.File) (bool, error) {
	had := s.log.had.Size >> (8 * f.Level)
	if s.Recheck || f.Index >= had/tiles.Width && (f.Index != had/tiles.Width || uint64(f.Width) != had%tiles.Width) {
		return false, nil
	}
	info, err := os.Lstat(s.path(logDir + "/" + f.Path()))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return info.Mode().IsRegular() && (f.Entries && info.Size() > 0 || info.Size() == int64(f.Width)*32), nil
}

// showHead makes the new head the one that is served.
func (s *syncing) showHead() error {
	if err := durable.WriteFile(s.state(headFile), s.log.raw, 0o644); err != nil {
		return err
	}
	changed, err := s.put(logDir+"/"+tiles.Checkpoint, s.log.raw)
	if err != nil {
		return err
	}
	s.result.Changed = s.result.Changed || changed
	s.result.Log = &LogResult{Origin: s.log.head.Origin, Size: s.log.head.Size, Files: s.log.files}
	return tiles.Sweep(s.path(logDir), nil, s.log.had.Size, s.log.head.Size)
}

// own is the log as we hold it.
func (d *directory) own() tiles.Source { return tiles.Dir(os.DirFS(d.path(logDir))) }

// logSource reads files of the log from what we hold, where that fits, and else from the sources. The partial
// tiles of the right edge are those of the source that has the head: they are judged together, and when they come
// from several places nobody can say which of them is wrong.
type logSource struct {
	*syncing
	head *fetch.Courier
}

func (l logSource) FetchChecked(ctx context.Context, path string, max int64, check func([]byte) error) ([]byte, error) {
	if tiles.IsPartial(path) && !strings.HasPrefix(path, "tile/entries/") {
		return l.head.FetchChecked(ctx, logDir+"/"+path, max, check)
	}
	if b, err := l.own().FetchChecked(ctx, path, max, check); err == nil {
		return b, nil
	}
	return l.Courier.FetchChecked(ctx, logDir+"/"+path, max, check)
}
