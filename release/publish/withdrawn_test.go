package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/attest/statement"
	"github.com/countersign-project/countersign/release/event"
	"github.com/countersign-project/countersign/release/genuine"
	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

// withdrawal is a member's word about the release of an event.
func withdrawal(w *World, id event.ID, state string) statement.Withdrawal {
	p := w.Load(id)
	return statement.Withdrawal{Release: p.ReleaseSHA256(), Channel: p.Manifest.Channel, Version: p.Manifest.Version, State: state, Reason: "leaks keys", At: w.Now}
}

func TestWithdrawalsArePublishedAtOnce(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	w.Publish(id)
	before := w.Published().Versions
	for i, who := range []int{Ana, Ben} {
		w.Now = w.Now.Add(time.Minute)
		if err := w.Room.Events.PutStatement(t.Context(), id, w.Bundle(who, withdrawal(w, id, "withdrawn"))); err != nil {
			t.Fatal(err)
		}
		if r, err := w.Room.Step(t.Context(), w.Now); err != nil || len(r.Foreign) != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		s, err := w.Room.Repository.Load()
		if err != nil {
			t.Fatal(err)
		}
		f, ok := s.Set.Withdrawn()
		if !ok || f.Version != int64(i+1) || s.Published.Versions["snapshot"] != before["snapshot"]+int64(i+1) || s.Published.Versions["timestamp"] != before["timestamp"]+int64(i+1) {
			t.Fatalf("withdrawn %+v %v, versions %v", f, ok, s.Published.Versions)
		}
		list, err := genuine.ParseFile(s.Base.Withdrawn.Content)
		if err != nil || len(list.Statements) != i+1 {
			t.Fatalf("%d statements, %v", len(list.Statements), err)
		}
	}
	// Doing it again changes nothing; a later word of one person takes the place of the earlier.
	if _, err := w.Room.Step(t.Context(), w.Now); err != nil {
		t.Fatal(err)
	}
	w.Now = w.Now.Add(time.Minute)
	if err := w.Room.Events.PutStatement(t.Context(), id, w.Bundle(Ana, withdrawal(w, id, "reinstated"))); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Room.Step(t.Context(), w.Now); err != nil {
		t.Fatal(err)
	}
	s, err := w.Room.Repository.Load()
	if err != nil {
		t.Fatal(err)
	}
	list, err := genuine.ParseFile(s.Base.Withdrawn.Content)
	if f, _ := s.Set.Withdrawn(); err != nil || f.Version != 3 || len(list.Statements) != 2 {
		t.Fatalf("version %d, %d statements, %v", f.Version, len(list.Statements), err)
	}
	text := w.Load(id).Status(s.Published, "").Text()
	for _, want := range []string{"reinstated by Ana Sousa (Alpha, PT)", "withdrawn by Ben Weiss (Beta, DE)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// The next release keeps the list.
	w.Now = w.Now.Add(time.Minute)
	w.Publish(w.Release("1.1.0", "stable", Ana, Ben, Cleo))
	if s, err = w.Room.Repository.Load(); err != nil || s.Base.Withdrawn.Version != 3 {
		t.Fatalf("version %d after the next release, %v", s.Base.Withdrawn.Version, err)
	}
	// A list with other bytes than the snapshot names is found out.
	if err := os.WriteFile(filepath.Join(w.Room.Repository.Dir, "metadata", "3.withdrawn.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Room.Repository.Load(); err == nil || !strings.Contains(err.Error(), "metadata/3.withdrawn.json is not the one the snapshot names") {
		t.Error(err)
	}
}

func TestWithdrawalsOfOtherReleasesAreRefused(t *testing.T) {
	w := New(t)
	w.Distribute()
	id := w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	for name, change := range map[string]func(*statement.Withdrawal){
		"release": func(s *statement.Withdrawal) { s.Release[0] ^= 1 },
		"version": func(s *statement.Withdrawal) { s.Version = "1.0.1" },
		"channel": func(s *statement.Withdrawal) { s.Channel = "beta" },
	} {
		s := withdrawal(w, id, "withdrawn")
		change(&s)
		if err := w.Room.Events.PutStatement(t.Context(), id, w.Bundle(Ana, s)); err == nil {
			t.Errorf("another %s was taken", name)
		}
	}
}
