package launch

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// A child says that it is ready and healthy and ends at once, and the busy parent sees its end first: the words count all the same. A version that
// was healthy has passed its trial, and a service that was ready is started again.
func TestTheEndIsSeenBeforeTheLastWords(t *testing.T) {
	for _, c := range []struct {
		said    []string
		watched bool
		want    ending
		why     string
		ready   bool
	}{
		{[]string{wordReady, wordHealthy}, true, exited, "", true},
		{[]string{wordReady}, true, failed, "it ended with exit code 9 before it was healthy", true},
		{nil, true, failed, "it ended with exit code 9 before it was healthy", false},
		{[]string{wordReady}, false, exited, "", true},
		{nil, false, exited, "", false},
	} {
		h := home.At(t.TempDir(), "messenger")
		_, err := h.Change(func(st *home.State) error {
			st.Switch("1.1.0", home.File{Length: 1}, "", "", time.Unix(0, 0))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			s := quietSupervisor(h)
			child := &child{version: "1.1.0", watched: c.watched, code: 9, words: make(chan string), exited: make(chan struct{})}
			close(child.exited)
			done := make(chan struct{})
			var got ending
			var why string
			go func() {
				defer close(done)
				got, why = s.attend(child)
			}()
			synctest.Wait() // it has seen the end
			for _, word := range c.said {
				select {
				case child.words <- word:
				case <-done:
					t.Errorf("%q: judged before it was heard", c.said)
					return
				}
			}
			close(child.words)
			<-done
			if got != c.want || why != c.why || child.ready != c.ready {
				t.Errorf("%q: ending %d, %q, ready %v; want %d, %q, %v", c.said, got, why, child.ready, c.want, c.why, c.ready)
			}
		})
		st, err := h.Load()
		if passed := st.Served == "1.1.0"; err != nil || passed != (len(c.said) == 2) {
			t.Errorf("%q: %+v, %v", c.said, st, err)
		}
	}
}

// The service is stopped while a version is on trial: parent and child are asked together, and the child's end is seen before the signal. Nobody holds
// that against the version.
func TestStoppedWhileOnTrial(t *testing.T) {
	h := home.At(t.TempDir(), "messenger")
	ended := exec.Command(os.Args[0], "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for _, late := range []time.Duration{0, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			s := quietSupervisor(h)
			life, _, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			health, _, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			child := &child{version: "1.1.0", watched: true, words: make(chan string), exited: make(chan struct{}), process: ended.Process, life: life, health: health}
			close(child.words)
			close(child.exited)
			time.AfterFunc(late, func() { s.signals <- os.Interrupt })
			if late == 0 {
				synctest.Wait() // both are there
			}
			if got, why := s.attend(child); got != stopped || why != "" {
				t.Errorf("a signal that comes after %v: ending %d, %q", late, got, why)
			}
		})
	}
}

// Whoever holds a dead child's pipe without a word does not hold up the service.
func TestTheLastWordsMayNotComeAtAll(t *testing.T) {
	h := home.At(t.TempDir(), "messenger")
	synctest.Test(t, func(t *testing.T) {
		s := quietSupervisor(h)
		child := &child{code: 9, words: make(chan string), exited: make(chan struct{})}
		close(child.exited)
		if got, why := s.attend(child); got != exited || why != "" {
			t.Errorf("ending %d, %q", got, why)
		}
	})
}

// quietSupervisor watches with the usual times, and where it would become another version it finds that the child has ended.
func quietSupervisor(h home.Home) *supervisor {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	now := func() time.Time { return time.Unix(0, 0) }
	return &supervisor{Watch: Usual(log), signals: make(chan os.Signal, 1),
		started: &Started{Program: Program{Name: "messenger", Version: "1.0.0"}, Home: h, BaseVersion: "1.0.0", Executable: filepath.Join(h.Dir, "base")},
		pick:    picker{home: h, self: "1.0.0", now: now, notice: func(string) {}, serve: true}}
}
