package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
	"github.com/countersign-project/countersign/messenger/tui"
)

// callAndPrint calls a method and prints its result: the JSON with --json, else what print makes of it.
func (p *place) callAndPrint(ctx context.Context, c *rpc.Client, method string, params any, print func([]byte) (string, error)) error {
	var raw json.RawMessage
	if err := c.Call(ctx, method, params, &raw); err != nil {
		return err
	}
	return p.printRaw(raw, print)
}

func (p *place) printRaw(raw json.RawMessage, print func([]byte) (string, error)) error {
	if p.app.JSON {
		return p.app.Print(raw, "")
	}
	if print == nil {
		return nil
	}
	text, err := print(raw)
	if err != nil || text == "" {
		return err
	}
	return p.app.Print(nil, text)
}

// printed makes a printer of a function over the parsed result.
func printed[T any](f func(T) string) func([]byte) (string, error) {
	return func(raw []byte) (string, error) {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return "", err
		}
		return f(v), nil
	}
}

// safe drops what a message could do to a terminal.
func safe(s string) string { return tui.Safe(s) }

// oneLine is a message for people: time, who, what, and how far it has come.
func oneLine(m *history.Message, called func(string) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  ", time.UnixMilli(int64(m.Timestamp)).Local().Format("2006-01-02 15:04"))
	if m.Kind == history.Notice {
		fmt.Fprintf(&b, "-- %s", safe(m.Body))
		return b.String()
	}
	fmt.Fprintf(&b, "%s: ", safe(called(m.Author)))
	if q := m.Quote; q != nil {
		fmt.Fprintf(&b, "[to %q] ", safe(q.Text))
	}
	if m.Deleted {
		b.WriteString("(deleted)")
	}
	b.WriteString(strings.ReplaceAll(safe(m.Body), "\n", "\n    "))
	for i, a := range m.Attachments {
		fmt.Fprintf(&b, " [file %d/%d %s, %d bytes]", m.Seq, i, safe(a.FileName), a.Size)
	}
	if len(m.Edits) > 0 {
		b.WriteString(" (edited)")
	}
	for _, r := range m.Reactions {
		fmt.Fprintf(&b, " %s", safe(r.Emoji))
	}
	if m.Outgoing {
		d := m.State()
		fmt.Fprintf(&b, "  (%s", d.State)
		if d.Why != "" {
			fmt.Fprintf(&b, ": %s", safe(d.Why))
		}
		b.WriteString(")")
	}
	if len(m.Vouchers) > 0 {
		fmt.Fprintf(&b, "  (sent on by %s)", safe(strings.Join(m.Vouchers, ", ")))
	}
	return b.String()
}

// names returns what to call people.
func names(ctx context.Context, c *rpc.Client) (func(string) string, error) {
	var list []struct{ Number, Name, ProfileName, Username string }
	if err := c.Call(ctx, "listContacts", nil, &list); err != nil {
		return nil, err
	}
	var status rpc.Status
	if err := c.Call(ctx, "status", nil, &status); err != nil {
		return nil, err
	}
	by := map[string]string{status.Number: "you"}
	for _, k := range list {
		for _, n := range []string{k.Name, k.ProfileName, k.Username} {
			if n != "" {
				by[k.Number] = n
				break
			}
		}
	}
	return func(number string) string {
		if n := by[number]; n != "" {
			return n
		}
		return number
	}, nil
}

// where is the conversation a person means: a group if it says so.
func where(text string) map[string]any {
	if strings.HasPrefix(text, "group:") {
		return map[string]any{"groupId": text}
	}
	if text == "me" {
		return map[string]any{"noteToSelf": true}
	}
	return map[string]any{"recipient": text}
}
