package updatecmd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/release/update/launch"
)

// Somebody asks while a check by the clock goes on in the same process, which may take long: he has his turn after it, and may stop to wait.
func TestWhoAsksMeanwhileWaits(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		h := &Host{app: new(cli.App), started: &launch.Started{Home: home.At(dir, "messenger")}, asking: make(chan struct{}, 1)}
		_, done, err := h.updater(t.Context(), "", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		asks := func(ctx context.Context) chan error {
			answer := make(chan error, 1)
			go func() {
				_, done, err := h.updater(ctx, "", nil, nil)
				if err == nil {
					done()
				}
				answer <- err
			}()
			synctest.Wait()
			return answer
		}
		impatient, leave := context.WithCancel(t.Context())
		left, patient := asks(impatient), asks(t.Context())
		if len(left)+len(patient) > 0 {
			t.Fatal("there are two updaters in one process")
		}
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		done()
		if err := <-patient; err != nil {
			t.Error(err)
		}
		if _, _, err := h.updater(t.Context(), "", []string{"no URL"}, nil); err == nil {
			t.Error("a mirror without an address")
		}
		if err := <-asks(t.Context()); err != nil { // a turn that has failed is over, too
			t.Error(err)
		}
	})
}
