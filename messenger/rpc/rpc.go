// Package rpc lets programs drive an account: JSON-RPC 2.0, one JSON object a line, over a unix socket of the daemon's or over standard input
// and output. Methods and their parameters have the names and shapes of signal-cli's wherever we have the same thing, so that a bot written
// for it needs a new address and little else; what only we have is listed in methods.go below the line.
//
// Who may connect may do everything the person may do, and read everything. So the socket is open to its owner only (mode 0600, in a directory of
// mode 0700), and on Linux and macOS the kernel is asked who is at the other end. A request is bounded in size; requests of one connection
// run side by side, at most 16 at once. Messages arrive as notifications "receive" on every connection that has not said unsubscribeReceive; who was away says
// subscribeReceive with the number of the last one he has dealt with.
package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/countersign-project/countersign/messenger/client"
)

const (
	// maxLine bounds a request in bytes.
	maxLine = 1 << 20
	// maxRunning bounds the requests of one connection that run at once.
	maxRunning = 16
	// maxBatch bounds the requests of one line.
	maxBatch = 100
)

// Error codes of JSON-RPC, and signal-cli's.
const (
	codeParse   = -32700
	codeRequest = -32600
	codeMethod  = -32601
	codeParams  = -32602
	codeFailed  = -3 // network, disk
	codeKey     = -4 // an untrusted key

	CodeUser   = -1 // something the caller can mend
	CodeLocked = -5 // the passphrase is wanted first
)

// Error is the error of an answer.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	// Refusal says that something was checked and found wrong.
	Refusal bool `json:"refusal,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Refused makes commands that call over the socket exit like others.
func (e *Error) Refused() bool { return e.Refusal }

// Usage is true where the caller has to ask otherwise, as for a command that was used wrongly.
func (e *Error) Usage() bool { return e.Code == CodeUser || e.Code == codeParams }

// request is a call or a notification from the other side, response an answer to one of ours.
type request struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method"`
	Params  json.RawMessage `json:"params,omitempty"`
}

type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
}

