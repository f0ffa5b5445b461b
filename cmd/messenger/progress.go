package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// progressName is what a command calls its one request that takes long.
const progressName = "this"

// worthABar is how much there has to be, in bytes or messages, before a bar is shown.
func worthABar(p client.Progress) bool {
	if ofMessages(p.What) {
		return p.Total >= 1000
	}
	return p.Total >= 1<<20
}

func ofMessages(s client.Step) bool { return s == client.Packing || s == client.TakingOver }

// stepWord is what a person reads.
func stepWord(s client.Step) string {
	switch s {
	case client.Uploading:
		return "sending"
	case client.Downloading:
		return "fetching"
	case client.TakingOver:
		return "taking over the history"
	}
	return string(s)
}

// showing runs call, whose request has asked for progress as progressName, and shows that on a terminal. Nobody else may read c's notifications meanwhile.
func (p *place) showing(c *rpc.Client, call func() error) error {
	over, shown := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(shown)
		p.showProgress(c, over)
	}()
	err := call()
	close(over)
	<-shown
	return err
}

func (p *place) showProgress(c *rpc.Client, over <-chan struct{}) {
	b := &bars{app: p.app}
	defer b.end()
	for {
		select {
		case <-over:
			return
		case n, ok := <-c.Notifications():
			if !ok {
				return
			}
			var now rpc.Progress
			if n.Method == "progress" && json.Unmarshal(n.Params, &now) == nil && now.ID == progressName {
				b.show(now.Progress)
			}
		}
	}
}

// bars shows one step after the other, on a terminal.
type bars struct {
	app  *cli.App
	step client.Step
	bar  *cli.Bar // nil: none is shown
}

func (b *bars) show(now client.Progress) {
	if now.What != b.step {
		b.end()
		b.step = now.What
	}
	if b.bar == nil && b.app.Terminal() && worthABar(now) && now.Done < now.Total {
		label := stepWord(now.What)
		if now.Resumed > 0 {
			label += fmt.Sprintf(" on, after %d %%", 100*now.Resumed/now.Total)
		}
		b.bar = b.app.Progress(label, now.Total, !ofMessages(now.What))
	}
	if b.bar != nil {
		b.bar.Set(now.Done)
	}
}

func (b *bars) end() {
	if b.bar != nil {
		b.bar.Done()
	}
	b.bar = nil
}

// stopped says what becomes of something that was stopped by the person.
func stopped(err error, what string) error {
	if errors.Is(err, context.Canceled) {
		return cli.Hint(errors.New("stopped"), what)
	}
	return err
}
