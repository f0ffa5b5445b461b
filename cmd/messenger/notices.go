package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// notices are what the messenger itself has had to say while a command waited, such as that somebody's safety number has changed. Nobody has to read them, so
// they are not among the unread.
type notices []*history.Message

// hear takes a notice out of what the account tells, and says whether it was one.
func (l *notices) hear(n rpc.Notification) bool {
	var e client.Event
	if n.Method != "event" || json.Unmarshal(n.Params, &e) != nil || e.Type != client.EventMessage || e.Message == nil || e.Message.Kind != history.Notice {
		return false
	}
	*l = append(*l, e.Message)
	return true
}

// print prints them, with the conversation each is in, and forgets them. It returns how many there were.
func (l *notices) print(w io.Writer, list []rpc.Conversation) int {
	n := len(*l)
	for _, m := range *l {
		in := m.Conversation
		for _, v := range list {
			if v.ID == in && v.Name != "" {
				in = v.Name
			}
		}
		fmt.Fprintf(w, "[%s] %s\n", safe(in), oneLine(m, nil))
	}
	*l = nil
	return n
}
