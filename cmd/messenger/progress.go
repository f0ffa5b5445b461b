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

// worthABar is how much there has to be, in bytes, before a bar is shown.
const worthABar = 1 << 20

// stepWords are what a person reads.
var stepWords = map[client.Step]string{client.Encrypting: "encrypting", client.Uploading: "sending", client.Downloading: "fetching"}

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
	var bar *cli.Bar
	var step client.Step
	end := func() {
		if bar != nil {
			bar.Done()
		}
		bar = nil
	}
	defer end()
	for {
		var now rpc.Progress
		select {
		case <-over:
			return
		case n, ok := <-c.Notifications():
			if !ok {
				return
			}
			if n.Method != "progress" || json.Unmarshal(n.Params, &now) != nil || now.ID != progressName {
				continue
			}
		}
		if now.What != step {
			end()
			step = now.What
		}
		if bar == nil && p.app.Terminal() && now.Total >= worthABar && now.Done < now.Total {
			label := stepWords[step]
			if now.Resumed > 0 {
				label += fmt.Sprintf(" on, after %d %%", 100*now.Resumed/now.Total)
			}
			bar = p.app.Progress(label, now.Total, true)
		}
		if bar != nil {
			bar.Set(now.Done)
		}
	}
}

// stopped says what becomes of something that was stopped by the person.
func stopped(err error, what string) error {
	if errors.Is(err, context.Canceled) {
		return cli.Hint(errors.New("stopped"), what)
	}
	return err
}
