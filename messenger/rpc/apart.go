package rpc

import (
	"context"
	"encoding/json"

	"github.com/countersign-project/countersign/messenger/client"
)

// Caller is a connection whose requests and notifications travel apart, as they do over HTTP: the same methods, the same answers.
type Caller struct {
	c   *conn
	end func()
}

// Apart begins a connection. Notifications are given to notify one after the other; it must not wait. Close the Caller.
func (s *Server) Apart(ctx context.Context, notify func(line []byte)) *Caller {
	c, end := s.begin(ctx, notify)
	return &Caller{c, end}
}

// Answer answers one request; nil if it wants no answer.
func (k *Caller) Answer(request []byte) []byte {
	r := k.c.one(request)
	if r == nil {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		b, _ = json.Marshal(answer(r.ID, nil, &Error{Code: codeFailed, Message: "an answer that is no JSON: " + err.Error()})) // which is text alone
	}
	return b
}

// Progress returns what takes progress to be notified under a name, nil if that is empty; for requests that travel by another way than Answer.
func (k *Caller) Progress(name string) (func(client.Progress), error) {
	return k.c.progress(asks{name})
}

// Close ends it; calls that wait for a confirmation end too.
func (k *Caller) Close() { k.end() }
