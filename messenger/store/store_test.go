package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/countersign-project/countersign/messenger/store"
)

// light is a cost for tests.
var light = store.Cost{Time: 1, Memory: 8, Threads: 1}

func create(t *testing.T) (*store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Create(t.Context(), dir, []byte("swordfish"), light)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, dir
}

func update(t *testing.T, s *store.Store, f func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, s *store.Store, dir string) *store.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), dir, []byte("swordfish"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestEntriesComeBackInOrder(t *testing.T) {
	s, dir := create(t)
	update(t, s, func(tx *store.Tx) error {
		for _, name := range []string{"b", "a", "c"} {
			if err := tx.Put(store.Contacts, name, []byte("value of "+name)); err != nil {
				return err
			}
		}
		if err := tx.Put(store.Outbox, "a", nil); err != nil {
			return err
		}
		return tx.Delete(store.Contacts, "c")
	})
	s = reopen(t, s, dir)
	update(t, s, func(tx *store.Tx) error { return tx.Put(store.Contacts, "b", []byte("again")) })
	var got []string
	err := s.View(t.Context(), func(tx *store.Tx) error {
		if _, ok, err := tx.Get(store.Contacts, "c"); ok || err != nil {
			t.Error("c is still there", err)
		}
		if v, ok, err := tx.Get(store.Outbox, "a"); !ok || err != nil || len(v) != 0 {
			t.Error("an empty value:", v, ok, err)
		}
		return tx.Each(store.Contacts, func(name string, v []byte) error {
			got = append(got, name+"="+string(v))
			return nil
		})
	})
	if want := "b=again a=value of a"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

func TestAnErrorLeavesEverythingAsItWas(t *testing.T) {
	s, _ := create(t)
	failed := errors.New("no")
	err := s.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Put(store.Sessions, "bob.1", []byte("next")); err != nil {
			return err
		}
		if _, _, err := tx.AddMessage("bob", "bob 1", []byte("text")); err != nil {
			return err
		}
		return failed
	})
	if err != failed {
		t.Fatal(err)
	}
	err = s.View(t.Context(), func(tx *store.Tx) error {
		if _, ok, _ := tx.Get(store.Sessions, "bob.1"); ok {
			t.Error("the session was kept")
		}
		if _, ok, _ := tx.MessageByRef("bob 1"); ok {
			t.Error("the message was kept")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMessages(t *testing.T) {
	s, _ := create(t)
	update(t, s, func(tx *store.Tx) error {
		for i := range 5 {
			conversation := []string{"alice", "bob"}[i%2]
			seq, added, err := tx.AddMessage(conversation, fmt.Sprint("ref ", i), fmt.Append(nil, "text ", i))
			if err != nil || !added || seq != int64(i+1) {
				t.Fatal(seq, added, err)
			}
		}
		if seq, added, err := tx.AddMessage("bob", "ref 3", []byte("a second time")); added || err != nil {
			t.Fatal("a repetition was added", seq, err)
		}
		return tx.SetMessage(3, []byte("edited"))
	})
	update(t, s, func(tx *store.Tx) error { return tx.DeleteMessage(4) })
	var alice, all []string
	err := s.View(t.Context(), func(tx *store.Tx) error {
		collect := func(to *[]string, most int) func(store.Row) (bool, error) {
			return func(r store.Row) (bool, error) {
				*to = append(*to, string(r.Body))
				return len(*to) < most, nil
			}
		}
		if err := tx.Messages("alice", 5, collect(&alice, 9)); err != nil {
			return err
		}
		return tx.Scan(0, collect(&all, 3))
	})
	if err != nil || fmt.Sprint(alice) != "[edited text 0]" || fmt.Sprint(all) != "[text 4 edited text 1]" {
		t.Errorf("%q, %q, %v", alice, all, err)
	}
}

func TestWhoMayOpenIt(t *testing.T) {
	s, dir := create(t)
	_, err := store.Open(t.Context(), dir, []byte("swordfish"))
	if want := dir + ": another messenger process has this account open"; !errors.Is(err, store.ErrInUse) || err.Error() != want {
		t.Errorf("a second process: %v", err)
	}
	if _, err := store.Create(t.Context(), dir, []byte("x"), light); !errors.Is(err, store.ErrInUse) {
		t.Errorf("created over an open one: %v", err)
	}
	s.Close()
	if _, err := store.Create(t.Context(), dir, []byte("x"), light); !errors.Is(err, store.ErrExists) {
		t.Errorf("created over a closed one: %v", err)
	}
	if _, err := store.Open(t.Context(), dir, []byte("sword")); !errors.Is(err, store.ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := store.Open(t.Context(), t.TempDir(), []byte("sword")); !errors.Is(err, store.ErrNone) {
		t.Errorf("no store: %v", err)
	}
	if _, err := store.Create(t.Context(), t.TempDir(), nil, light); err == nil || err.Error() != "the passphrase is empty" {
		t.Errorf("no passphrase: %v", err)
	}
	s = reopen(t, s, dir)
	if err := s.ChangePassphrase(t.Context(), store.Secret{Passphrase: []byte("wrong")}, []byte("new"), light); !errors.Is(err, store.ErrPassphrase) {
		t.Errorf("changed with a wrong one: %v", err)
	}
	if err := s.ChangePassphrase(t.Context(), byWord, []byte("new"), light); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if _, err := store.Open(t.Context(), dir, []byte("swordfish")); !errors.Is(err, store.ErrPassphrase) {
		t.Errorf("the old passphrase still opens it: %v", err)
	}
	if s, err = store.Open(t.Context(), dir, []byte("new")); err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestANewerStoreIsRefused(t *testing.T) {
	s, dir := create(t)
	s.Close()
	poke(t, dir, `PRAGMA user_version = 99`)
	_, err := store.Open(t.Context(), dir, []byte("swordfish"))
	if want := "a newer version of the messenger has used this account: its form is 99, this program knows 2; start the newer program"; err == nil || err.Error() != want {
		t.Error(err)
	}
}

// A store of form 1, which had no index, opens with what is in it and can be given one.
func TestAnOlderStoreIsBroughtForward(t *testing.T) {
	s, dir := create(t)
	update(t, s, func(tx *store.Tx) error {
		_, _, err := tx.AddMessage("bob", "bob 1", []byte("before"))
		return err
	})
	s.Close()
	poke(t, dir, `DROP TABLE segment; DROP TABLE segment_part; PRAGMA user_version = 1`)
	s = reopen(t, s, dir)
	update(t, s, func(tx *store.Tx) error {
		row, ok, err := tx.MessageByRef("bob 1")
		if err != nil || !ok || string(row.Body) != "before" {
			t.Error(row, ok, err)
		}
		return tx.IndexSegment(0, "a form", &[store.SegmentParts][]byte{3: []byte("part three")})
	})
	s = reopen(t, s, dir)
	err := s.View(t.Context(), func(tx *store.Tx) error {
		if part, err := tx.IndexPart(0, 3); err != nil || string(part) != "part three" {
			t.Errorf("%q, %v", part, err)
		}
		for form, want := range map[string]bool{"a form": true, "another": false} {
			if indexed, complete, err := tx.Segments(form); err != nil || complete != 0 || indexed[0] != want {
				t.Error(form, indexed, complete, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// Parts of an index cannot change places, and nothing in them can be read.
func TestPartsOfAnIndexAreSealed(t *testing.T) {
	s, dir := create(t)
	update(t, s, func(tx *store.Tx) error {
		return tx.IndexSegment(5, "a form", &[store.SegmentParts][]byte{1: []byte("wordsinpartone"), 2: []byte("wordsinparttwo")})
	})
	s.Close()
	search(t, dir, []string{"wordsinpart"})
	poke(t, dir, `UPDATE segment_part SET body = (SELECT body FROM segment_part WHERE id = 5 * 64 + 2) WHERE id = 5 * 64 + 1`)
	s = reopen(t, s, dir)
	err := s.View(t.Context(), func(tx *store.Tx) error { _, err := tx.IndexPart(5, 1); return err })
	if want := "store: an entry of kind 255 is damaged, or was moved here from elsewhere"; err == nil || err.Error() != want {
		t.Error(err)
	}
}

// poke changes the file behind the store's back.
func poke(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whoever can write the file cannot pass one entry off as another.
func TestEntriesCannotBeMoved(t *testing.T) {
	for _, swap := range []string{
		`UPDATE item SET body = (SELECT body FROM item WHERE seq = 1) WHERE seq = 2`, // another name
		`UPDATE item SET body = (SELECT body FROM item WHERE seq = 3) WHERE seq = 2`, // the same name in another bucket
		`UPDATE item SET body = substr(body, 1, length(body) - 1) WHERE seq = 2`,
		`UPDATE item SET body = x'' WHERE seq = 2`,
	} {
		s, dir := create(t)
		update(t, s, func(tx *store.Tx) error {
			if err := tx.Put(store.Peers, "mallory", []byte("verified")); err != nil {
				return err
			}
			if err := tx.Put(store.Peers, "alice", []byte("changed")); err != nil {
				return err
			}
			return tx.Put(store.Contacts, "alice", []byte("verified"))
		})
		s.Close()
		poke(t, dir, swap)
		s = reopen(t, s, dir)
		err := s.View(t.Context(), func(tx *store.Tx) error {
			v, _, err := tx.Get(store.Peers, "alice")
			if err == nil {
				t.Errorf("%s: read %q", swap, v)
			}
			return tx.Each(store.Peers, func(string, []byte) error { return nil })
		})
		if err == nil || !strings.HasPrefix(err.Error(), "store: an entry of kind 4 is damaged") {
			t.Errorf("%s: %v", swap, err)
		}
		s.Close()
	}
}

// A thief of the directory, with the store open or closed, finds no text, name, number or key.
func TestNothingIsReadableOnDisk(t *testing.T) {
	s, dir := create(t)
	key := []byte("\x05\x91\x02a key of thirty-two bytes 12345678")
	secrets := []string{"meet me at the old bridge", "Aunt Philomena", "+14155550123", "swordfish", string(key), "outbox-name-9"}
	update(t, s, func(tx *store.Tx) error {
		for i, b := range []store.Bucket{store.Own, store.Sessions, store.Contacts, store.Outbox, store.Groups} {
			if err := tx.Put(b, secrets[2], []byte(secrets[1])); err != nil {
				return err
			}
			if err := tx.Put(b, secrets[5], key); err != nil {
				return err
			}
			if _, _, err := tx.AddMessage(secrets[2], fmt.Sprint(secrets[2], i), []byte(secrets[0])); err != nil {
				return err
			}
		}
		if err := store.Save(tx, store.Settings, "name", struct{ Name string }{secrets[1]}); err != nil {
			return err
		}
		return tx.SetMessage(1, []byte(secrets[0]+secrets[1]))
	})
	search(t, dir, secrets)
	s.Close()
	search(t, dir, secrets)
}

func search(t *testing.T, dir string, secrets []string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	total := 0
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		total += len(b)
		if i, _ := f.Info(); i.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%s is open to others: %v", f.Name(), i.Mode())
		}
		for _, s := range secrets {
			for how, form := range forms(s) {
				if bytes.Contains(bytes.ToLower(b), bytes.ToLower(form)) {
					t.Errorf("%s holds %q as %s", f.Name(), s, how)
				}
			}
		}
	}
	if total < 16<<10 {
		t.Errorf("only %d bytes were searched", total)
	}
}

func forms(s string) map[string][]byte {
	var wide []byte
	for _, u := range utf16.Encode([]rune(s)) {
		wide = append(wide, byte(u), byte(u>>8))
	}
	b64 := base64.RawStdEncoding.EncodeToString([]byte(s))
	return map[string][]byte{"text": []byte(s), "UTF-16": wide, "hex": []byte(hex.EncodeToString([]byte(s))), "base64": []byte(b64[:len(b64)-2])}
}

func TestViewDoesNotWaitForUpdate(t *testing.T) {
	s, _ := create(t)
	update(t, s, func(tx *store.Tx) error { return tx.Put(store.Contacts, "a", []byte("old")) })
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Put(store.Contacts, "a", []byte("new")); err != nil {
			return err
		}
		return s.View(context.Background(), func(view *store.Tx) error {
			if v, _, err := view.Get(store.Contacts, "a"); string(v) != "old" {
				t.Errorf("%q, %v", v, err)
			}
			return nil
		})
	})
}

// What comes after a commit comes before another Update begins, however long that has been waiting; after what was not committed nothing comes.
func TestAfterACommit(t *testing.T) {
	s, _ := create(t)
	var order []string // by whoever has the store to himself
	second := make(chan error, 1)
	update(t, s, func(tx *store.Tx) error {
		go func() {
			second <- s.Update(t.Context(), func(*store.Tx) error { order = append(order, "the second begins"); return nil })
		}()
		tx.After(func() {
			for range 10_000 { // the second has every chance
				runtime.Gosched()
			}
			order = append(order, "after the first")
		})
		return tx.Put(store.Contacts, "a", []byte("value"))
	})
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	if want := []string{"after the first", "the second begins"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
	no := errors.New("no")
	if err := s.Update(t.Context(), func(tx *store.Tx) error { tx.After(func() { t.Error("told of what was not committed") }); return no }); !errors.Is(err, no) {
		t.Error(err)
	}
}
