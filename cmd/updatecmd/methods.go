package updatecmd

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/update"
)

// Methods are about and update for programs and the page, which ask the running program instead of starting a command:
//
//	about {}                          update.Picture
//	checkForUpdate {}                 update.Result: asks the mirrors and judges, installs nothing
//	updateNow {}                      update.Result: installs; if something was installed the program starts again as it
//	updateSettings {channel, automatic, pin, unpin}   about; pin is a version or "current", and the only way down
//	returnToLastVersion {}            update.Result: goes back to the version before this one, and stays there
//
// While an update goes on each step is a notification "update": see Service.Event.
func (h *Host) Methods(s *Service) map[string]func(context.Context, json.RawMessage) (any, error) {
	return map[string]func(context.Context, json.RawMessage) (any, error){
		"about": func(context.Context, json.RawMessage) (any, error) { return h.Picture(), nil },
		"checkForUpdate": func(ctx context.Context, _ json.RawMessage) (any, error) {
			return h.ask(ctx, s, func(u *update.Updater) (update.Result, error) { return u.Check(ctx) })
		},
		"updateNow": func(ctx context.Context, _ json.RawMessage) (any, error) {
			return h.ask(ctx, s, func(u *update.Updater) (update.Result, error) { return u.Update(ctx) })
		},
		"updateSettings": func(ctx context.Context, params json.RawMessage) (any, error) {
			return h.settings(ctx, s, params)
		},
		"returnToLastVersion": func(ctx context.Context, _ json.RawMessage) (any, error) {
			to := h.Picture().Return
			if to == "" {
				return nil, fmt.Errorf("there is no version before %s on this computer that may be used", h.started.Program.Version)
			}
			return h.ask(ctx, s, func(u *update.Updater) (update.Result, error) { return u.Pin(ctx, to) })
		},
	}
}

// Picture is about, arranged for a page.
func (h *Host) Picture() update.Picture {
	p := update.Paint(h.anchor, h.none, h.started.Home, h.running(), h.app.Now())
	if h.none == nil {
		p.Channels = h.channels()
	}
	return p
}

// Describe is what 'about' says.
func (h *Host) Describe() update.About {
	return update.Describe(h.anchor, h.none, h.started.Home, h.running(), h.app.Now())
}

// Judge checks what another computer says it runs, as far as that can be known from here.
func (h *Host) Judge(ctx context.Context, s *Service, c update.Claim) (update.Claimed, error) {
	if h.none != nil {
		return update.Unjudged(h.none), nil
	}
	u, done, err := h.updater(ctx, "", s.repository, s.Way)
	if err != nil {
		return update.Claimed{}, err
	}
	defer done()
	return u.Judge(ctx, c), nil
}

// ask runs one round for somebody, and starts the program again if another version is installed now.
func (h *Host) ask(ctx context.Context, s *Service, round func(*update.Updater) (update.Result, error)) (update.Result, error) {
	if h.none != nil {
		return update.Result{}, h.none
	}
	u, done, err := h.updater(ctx, "", s.repository, s.Way)
	if err != nil {
		return update.Result{}, err
	}
	defer done()
	u.Report = s.event
	r, err := round(u)
	if parent := h.parent.Load(); err == nil && r.Installed && parent != nil {
		parent.Restart()
	}
	return r, err
}

func (h *Host) settings(ctx context.Context, s *Service, params json.RawMessage) (any, error) {
	var in struct {
		Channel   *string `json:"channel"`
		Automatic *bool   `json:"automatic"`
		Unpin     bool    `json:"unpin"`
		Pin       string  `json:"pin"`
	}
	if len(params) > 0 {
		if err := json.Unmarshal(params, &in); err != nil {
			return nil, err
		}
	}
	if h.none != nil {
		return nil, h.none
	}
	if known := h.channels(); in.Channel != nil && !slices.Contains(known, *in.Channel) {
		return nil, fmt.Errorf("channel %q: the distribution has %s", *in.Channel, strings.Join(known, " and "))
	}
	if in.Pin != "" && in.Pin != update.Current && !anchor.ValidVersion(in.Pin) {
		return nil, fmt.Errorf("pin %q: want a version such as 1.4.0, or \"current\"", in.Pin)
	}
	if in.Channel != nil || in.Automatic != nil || in.Unpin {
		if _, err := update.Set(h.started.Home, in.Unpin, in.Channel, in.Automatic); err != nil {
			return nil, err
		}
	}
	if in.Pin != "" {
		if _, err := h.ask(ctx, s, func(u *update.Updater) (update.Result, error) { return u.Pin(ctx, in.Pin) }); err != nil {
			return nil, err
		}
	}
	return h.Picture(), nil
}
