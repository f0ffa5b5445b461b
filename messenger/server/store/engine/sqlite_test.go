package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign-project/countersign/messenger/server/deliver/peer"
	"github.com/countersign-project/countersign/messenger/server/store"
)

// One server at a time; a short command may come beside it.
func TestOneServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path)
	_, err := Open(t.Context(), path, Options{})
	if !errors.Is(err, store.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second server: %v", err)
	}
	beside := must[store.Store](t)(Open(t.Context(), path, Options{Beside: true}))
	check(t, beside.PutInvite(t.Context(), store.Invite{Hash: store.InviteHash{1}, Uses: 1, Created: now}))
	check(t, beside.Close())
	check(t, s.CheckInvite(t.Context(), store.InviteHash{1}, now))
	check(t, s.Close())
	check(t, open(t, path).Close())
	info := must[os.FileInfo](t)(os.Stat(path))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A backup made while envelopes arrive is a database of one moment: it has all that was acknowledged before it
// began, and no hole in what it has of one sender.
func TestBackupWhileRunning(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "store.db"))
	defer func() { _ = s.Close() }()
	_, d := register(t, s, alice)
	var writer sync.WaitGroup
	started, stop := make(chan struct{}), make(chan struct{})
	writer.Go(func() {
		for i := range store.MaxQueued {
			enqueue(t, s, d, fmt.Sprint(i))
			if i == 50 {
				close(started)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	<-started
	copied := filepath.Join(dir, "backup.db")
	check(t, s.Backup(t.Context(), copied))
	close(stop)
	writer.Wait()
	if err := s.Backup(t.Context(), copied); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over an existing file: %v", err)
	}
	b := open(t, copied)
	defer func() { _ = b.Close() }()
	n, _, err := b.Depth(t.Context(), d)
	if err != nil || n < 51 {
		t.Fatalf("the backup has %d envelopes, %v", n, err)
	}
	i := 0
	for after := int64(0); ; {
		page := must[[]store.Envelope](t)(b.Page(t.Context(), d, after, store.MaxPage))
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if string(e.Body) != fmt.Sprint(i) {
				t.Fatalf("place %d has %q", i, e.Body)
			}
			i, after = i+1, e.ID
		}
	}
	must[store.Account](t)(b.Account(t.Context(), alice))
}

func TestPostgresBackup(t *testing.T) {
	s := open(t, peer.StartPostgres(t).Database())
	defer func() { _ = s.Close() }()
	if err := s.Backup(t.Context(), "x"); !errors.Is(err, store.ErrBackupElsewhere) || !strings.Contains(err.Error(), "pg_dump") {
		t.Errorf("got %v", err)
	}
}

// Several servers that start at once on one empty database agree on its schema.
func TestMigrationRace(t *testing.T) {
	pg := peer.StartPostgres(t)
	for range 10 { // PostgreSQL has several words for who came second
		url := pg.Database()
		together(8, func(int) {
			s, err := Open(t.Context(), url, Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A path that cannot be opened says which one.
func TestOpenRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "store.db")
	if _, err := Open(t.Context(), path, Options{}); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "not.db")
	check(t, os.WriteFile(file, []byte(strings.Repeat("this is not a database\n", 500)), 0o600))
	if _, err := Open(t.Context(), file, Options{}); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if data := must[[]byte](t)(os.ReadFile(file)); !strings.HasPrefix(string(data), "this is not") {
		t.Error("the file was changed")
	}
}
