package main

import (
	"sync"
	"time"

	"github.com/countersign-project/countersign/cmd/updatecmd"
	"github.com/countersign-project/countersign/messenger/server/api"
	"github.com/countersign-project/countersign/release/genuine"
)

// aboutEvery is how old an answer to GET /v3/about may be: judging oneself reads the whole program file.
const aboutEvery = time.Minute

// describer answers GET /v3/about.
type describer struct {
	host *updatecmd.Host
	now  func() time.Time

	mu   sync.Mutex
	last api.About // mu
	at   time.Time // mu
}

func (d *describer) about() api.About {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if age := now.Sub(d.at); !d.at.IsZero() && age >= 0 && age < aboutEvery {
		return d.last
	}
	b := d.host.Describe()
	d.at = now
	d.last = api.About{Program: b.Program, Version: b.Version, OS: b.OS, Arch: b.Arch, SHA256: b.SHA256.String(), Channel: b.Channel,
		Distribution: b.Distribution, Outcome: b.Outcome.String(), Why: b.Why}
	if !b.Checked.IsZero() {
		d.last.Checked = b.Checked.UnixMilli()
	}
	if b.Verdict != nil && b.Outcome != genuine.Genuine {
		first, _ := b.Verdict.First()
		d.last.Why = first.Text
	}
	return d.last
}
