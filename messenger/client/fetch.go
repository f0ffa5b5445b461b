package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/store"
	"github.com/countersign-project/countersign/messenger/wire"
)

// fetching is something to be downloaded after the commit, because the rest cannot be understood without it.
type fetching struct {
	Message  int64            // whose long text
	Contacts *wire.Attachment // a list of contacts from another device of ours
	Profile  string           // whose name
	Picture  string           // of which group
	Noted    int              // how often it was noted again: while one is fetched there may be another of the same name
	Tries    int              // that failed while there was a connection
}

// maxFetches is how often it is tried, every half minute. What somebody points to may be such that no try ever succeeds, and yet none says so.
const maxFetches = 1000

// is tells whether two are about the same.
func (f fetching) is(other fetching) bool {
	sameList := f.Contacts == nil && other.Contacts == nil || f.Contacts != nil && other.Contacts != nil && f.Contacts.ID == other.Contacts.ID
	return f.Message == other.Message && f.Profile == other.Profile && f.Picture == other.Picture && sameList
}

// longText has the whole of a long text fetched.
func (c *change) longText(m *history.Message) error {
	for _, f := range m.Attachments {
		if f.ContentType == wire.LongText && f.Size <= maxText {
			return c.fetchLater(fetching{Message: m.Seq})
		}
	}
	return nil
}

const settingFetching = "fetching"

func (c *change) changeFetching(f func([]fetching) []fetching) error {
	list, _, err := store.Load[[]fetching](c.tx, store.Settings, settingFetching)
	if err != nil {
		return err
	}
	return store.Save(c.tx, store.Settings, settingFetching, f(list))
}

// fetchLater notes what is to be fetched, so that it survives a crash.
func (c *change) fetchLater(f fetching) error {
	c.timer = true
	return c.changeFetching(func(list []fetching) []fetching {
		if i := slices.IndexFunc(list, f.is); i >= 0 {
			list[i].Noted, list[i].Tries = list[i].Noted+1, 0
			return list
		}
		return append(list, f)
	})
}

// fetchNoted does what fetchLater has noted. What fails keeps nothing else waiting, but where nothing can be fetched now.
func (a *Account) fetchNoted(ctx context.Context) error {
	var list []fetching
	err := a.store.View(ctx, func(tx *store.Tx) (err error) {
		list, _, err = store.Load[[]fetching](tx, store.Settings, settingFetching)
		return err
	})
	if err != nil {
		return err
	}
	var later error
	for _, f := range list {
		err := a.fetchOne(ctx, f)
		v := judge(err)
		again := (v.stop || v.wait > 0) && f.Tries+1 < maxFetches
		switch {
		case again && (ctx.Err() != nil || !a.Connected()):
			return err
		case again:
			later = errors.Join(later, err)
		case err != nil:
			a.Log.Warn("not fetched", "error", err)
		}
		if err := a.fetched(ctx, f, again); err != nil {
			return err
		}
	}
	return later
}

// fetched takes something from what is to be fetched, unless it is to be tried again.
func (a *Account) fetched(ctx context.Context, f fetching, again bool) error {
	return a.change(ctx, func(c *change) error {
		return c.changeFetching(func(list []fetching) []fetching {
			i := slices.IndexFunc(list, f.is)
			switch {
			case i < 0 || list[i].Noted != f.Noted:
			case again:
				list[i].Tries++
			default:
				list = slices.Delete(list, i, i+1)
			}
			return list
		})
	})
}

// uselessError says of what was to be fetched that it is no good, and will not be.
type uselessError struct{ error }

func (e *uselessError) Unwrap() error { return e.error }

func useless(format string, args ...any) error { return &uselessError{fmt.Errorf(format, args...)} }

func (a *Account) fetchOne(ctx context.Context, f fetching) error {
	var b bytes.Buffer
	if f.Profile != "" {
		return a.fetchProfile(ctx, f.Profile)
	}
	if f.Picture != "" {
		return a.fetchPicture(ctx, f.Picture)
	}
	if f.Contacts != nil {
		p := attachmentsOf(&wire.Data{Attachments: []wire.Attachment{*f.Contacts}}, "")[0]
		if p.Size > maxContactsBlob {
			return useless("list of contacts of %d bytes, want at most %d", p.Size, maxContactsBlob)
		}
		if err := a.Download(ctx, p, &b, nil); err != nil {
			return err
		}
		return a.change(ctx, func(c *change) error { return c.syncedContacts(b.Bytes()) })
	}
	m, err := a.Message(ctx, f.Message)
	if err != nil || m == nil {
		return err
	}
	for i, p := range m.Attachments {
		if p.ContentType != wire.LongText {
			continue
		}
		if err := a.Download(ctx, p, &b, nil); err != nil {
			return err
		}
		return a.change(ctx, func(c *change) error {
			m, err := history.Get(c.tx, f.Message)
			if err != nil || m == nil || m.Deleted || m.Edited > 0 || !strings.HasPrefix(b.String(), m.Body) {
				return err // the beginning was authenticated; what does not go on from it is not shown
			}
			m.Body = strings.ToValidUTF8(b.String(), "")
			m.Attachments = append(m.Attachments[:i:i], m.Attachments[i+1:]...)
			return c.changed(m)
		})
	}
	return nil
}
