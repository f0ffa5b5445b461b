package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/countersign-project/countersign/cmd/cli"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

const toHelp = "TO is a number, a contact's name, a username, a group's name or group:ID, or 'me' for a note to yourself."

func newSendCommand(shared *place) *cobra.Command {
	p := *shared
	var files []string
	var quoteAuthor, once string
	var quote, edit uint64
	var noWait bool
	cmd := &cobra.Command{
		Use:   "send TO [TEXT]...",
		Short: "Send a message",
		Long: `Send a message. ` + toHelp + ` Without TEXT the message is read from standard input.

The message is queued before anything else, so it goes out later if it cannot now; a file of which a part has arrived
goes on from there. A file has at most 100 MiB. The result says how far it has
come with each recipient; exit code 1 says that it is held because somebody's key has changed, or refused.

` + cli.ExitHelp,
		Example: "  messenger send +999123456789012 hello there\n  messenger send alice --file holiday.jpg\n  date | messenger send 'My choir'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text := strings.Join(args[1:], " ")
			if text == "" && len(files) == 0 {
				b, err := io.ReadAll(io.LimitReader(p.app.In, 1<<20))
				if err != nil {
					return err
				}
				text = strings.TrimRight(string(b), "\n")
			}
			params := where(args[0])
			params["message"], params["noWait"], params["once"] = text, noWait, once
			var absolute []string
			for _, f := range files {
				path, err := filepath.Abs(f) // the daemon has another directory
				if err != nil {
					return err
				}
				absolute = append(absolute, path)
			}
			params["attachments"] = absolute
			if quote != 0 {
				params["quoteTimestamp"], params["quoteAuthor"] = quote, quoteAuthor
			}
			if edit != 0 {
				params["editTimestamp"] = edit
			}
			return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error { return p.send(ctx, c, params) })
		},
	}
	p.flags(cmd)
	cmd.Flags().StringArrayVar(&files, "file", nil, "`file` to send along; may be repeated")
	cmd.Flags().Uint64Var(&quote, "quote", 0, "`timestamp` of the message that is answered")
	cmd.Flags().StringVar(&quoteAuthor, "quote-author", "", "`author` of that message")
	cmd.Flags().Uint64Var(&edit, "edit", 0, "`timestamp` of a message of yours whose text this replaces")
	cmd.Flags().StringVar(&once, "once", "", "`name` that you made up for this message: however often a script says it again under one name, it is sent once")
	cmd.Flags().BoolVar(&noWait, "no-wait", false, "end when the message is queued (a daemon sends it; without one the next command does)")
	return cmd
}

func (p *place) send(ctx context.Context, c *rpc.Client, params map[string]any) error {
	var sent rpc.Sent
	params["progress"] = progressName
	if err := p.showing(c, func() error { return c.Call(ctx, "send", params, &sent) }); err != nil {
		return stopped(err, "if the message is in 'messenger messages' already it goes out later, and its files from where they were; 'messenger unsend' takes it back")
	}
	var lines []string
	held, key, nobody := 0, false, false
	for _, r := range sent.Results {
		key = key || r.Type == "IDENTITY_FAILURE"
		nobody = nobody || r.Type == "UNREGISTERED_FAILURE"
		to := r.Address["number"]
		if r.GroupID != "" && to == "" {
			to = "the group"
		}
		word := map[string]string{"SUCCESS": "sent to", "QUEUED": "queued for"}[r.Type]
		if word == "" {
			word = "NOT sent to"
			held++
		}
		line := word + " " + to
		if r.Why != "" {
			line += ": " + safe(r.Why)
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		lines = append(lines, "noted: nobody else gets it")
	}
	lines = append(lines, fmt.Sprintf("timestamp %d", sent.Timestamp))
	if err := p.app.Print(sent, strings.Join(lines, "\n")); err != nil {
		return err
	}
	if held > 0 {
		err := cli.Refusef("not sent to %d of %d", held, len(sent.Results))
		var hints []string
		if key {
			hints = append(hints, "messenger verify NAME shows a safety number and says what can be done")
		}
		if nobody {
			hints = append(hints, "look at the number again, or ask for a username: who is at another server is written to as NUMBER@SERVER")
		}
		return cli.Hint(err, hints...)
	}
	return nil
}

func newReceiveCommand(shared *place) *cobra.Command {
	p := *shared
	var follow, keep bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "receive",
		Short: "Show the messages you have not read",
		Long: `Show the messages you have not read, after taking in what waits at the server, and mark them as read: their authors
are told, unless you have switched that off.

With --follow it goes on until it is stopped. With --json each message is one line.

` + cli.ExitHelp,
		Example: "  messenger receive\n  messenger receive --follow --json | while read -r line; do …; done",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for {
				err := p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error { return p.receive(ctx, c, follow, keep, timeout) })
				if !follow || !errors.Is(err, rpc.ErrEnded) {
					return err
				}
				p.app.Say("%v; waiting for it to come back", err)
				if !p.comesBack(cmd.Context()) {
					return err
				}
			}
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on and show what arrives")
	cmd.Flags().BoolVar(&keep, "keep-unread", false, "do not mark them as read")
	cmd.Flags().DurationVar(&timeout, "timeout", 20*time.Second, "how long to wait for the server")
	return cmd
}