type notification struct {
	Version string `json:"jsonrpc"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

// Server answers for one account.
type Server struct {
	// Account is nil as long as there is none that is open: then only the methods of Door answer, and More.
	Account *client.Account
	Door    *Door
	Version string
	Log     *slog.Logger
	// More are methods of the program that serves, such as about and update: this package knows nothing of them.
	More map[string]Method
	// Bell tells all connections what the program has to say; nil: nothing.
	Bell *Bell
	// Patience is how long send waits for the server to have a message before it answers QUEUED; 0: sendPatience.
	Patience time.Duration

	uploads uploads
}

// Method is one of More.
type Method func(ctx context.Context, params json.RawMessage) (any, error)

// conn is one connection.
type conn struct {
	*Server
	ctx context.Context

	write sync.Mutex // of lines
	out   func(line []byte)

	mu       sync.Mutex
	sub      *client.Subscription // mu; nil: not subscribed
	since    int64                // mu; number of the newest message when sub began
	wrapped  bool                 // mu; the caller has subscribed as signal-cli's do
	confirms map[string]chan bool // mu; device confirmations that wait
	wg       sync.WaitGroup       // of what tells of what happens
	requests sync.WaitGroup       // that are being answered
	telling  telling
}

// Serve answers the requests of one connection until it, or ctx, ends.
func (s *Server) Serve(ctx context.Context, rw io.ReadWriter) error {
	here, leave := context.WithCancel(ctx)
	defer leave()
	c, end := s.begin(here, func(line []byte) {
		if _, err := rw.Write(append(line, '\n')); err != nil {
			leave() // who left needs no answer, and what he asked for is given up
		}
	})
	defer end()
	running := make(chan struct{}, maxRunning)
	lines := bufio.NewScanner(rw)
	lines.Buffer(make([]byte, 4096), maxLine)
	for lines.Scan() {
		line := append([]byte(nil), lines.Bytes()...)
		if len(line) == 0 {
			continue
		}
		running <- struct{}{}
		c.requests.Go(func() {
			defer func() { <-running }()
			c.line(line)
		})
	}
	c.finish()
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		c.send(answer(nil, nil, &Error{Code: codeParse, Message: fmt.Sprintf("a line of more than %d bytes", maxLine)}))
		return err
	} else if err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// begin makes a connection whose lines go to out, one after the other. End waits for what it does.
func (s *Server) begin(ctx context.Context, out func(line []byte)) (c *conn, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	c = &conn{Server: s, ctx: ctx, out: out, confirms: map[string]chan bool{}, telling: telling{wake: make(chan struct{}, 1)}}
	c.wg.Go(c.tellOn)
	c.subscribe()
	silence := s.Bell.listen(c)
	return c, func() {
		silence()
		cancel()
		c.unsubscribe()
		c.requests.Wait()
		c.wg.Wait()
	}
}

// finishMore is how much longer than send waits requests may go on after the end of input: one line through a pipe is answered all the same.
const finishMore = 5 * time.Second

func (c *conn) finish() {
	done := make(chan struct{})
	go func() {
		c.requests.Wait()
		close(done)
	}()
	t := time.NewTimer(c.patience() + finishMore)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	case <-c.ctx.Done():
	}
}

// line answers one line: a request, or several in an array.
func (c *conn) line(line []byte) {
	if line[0] != '[' {
		c.reply(c.one(line))
		return
	}
	var batch []json.RawMessage
	if err := json.Unmarshal(line, &batch); err != nil || len(batch) == 0 || len(batch) > maxBatch {
		c.send(answer(nil, nil, &Error{Code: codeRequest, Message: fmt.Sprintf("a batch that is no array of 1 to %d requests", maxBatch)}))
		return
	}
	for _, r := range batch {
		c.reply(c.one(r))
	}
}

// one answers one request; nil if it wants no answer.
func (c *conn) one(raw []byte) *response {
	var r request
	if err := json.Unmarshal(raw, &r); err != nil {
		return answer(nil, nil, &Error{Code: codeParse, Message: "not a JSON-RPC request: " + err.Error()})
	}
	if r.Version != "2.0" || r.Method == "" {
		return answer(r.ID, nil, &Error{Code: codeRequest, Message: `want "jsonrpc":"2.0" and a method`})
	}
	result, err := c.call(r)
	c.tellProgress()
	if r.ID == nil {
		return nil
	}
	if err != nil {
		return answer(r.ID, nil, errorOf(err))
	}
	if result == nil {
		result = struct{}{}
	}
	return answer(r.ID, result, nil)
}

func (c *conn) call(r request) (any, error) {
	table := methods()
	if c.Account == nil {
		table = doorMethods()
	}
	if m, ok := table[r.Method]; ok {
		return m(c, r.Params)
	}
	if m, ok := c.More[r.Method]; ok {
		return m(c.ctx, r.Params)
	}
	if _, ok := methods()[r.Method]; ok {
		return nil, &Error{Code: CodeLocked, Message: "there is no open account: unlock it, register, link or restore first"}
	}
	return nil, &Error{Code: codeMethod, Message: fmt.Sprintf("no method %.60q", r.Method)}
}

// errorOf makes an answer of an error.
func errorOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var refused interface{ Refused() bool }
	out := &Error{Code: codeFailed, Message: err.Error()}
	if errors.As(err, &refused) && refused.Refused() {
		out.Code, out.Refusal = codeKey, true
	}
	var misused interface{ Usage() bool }
	if errors.As(err, &misused) && misused.Usage() {
		out.Code = CodeUser
	}
	return out
}

// userError is about what the caller asked for.
func userError(format string, args ...any) error {
	return &Error{Code: CodeUser, Message: fmt.Sprintf(format, args...)}
}

func answer(id json.RawMessage, result any, e *Error) *response {
	if id == nil {
		id = json.RawMessage("null")
	}
	return &response{"2.0", id, result, e}
}

func (c *conn) reply(r *response) {
	if r != nil {
		c.send(r)
	}
}

func (c *conn) notify(method string, params any) { c.send(notification{"2.0", method, params}) }

func (c *conn) send(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		c.Log.Error("an answer that is no JSON", "error", err)
		return
	}
	c.write.Lock()
	defer c.write.Unlock()
	c.out(b)
}

// decode reads parameters. Unknown ones are ignored: signal-cli's callers send some that we have no use for.
func decode[T any](raw json.RawMessage) (v T, err error) {
	if len(raw) == 0 {
		return v, nil
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, &Error{Code: codeParams, Message: "parameters: " + err.Error()}
	}
	return v, nil
}

// texts is a text or a list of texts.
type texts []string

// UnmarshalJSON reads either.
func (t *texts) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = nil
		return nil
	}
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = texts{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(t))
}

// numbers is a number or a list of numbers.
type numbers []uint64

// UnmarshalJSON reads either.
func (n *numbers) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = nil
		return nil
	}
	var one uint64
	if json.Unmarshal(b, &one) == nil {
		*n = numbers{one}
		return nil
	}
	return json.Unmarshal(b, (*[]uint64)(n))
}
