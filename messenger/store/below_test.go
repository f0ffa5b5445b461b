package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/store"
)

func TestOlderMessagesStandBefore(t *testing.T) {
	s, dir := create(t)
	update(t, s, func(tx *store.Tx) error { return tx.Reserve(5000) })
	below := func(seq int64, ref string) (added bool) {
		t.Helper()
		update(t, s, func(tx *store.Tx) (err error) {
			added, err = tx.AddMessageBelow(seq, "c", ref, []byte(ref))
			return err
		})
		return added
	}
	update(t, s, func(tx *store.Tx) error {
		seq, added, err := tx.AddMessage("c", "new", []byte("new"))
		if seq != 5001 || !added {
			t.Errorf("the first message has number %d", seq)
		}
		var parts [store.SegmentParts][]byte // of a segment that is empty until now
		return errors.Join(err, tx.IndexSegment(1, "form", &parts))
	})
	s = reopen(t, s, dir)
	if !below(1, "oldest") || !below(store.SegmentSize, "old") || below(2, "new") || below(3, "old") {
		t.Error("what is there already was added, or what is not was not")
	}
	var got []string
	if err := s.View(t.Context(), func(tx *store.Tx) error {
		if has, err := tx.HasIndex(1); has || err != nil {
			t.Errorf("the segment's index does not know its message: %v", err)
		}
		n, size, err := tx.Size()
		if n != 3 || size < 12 {
			t.Errorf("%d messages of %d bytes", n, size)
		}
		return errors.Join(err, tx.Forth(0, func(r store.Row) (bool, error) {
			got = append(got, fmt.Sprint(r.Seq, string(r.Body)))
			return true, nil
		}))
	}); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(got, " "); text != "1oldest 2048old 5001new" {
		t.Error(text)
	}
	err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Reserve(9000) })
	if err == nil || !strings.HasPrefix(err.Error(), "store: numbers cannot be kept free: there are messages already") {
		t.Error(err)
	}
	if err := s.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AddMessageBelow(1, "c", "another", nil)
		return err
	}); err == nil {
		t.Error("two messages have one number")
	}
}