func (p *place) receive(ctx context.Context, c *rpc.Client, follow, keep bool, timeout time.Duration) error {
	var told notices
	if err := awaitCaughtUp(ctx, c, timeout, &told, p.daemonRuns); err != nil {
		if !follow {
			p.app.Say("%v; showing what is here", err)
		}
	} else if !follow {
		if err := p.awaitHistory(ctx, c, timeout, &told); err != nil {
			return err
		}
	}
	for {
		n, err := p.unread(ctx, c, keep, &told)
		if err != nil {
			return err
		}
		if !follow {
			if n == 0 {
				p.app.Say("nothing new")
			}
			return c.Call(ctx, "flush", nil, nil)
		}
		for {
			n, ok := <-c.Notifications()
			if !ok {
				return rpc.ErrEnded
			}
			if told.hear(n) || n.Method == "receive" || n.Method == rpc.Lost {
				break
			}
		}
	}
}

// backWithin is how long a daemon may take to become another version.
const backWithin = time.Minute

// comesBack waits for a daemon.
func (p *place) comesBack(ctx context.Context) bool {
	for end := time.Now().Add(backWithin); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(lookAgain) {
		if p.daemonRuns(ctx) {
			return true
		}
	}
	return false
}

// awaitCaughtUp waits until the backlog is in: not at all if a daemon has it in already.
func awaitCaughtUp(ctx context.Context, c *rpc.Client, timeout time.Duration, told *notices, daemonRuns func(context.Context) bool) error {
	var status struct {
		Connected bool
		CaughtUp  *bool // nil: a daemon of before there was this
	}
	if err := c.Call(ctx, "status", nil, &status); err != nil {
		return err
	}
	in := status.Connected
	if status.CaughtUp != nil {
		in = *status.CaughtUp
	}
	if in && daemonRuns(ctx) { // of an account opened here all is told from its beginning, and is to be heard
		return nil
	}
	deadline := time.After(timeout)
	for {
		select {
		case n, ok := <-c.Notifications():
			var e struct {
				Type      string
				Connected bool
				Why       string
			}
			if !ok {
				return rpc.ErrEnded
			}
			if told.hear(n) || n.Method != "event" || json.Unmarshal(n.Params, &e) != nil {
				continue
			}
			if e.Type == "caughtUp" {
				return nil
			}
			if e.Type == "connection" && !e.Connected {
				return fmt.Errorf("no connection: %s", e.Why)
			}
		case <-deadline:
			return fmt.Errorf("the server has not answered in %v", timeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *place) daemonRuns(ctx context.Context) bool {
	dir, err := p.dir()
	if err != nil {
		return false
	}
	c, err := rpc.Dial(ctx, dir)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// unread prints what is not read, and before it what has been told.
func (p *place) unread(ctx context.Context, c *rpc.Client, keep bool, told *notices) (shown int, err error) {
	called, err := names(ctx, c)
	if err != nil {
		return 0, err
	}
	var list []rpc.Conversation
	if err := c.Call(ctx, "listConversations", nil, &list); err != nil {
		return 0, err
	}
	if !p.app.JSON { // a line of JSON is a message; programs hear of the rest over rpc
		shown = told.print(p.app.Out, list)
	}
	for _, v := range list {
		if v.Unread == 0 {
			continue
		}
		messages, err := unreadOf(ctx, c, v)
		if err != nil {
			return shown, err
		}
		read := where(v.ID)
		for _, m := range messages {
			shown++
			if err := p.show(m, v, called); err != nil {
				return shown, err
			}
			read["upTo"] = m.Seq // what arrives while these are shown is not read
		}
		if !keep {
			if err := c.Call(ctx, "markRead", read, nil); err != nil {
				return shown, err
			}
		}
	}
	return shown, nil
}

// unreadOf are the messages of a conversation that are not read, oldest first.
func unreadOf(ctx context.Context, c *rpc.Client, v rpc.Conversation) (out []*history.Message, err error) {
	params := where(v.ID)
	params["limit"] = min(v.Unread*2+50, 1000)
	for len(out) < v.Unread {
		var page []*history.Message
		if err := c.Call(ctx, "listMessages", params, &page); err != nil || len(page) == 0 {
			return out, err
		}
		params["before"] = page[0].Seq
		out = append(slices.DeleteFunc(page, func(m *history.Message) bool { return m.Kind != history.Text || m.Outgoing || m.Seen }), out...)
	}
	return out, nil
}

func (p *place) show(m *history.Message, v rpc.Conversation, called func(string) string) error {
	if p.app.JSON {
		b, err := json.Marshal(m)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(p.app.Out, "%s\n", b)
		return err
	}
	line := oneLine(m, called)
	if v.Name != called(m.Author) && strings.HasPrefix(v.ID, "group:") {
		line = "[" + safe(v.Name) + "] " + line
	}
	if !v.Accepted {
		line += "  (a request: 'messenger contacts accept " + v.ID + "' or block)"
	}
	_, err := fmt.Fprintln(p.app.Out, line)
	return err
}

func newMessagesCommand(shared *place, search bool) *cobra.Command {
	p := *shared
	var limit int
	var before int64
	var in string
	cmd := &cobra.Command{
		Use: "messages WITH", Short: "Show a conversation",
		Long:    "Show the newest messages of a conversation, oldest first. " + strings.Replace(toHelp, "TO", "WITH", 1) + "\n\n" + cli.ExitHelp,
		Example: "  messenger messages alice\n  messenger messages --limit 500 'My choir'",
		Args:    cobra.ExactArgs(1),
	}
	if search {
		cmd.Use, cmd.Short, cmd.Args = "search WORD...", "Find messages by words", cobra.MinimumNArgs(1)
		cmd.Long = "Find messages that hold all the words, whatever their case and accents: the newest first.\n\n" + cli.ExitHelp
		cmd.Example = "  messenger search old bridge\n  messenger search --in alice recipe"
		cmd.Flags().StringVar(&in, "in", "", "only this `conversation`")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return p.with(cmd.Context(), func(ctx context.Context, c *rpc.Client) error {
			called, err := names(ctx, c)
			if err != nil {
				return err
			}
			method, params := "listMessages", where(args[0])
			if search {
				method, params = "searchMessages", map[string]any{}
				if in != "" {
					params = where(in)
				}
				params["query"] = strings.Join(args, " ")
			}
			params["limit"], params["before"] = limit, before
			within, err := conversationNames(ctx, c, search && in == "")
			if err != nil {
				return err
			}
			return p.callAndPrint(ctx, c, method, params, printed(func(list []*history.Message) string {
				var lines []string
				for _, m := range list {
					lines = append(lines, within(m)+oneLine(m, called))
				}
				return strings.Join(lines, "\n")
			}))
		})
	}
	p.flags(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "how many")
	cmd.Flags().Int64Var(&before, "before", 0, "only messages below this `number` (seq, as --json shows it)")
	return cmd
}

// conversationNames says of a message in which conversation it stands, where that is not clear.
func conversationNames(ctx context.Context, c *rpc.Client, unclear bool) (func(*history.Message) string, error) {
	if !unclear {
		return func(*history.Message) string { return "" }, nil
	}
	var list []rpc.Conversation
	if err := c.Call(ctx, "listConversations", nil, &list); err != nil {
		return nil, err
	}
	named := map[string]string{}
	for _, v := range list {
		named[v.ID] = v.Name
	}
	return func(m *history.Message) string {
		return "[" + safe(cmp.Or(named[m.Conversation], m.Conversation)) + "] "
	}, nil
}

func newSaveCommand(shared *place) *cobra.Command {
	var dir string
	return shared.command(simple{use: "save FILE", short: "Fetch a file somebody has sent you",
		long:    "Fetch a file somebody has sent you, check it, and put it into a directory. FILE is its number, as 'messages' and 'receive' show it.\n\nStopped or cut off, it goes on from where it was when you say the same again within a day.",
		example: "  messenger save 17/0 --dir ~/Downloads", args: cobra.ExactArgs(1), method: "saveAttachment",
		flags: func(cmd *cobra.Command) { cmd.Flags().StringVar(&dir, "dir", ".", "`directory` to put it into") },
		shows: "what has come is kept for a day: the same command goes on from there",
		params: func(args []string) (any, error) {
			path, err := filepath.Abs(dir)
			return map[string]string{"id": args[0], "directory": path, "progress": progressName}, err
		},
		print: printed(func(r struct{ Path string }) string { return r.Path })})
}

func newReactCommand(shared *place) *cobra.Command {
	var remove bool
	return shared.command(simple{use: "react WITH AUTHOR TIMESTAMP EMOJI", short: "React to a message",
		example: "  messenger react 'My choir' alice 1795799481852 👍", args: cobra.ExactArgs(4), method: "sendReaction",
		flags: func(cmd *cobra.Command) { cmd.Flags().BoolVar(&remove, "remove", false, "take the reaction back") },
		params: func(args []string) (any, error) {
			params := where(args[0])
			at, err := timestamp(args[2])
			params["targetAuthor"], params["targetTimestamp"], params["emoji"], params["remove"] = args[1], at, args[3], remove
			return params, err
		}})
}

func newDeleteCommand(shared *place) *cobra.Command {
	return shared.command(simple{use: "unsend WITH TIMESTAMP", short: "Take back a message of yours, from everybody",
		example: "  messenger unsend alice 1795799481852", args: cobra.ExactArgs(2), method: "remoteDelete",
		params: func(args []string) (any, error) {
			params := where(args[0])
			at, err := timestamp(args[1])
			params["targetTimestamp"] = at
			return params, err
		}})
}

func timestamp(s string) (at uint64, err error) {
	if _, err := fmt.Sscan(s, &at); err != nil || at == 0 {
		return 0, cli.Usagef("%q is no timestamp, which is what 'send' prints and --json shows", s)
	}
	return at, nil
}
