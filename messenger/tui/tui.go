// Package tui is the messenger in a whole terminal: conversations at the left, one of them at the right, a field to write in below. It is the door
// to the terminal library, and all it knows of the account it asks over JSON-RPC, as any other program would: it holds no key and opens no file.
//
// Everything happens in Model.Update, one message at a time, on one goroutine: keys, events of the account, answers to calls. Whatever takes time runs
// beside it as a command, and comes back as a message that carries what to do with the result. View draws what is there and changes nothing.
//
// What other people wrote, and what they call themselves, passes through Safe before it is measured or drawn: no control character of theirs
// reaches the terminal.
package tui

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// Conn is a connection to the account; *rpc.Client is one.
type Conn interface {
	Call(ctx context.Context, method string, params, out any) error
	Notifications() <-chan rpc.Notification
	Close() error
}

// Options is the world of one run.
type Options struct {
	Conn Conn // which the caller closes
	// Again connects anew after the daemon has ended the connection, and waits until it can. nil: when Conn ends, so does the run.
	Again func(ctx context.Context) (Conn, error)
	// With is the conversation to begin with: a number or group:ID. Empty: the list is shown.
	With string
	Now  func() time.Time
	Zone *time.Location // of the times that are shown
	Rand io.Reader      // for the names under which messages go out once
	// Path makes what a person typed absolute: the daemon has another directory.
	Path func(typed string) (string, error)
	// List names what is in a directory, for completion; directories have a slash behind them.
	List func(dir string) ([]string, error)
	// QR draws a code for a dark ground: lines of half blocks, light modules drawn.
	QR func(text string) (string, error)
	// Of the terminal. Env decides about colours, NO_COLOR among it.
	In  io.Reader
	Out io.Writer
	Env []string
}

// Run shows the messenger until the person leaves, or ctx ends.
func Run(ctx context.Context, o Options) error {
	m := New(ctx, o)
	defer m.close()
	_, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithEnvironment(o.Env)).Run()
	if err != nil && ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return ctx.Err()
	}
	return err
}
