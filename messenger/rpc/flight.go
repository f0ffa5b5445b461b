package rpc

import (
	"encoding/json"
	"fmt"
	"strings"
)

// flight is a request that has no answer yet.
type flight struct {
	key    string
	id     json.RawMessage
	line   []byte
	repeat bool // asking it twice does no harm
	unsent bool // the daemon cannot have got it
}

// keyOf is an id as both sides write it.
func keyOf(id json.RawMessage) string {
	b, err := json.Marshal(id)
	if err != nil {
		return ""
	}
	return string(b)
}

// cutOwn tells what a request of ours was about.
func cutOwn(key, name string) (what string, ours bool) {
	what, ours = strings.CutPrefix(key, `"`+name)
	return strings.TrimSuffix(what, `"`), ours
}

// note remembers a request, and returns it as it goes out, with its key; "" if it wants no answer.
func (c *Carrier) note(line []byte) (out []byte, key string) {
	var r request
	if json.Unmarshal(line, &r) != nil || r.Method == "" {
		return line, ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r.Method {
	case "subscribeReceive":
		var p struct{ After *int64 }
		c.quiet, c.plain = false, c.plain || json.Unmarshal(r.Params, &p) != nil || p.After == nil
	case "unsubscribeReceive":
		c.quiet = true
	}
	if key = keyOf(r.ID); r.ID == nil || key == "null" {
		return line, ""
	}
	f := flight{key: key, id: r.ID, line: line, repeat: harmless(r.Method)}
	if r.Method == "send" {
		f.line, f.repeat = c.named(line, r)
	}
	c.flying = append(c.flying, f)
	return f.line, key
}

// harmless tells of a method that it may be asked for twice.
func harmless(method string) bool {
	switch method {
	case "status", "version", "methods", "resolve", "about", "serverAbout", "searchMessages", "groupConsistency", "markRead", "subscribeReceive", "unsubscribeReceive", "flush":
		return true
	}
	return strings.HasPrefix(method, "list") || strings.HasPrefix(method, "get")
}

// named gives a message a name, unless it has one: under one name it goes out once, however often it is asked for.
func (c *Carrier) named(line []byte, r request) (out []byte, repeat bool) {
	var p map[string]json.RawMessage
	var about sendParams
	if json.Unmarshal(r.Params, &p) != nil || json.Unmarshal(r.Params, &about) != nil || about.EditTimestamp != 0 || about.EndSession {
		return line, false
	}
	if about.Once != "" {
		return line, true
	}
	c.sent++
	once, err := json.Marshal(fmt.Sprintf("rpc %s %d", c.name, c.sent))
	if err != nil {
		return line, false
	}
	p["once"] = once
	if r.Params, err = json.Marshal(p); err != nil {
		return line, false
	}
	if out, err = json.Marshal(r); err != nil || len(out) >= maxLine {
		return line, false
	}
	return out, true
}

// unsent notes that a request has not gone out. The caller does not hold mu.
func (c *Carrier) unsent(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.flying {
		if c.flying[i].key == key {
			c.flying[i].unsent = true
		}
	}
}

// landed forgets a request that is answered.
func (c *Carrier) landed(key string) {
	for i, f := range c.flying {
		if f.key == key {
			c.flying = append(c.flying[:i], c.flying[i+1:]...)
			return
		}
	}
}

// lost answers what was in flight when a connection ended, and keeps what the next one may be asked, so many; with all it keeps nothing.
func (c *Carrier) lost(all bool) (left int) {
	c.mu.Lock()
	var keep, gone []flight
	for _, f := range c.flying {
		if !all && (f.repeat || f.unsent) {
			keep = append(keep, f)
		} else {
			gone = append(gone, f)
		}
	}
	c.flying = keep
	c.mu.Unlock()
	for _, f := range gone {
		c.tell(answer(f.id, nil, &Error{Code: codeFailed, Message: "the daemon has ended, or become another version, before it answered: this was done or not; look, and ask again"}))
	}
	return len(keep)
}
