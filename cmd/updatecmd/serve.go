package updatecmd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/release/update"
	"github.com/countersign-project/countersign/release/update/launch"
)

// settle is how long a long-running mode must have worked before it says that it is healthy.
const settle = 5 * time.Second

// Service is a long-running mode.
type Service struct {
	// Work does the work until ctx ends; it calls ready once, when it has begun.
	Work func(ctx context.Context, log *slog.Logger, ready func()) error
	// Check tries the service from outside, as its users would.
	Check func(ctx context.Context) error
	// Event is told how an update goes, while the service runs; nil: nobody.
	Event func(update.Event)
	// Ask runs once in the parent, before all else: it asks a person for what the service needs to know, so that the next version has it too, and returns
	// the variable in which Work finds it. An error ends the parent. Nil: nothing is needed.
	Ask func(ctx context.Context) (variable, value string, err error)
	// Way is how its updates are fetched; nil: as the environment says.
	Way Way

	every      time.Duration
	repository []string
}

// Flags adds the flags of a long-running mode to its command.
func (s *Service) Flags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&s.every, "check-every", update.Every, "how often to ask for a new version, on average; the moment is chosen at random")
	repositoryFlag(cmd, &s.repository)
}

// Serve runs a long-running mode. The process that was started becomes the parent and runs the mode in a
// child of whichever version is current; the child does the work and looks for updates.
func (h *Host) Serve(ctx context.Context, s Service) error {
	if s.every <= 0 {
		return cli.Usagef("--check-every %v: want more than nothing", s.every)
	}
	log := h.logger(h.app.Err)
	parent := h.started.Connect(h.world)
	if parent == nil {
		if s.Ask != nil && !h.started.Serving(h.world) { // a parent that has just become another version has its answer
			variable, value, err := s.Ask(ctx)
			if err != nil {
				return err
			}
			h.started.Hand(variable, value)
		}
		h.code = h.started.Supervise(h.world, launch.Usual(log))
		return nil
	}
	h.parent.Store(parent)
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-parent.Gone():
			cancel()
		case <-ctx.Done():
		}
	}()
	log.Info("working", "version", h.started.Program.Version, "distribution", h.distribution())
	go h.keepUpdated(ctx, s, parent, log)
	return s.Work(ctx, log, func() {
		parent.Ready()
		go s.prove(ctx, parent, log)
	})
}

func (s *Service) event(e update.Event) {
	if s.Event != nil {
		s.Event(e)
	}
}

// logger writes lines for people, or JSON with --json. Nothing secret is ever given to it.
func (h *Host) logger(w io.Writer) *slog.Logger {
	if h.app.JSON {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

func (h *Host) distribution() string {
	if h.none != nil {
		return h.none.Error()
	}
	return h.anchor.Name
}

// prove tries the service for a while and then says that it is healthy. A service that never gets there
// is ended by its parent.
func (s *Service) prove(ctx context.Context, parent *launch.Parent, log *slog.Logger) {
	const tries = 5
	for good := 0; good < tries; {
		if update.Sleep(ctx, settle/tries) != nil {
			return
		}
		if err := s.Check(ctx); err != nil {
			good = 0
			log.Warn("not healthy", "error", err)
			continue
		}
		good++
	}
	parent.Healthy()
}

// keepUpdated looks for updates for as long as the service runs.
func (h *Host) keepUpdated(ctx context.Context, s Service, parent *launch.Parent, log *slog.Logger) {
	if h.none != nil {
		return
	}
	loop := update.Loop{Every: s.every, Random: rand.Reader, Sleep: update.Sleep, Round: func(ctx context.Context) error {
		err := h.round(ctx, s, parent, log)
		switch refused := new(interface{ Refused() bool }); {
		case ctx.Err() != nil:
		case errors.Is(err, update.ErrBusy):
			log.Info("another update is running")
		case errors.As(err, refused) && (*refused).Refused():
			log.Error("update refused", "reason", err, "staying at", h.started.Program.Version)
		case err != nil:
			log.Warn("no answer about updates", "reason", err)
		}
		h.warnWhenStale(log)
		return err
	}}
	loop.Run(ctx)
}

// round is one check; where the person allows it, with the update.
func (h *Host) round(ctx context.Context, s Service, parent *launch.Parent, log *slog.Logger) error {
	u, done, err := h.updater(ctx, "", s.repository, s.Way)
	if err != nil {
		return err
	}
	defer done()
	u.Report = func(e update.Event) {
		s.event(e)
		if e.Total == 0 && e.Step != update.StepCheck { // neither every buffer nor every check is worth a line
			log.Info("update", "step", e.Step, "version", e.Version, "what", e.Text)
		}
	}
	st, err := h.started.Home.Load()
	if err != nil {
		return err
	}
	ask := u.Update
	if st.Manual {
		ask = u.Check
	}
	r, err := ask(ctx)
	switch {
	case err != nil:
	case r.Installed:
		log.Info("update installed", "version", r.Newest)
		parent.Restart()
	case r.Newest != "":
		log.Info("a newer version is there", "version", r.Newest, "automatic", !st.Manual, "pinned", r.Pinned)
	}
	return err
}

// warnWhenStale says loudly, and louder with time, that nobody has confirmed lately what this device
// knows. It never stops anything.
func (h *Host) warnWhenStale(log *slog.Logger) {
	st, err := h.started.Home.Load()
	if err != nil {
		log.Warn("state of updates", "error", err)
		return
	}
	switch f := update.Fresh(h.anchor, h.started.Home, st.Channel, h.app.Now()); f.Stage {
	case update.StageFresh, update.StageNever:
	case update.StageAlarm:
		log.Error(fmt.Sprintf("ALARM: %s", f.Text))
	default:
		log.Warn(fmt.Sprintf("%s: %s", f.Stage, f.Text))
	}
}
