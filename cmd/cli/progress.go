package cli

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// Bar shows how far a long step is: a moving bar on a terminal, one line at its start and end
// elsewhere, nothing with --quiet.
type Bar struct {
	app   *App
	bar   *progressbar.ProgressBar // nil where there is no terminal
	label string
	start time.Time
}

// Progress starts a step of total units (bytes when bytes is set, otherwise items). total < 0 means
// that the size is not known.
func (a *App) Progress(label string, total int64, bytes bool) *Bar {
	b := &Bar{app: a, label: label, start: a.Now()}
	if a.Quiet {
		return b
	}
	if !a.Terminal() {
		a.Say("%s …", label)
		return b
	}
	b.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(a.Err),
		progressbar.OptionSetDescription(label),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	return b
}

// Set tells how many units are done.
func (b *Bar) Set(done int64) {
	if b.bar != nil {
		_ = b.bar.Set64(done) // a bar that cannot be drawn is no reason to stop
	}
}

// Describe changes what the bar says it is doing.
func (b *Bar) Describe(label string) {
	b.label = label
	if b.bar != nil {
		b.bar.Describe(label)
	} else {
		b.app.Say("%s …", label)
	}
}

// Done ends the step and leaves one line saying how long it took.
func (b *Bar) Done() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
	b.app.Say("%s: %.1f s", b.label, b.app.Now().Sub(b.start).Seconds())
}
