package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// lastShown is how much of a conversation is shown before it goes on.
const lastShown = 20

// chat shows a conversation and what is new in it, and sends each line that is typed.
func (p *place) chat(ctx context.Context, c *rpc.Client, with string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	called, err := names(ctx, c)
	if err != nil {
		return err
	}
	conversation, err := p.conversation(ctx, c, with)
	if err != nil {
		return err
	}
	params := where(conversation)
	params["limit"] = lastShown
	var list []*history.Message
	if err := c.Call(ctx, "listMessages", params, &list); err != nil {
		return err
	}
	for _, m := range list {
		fmt.Fprintln(p.app.Out, oneLine(m, called))
	}
	read := func() error { return c.Call(ctx, "markRead", where(conversation), nil) }
	if err := read(); err != nil {
		return err
	}
	go func() {
		for n := range c.Notifications() {
			var e client.Event
			if n.Method != "event" || json.Unmarshal(n.Params, &e) != nil || e.Conversation != conversation || e.Message == nil {
				continue
			}
			failed := e.Type == client.EventUpdate && e.Message.Outgoing && e.Message.State().State == history.Failed
			if e.Type == client.EventMessage && !e.Message.Outgoing || failed {
				fmt.Fprintln(p.app.Out, oneLine(e.Message, called))
				_ = read() // next time, if not now
			}
		}
	}()
	lines := bufio.NewScanner(p.app.In)
	for lines.Scan() {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		params := where(conversation)
		params["message"], params["noWait"] = text, true
		if err := c.Call(ctx, "send", params, nil); err != nil {
			p.app.Say("%v", err)
		}
	}
	return c.Call(ctx, "flush", nil, nil)
}

// conversation finds the one that a person means.
func (p *place) conversation(ctx context.Context, c *rpc.Client, with string) (string, error) {
	if with == "me" {
		var status rpc.Status
		err := c.Call(ctx, "status", nil, &status)
		return status.Number, err
	}
	var found struct{ Conversation string }
	err := c.Call(ctx, "resolve", map[string]string{"name": with}, &found)
	return found.Conversation, err
}
