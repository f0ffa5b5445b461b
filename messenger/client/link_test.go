package client_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
)

// newcomer begins to link a device, and returns the code that it shows, and how it ends.
func (w *world) newcomer(draft bool, confirm func() bool) (code string, ended <-chan error) {
	w.Helper()
	e := &device{world: w, name: "newcomer", dir: filepath.Join(w.TempDir(), "newcomer"), log: new(logBook)}
	shown, end := make(chan string, 1), make(chan error, 1)
	go func() {
		acc, err := client.Link(w.Context(), w.options(e), []byte("passphrase"), client.Linking{Name: "newcomer", Draft: draft,
			Show:    func(code string) error { shown <- code; return nil },
			Confirm: func(string, string) (bool, error) { return confirm(), nil }})
		if err == nil {
			err = acc.Close()
		}
		if err != nil && e.here() {
			err = fmt.Errorf("something was left behind: %w", err)
		}
		end <- err
	}()
	select {
	case code = <-shown:
	case err := <-end:
		w.Fatal(err)
	case <-time.After(patience):
		w.Fatal("no code is shown")
	}
	return code, end
}

const tooLate = "nobody scanned the code within 2m0s: begin again"

// A code is good for two minutes and for one device, whichever codec it is of.
func TestACodeIsGoodForTwoMinutesAndOnce(t *testing.T) {
	for _, draft := range []bool{false, true} {
		t.Run(fmt.Sprintf("draft codec %v", draft), func(t *testing.T) {
			w := newWorld(t)
			phone := w.person("phone")
			add := func(ctx context.Context, code string) error {
				_, err := phone.acc.AddDevice(ctx, code, func(string) (bool, error) { return true, nil })
				return err
			}
			ends := func(ended <-chan error, want string) {
				t.Helper()
				select {
				case err := <-ended:
					if got := fmt.Sprint(err); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				case <-time.After(patience):
					t.Fatal("it goes on")
				}
			}
			// Nobody comes.
			never := func() bool { t.Error("the person is asked"); return false }
			_, ended := w.newcomer(draft, never)
			w.skew.Add(int64(2 * time.Minute))
			ends(ended, tooLate)
			// Somebody comes when it is too late by the clock, whatever has kept this computer from noticing: nobody is asked anything.
			code, ended := w.newcomer(draft, never)
			w.skew.Add(int64(2*time.Minute + time.Millisecond))
			ctx, cancel := context.WithCancel(t.Context())
			added := make(chan error, 1)
			go func() { added <- add(ctx, code) }() // the first device may have sent what the newcomer does not take
			ends(ended, tooLate)
			cancel()
			if err := <-added; err == nil {
				t.Error("added by a code that is too old")
			}
			// In time; and then the code is used up, for whoever has taken a picture of it, too.
			w.skew.Add(int64(time.Hour)) // or too many were linked
			code, ended = w.newcomer(draft, func() bool { return true })
			w.skew.Add(int64(time.Minute))
			if err := add(t.Context(), code); err != nil {
				t.Fatal(err)
			}
			ends(ended, "<nil>")
			w.skew.Add(int64(time.Hour))
			if err := add(t.Context(), code); err == nil || !strings.Contains(err.Error(), "nobody waits at this address: the code on the other screen is used up or too old (404)") {
				t.Error(err)
			}
			if list, err := phone.acc.Devices(t.Context()); err != nil || len(list) != 2 {
				t.Error(list, err)
			}
		})
	}
}
