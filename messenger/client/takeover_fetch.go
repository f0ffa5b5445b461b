package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/countersign-project/countersign/messenger/client/remote"
	"github.com/countersign-project/countersign/messenger/refusal"
	"github.com/countersign-project/countersign/messenger/wire"
)

// fetchHistory appends the parts that are not here to f.
func (a *Account) fetchHistory(ctx context.Context, t *takeover, f *os.File) error {
	end, total := int64(0), int64(0)
	for i, p := range t.Parts {
		if total += int64(p.Size); i < t.Fetched {
			end += int64(p.Size)
		}
	}
	for ; t.Fetched < len(t.Parts); t.Fetched++ {
		if err := f.Truncate(end); err != nil { // a part that did not come whole
			return err
		}
		if _, err := f.Seek(end, io.SeekStart); err != nil {
			return err
		}
		p := attachmentsOf(&wire.Data{Attachments: t.Parts[t.Fetched : t.Fetched+1]}, "")[0]
		err := a.Download(ctx, p, f, func(one Progress) {
			one.Done, one.Resumed, one.Total = end+one.Done*p.Size/one.Total, 0, total
			a.tellHistory(one)
		})
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			return a.partFailed(ctx, t, err)
		}
		end += p.Size
		next := *t
		next.Fetched, next.Tries = t.Fetched+1, 0
		if err := a.keepTakeover(ctx, next); err != nil {
			return err
		}
		t.Tries = 0
	}
	return nil
}

// partFailed tells a part that is gone or does not open from one that does not come at the moment.
func (a *Account) partFailed(ctx context.Context, t *takeover, err error) error {
	status := remote.Status(err)
	if status == http.StatusNotFound {
		return &overError{fmt.Errorf("part %d of %d is not at the server any more", t.Fetched+1, len(t.Parts))}
	}
	if refusal.Of(err) == "" {
		return err
	}
	if t.Tries++; t.Tries >= maxPartTries {
		return &overError{fmt.Errorf("part %d of %d: %w", t.Fetched+1, len(t.Parts), err)}
	}
	return errors.Join(err, a.keepTakeover(ctx, *t))
}
