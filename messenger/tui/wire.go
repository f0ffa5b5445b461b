package tui

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/countersign-project/countersign/messenger/client"
	"github.com/countersign-project/countersign/messenger/client/history"
	"github.com/countersign-project/countersign/messenger/rpc"
)

// errAway is why nothing can be asked.
var errAway = errors.New("not connected to the daemon")

// call calls a method beside Update, and then goes on in it with the error. Out may be read from then on only.
func (m *Model) call(method string, params, out any, next func(error) tea.Cmd) tea.Cmd {
	conn := m.conn
	if conn == nil {
		return next(errAway)
	}
	return func() tea.Msg {
		err := conn.Call(m.ctx, method, params, out)
		return then(func() tea.Cmd { return next(err) })
	}
}

// do is call for what has no result but its error, or done, which is said.
func (m *Model) do(method string, params any, done string) tea.Cmd {
	return m.call(method, params, nil, func(err error) tea.Cmd {
		if err != nil {
			m.fail(err)
			return nil
		}
		if done != "" {
			m.say(done)
		}
		return m.refresh()
	})
}

// refresh asks who there is and which conversations, once at a time.
func (m *Model) refresh() tea.Cmd {
	if m.asking || m.conn == nil {
		m.stale = true
		return nil
	}
	m.asking, m.stale = true, false
	conn := m.conn
	return func() tea.Msg {
		p, err := ask(m.ctx, conn)
		return then(func() tea.Cmd {
			m.asking = false
			switch {
			case conn != m.conn:
				return m.refresh()
			case err != nil:
				m.fail(err)
			default:
				renamed := !p.sameNames(m.people)
				if m.people = p; renamed {
					m.redraw()
				}
				m.recall()
			}
			if m.stale {
				return m.refresh()
			}
			return nil
		})
	}
}

// atOnce is how many notifications are taken in before the screen is drawn again.
const atOnce = 1000

// listen waits for what happens.
func (m *Model) listen() tea.Cmd {
	conn := m.conn
	return func() tea.Msg {
		n, ok := <-conn.Notifications()
		if !ok {
			return then(func() tea.Cmd { return m.lost(conn) })
		}
		batch := []rpc.Notification{n}
		for more := true; more && len(batch) < atOnce; {
			select {
			case n, ok := <-conn.Notifications():
				if more = ok; ok {
					batch = append(batch, n)
				}
			default:
				more = false
			}
		}
		return then(func() tea.Cmd {
			if conn != m.conn {
				return nil
			}
			return tea.Batch(m.heard(batch), m.listen())
		})
	}
}

// heard takes in what has happened.
func (m *Model) heard(batch []rpc.Notification) tea.Cmd {
	news, again := false, false
	for _, n := range batch {
		switch n.Method {
		case "progress":
			m.moved(n.Params)
			continue
		case rpc.Lost: // all is read anew
			for _, t := range m.talks {
				t.forget()
			}
			news = true
			continue
		}
		var e client.Event
		if n.Method != "event" || json.Unmarshal(n.Params, &e) != nil {
			continue
		}
		switch e.Type {
		case client.EventTyping:
			m.writes(e)
			continue
		case client.EventConnection:
			m.people.status.Connected, m.offline = e.Connected, e.Why
		case client.EventCaughtUp:
			again = true
		}
		m.message(e)
		news = true
	}
	var cmds []tea.Cmd
	if news {
		cmds = append(cmds, m.refresh())
	}
	if t := m.talk(); again && t != nil && t.loaded {
		cmds = append(cmds, m.load(t, 0, pageSize))
	}
	return tea.Batch(cmds...)
}

// message takes in what an event says of a message.
func (m *Model) message(e client.Event) {
	t := m.talks[e.Conversation]
	if e.Message == nil || t == nil && m.talks[e.Message.Conversation] == nil {
		return
	}
	if t == nil {
		t = m.talks[e.Message.Conversation]
	}
	m.keepPlace(t, func() {
		switch e.Type {
		case client.EventMessage:
			delete(t.writing, e.Message.Author)
			t.hear(e.Message)
		case client.EventUpdate:
			t.hear(e.Message)
		case client.EventGone:
			t.drop(e.Message.Seq)
		}
	})
	if e.Type == client.EventUpdate && t.id == m.at {
		m.held(e.Message)
	}
}

// typingFor is how long somebody is shown to write who says nothing more of it: his program says it again every ten seconds.
const typingFor = 15 * time.Second

func (m *Model) writes(e client.Event) {
	if t := m.talks[e.Conversation]; t != nil {
		t.writing[e.Author] = m.o.Now().Add(typingFor)
		if e.Stopped {
			delete(t.writing, e.Author)
		}
	}
}

// passed looks at what depends on the time.
func (m *Model) passed() {
	now := m.o.Now()
	maps.DeleteFunc(m.transfers, func(_ string, t *transfer) bool { return now.Sub(t.last) > silentFor })
	for _, t := range m.talks {
		for who, end := range t.writing {
			if now.After(end) {
				delete(t.writing, who)
			}
		}
		for _, one := range t.messages {
			if one.ExpiresAt != 0 {
				delete(t.drawn, one.Seq)
			}
		}
	}
}

// pageSize is how many messages are read at a time.
const pageSize = 100

// load reads the messages below a number; 0: the newest.
func (m *Model) load(t *talk, before int64, limit int) tea.Cmd {
	if t.loading || m.conn == nil {
		return nil
	}
	t.loading = true
	params := target(t.id)
	params["before"], params["limit"] = before, limit
	var page []*history.Message
	turn := t.turn
	return m.call("listMessages", params, &page, func(err error) tea.Cmd {
		if turn != t.turn {
			return nil
		}
		t.loading = false
		if err != nil {
			m.fail(err)
			t.stuck = true // until it is opened again, or the daemon is back
			return nil
		}
		m.keepPlace(t, func() { t.take(page, before, limit) })
		if !t.loaded {
			t.loaded = true
			for _, one := range t.messages {
				if said(one) && !one.Outgoing && !one.Seen {
					t.fresh = one.Seq
					break
				}
			}
		}
		return nil
	})
}

// lost says that the daemon has gone, and waits for it.
func (m *Model) lost(conn Conn) tea.Cmd {
	if conn != m.conn {
		return nil
	}
	m.conn, m.says = nil, told{}
	clear(m.transfers)
	if m.o.Again == nil {
		return tea.Quit
	}
	was := m.people.status.Version
	return func() tea.Msg {
		next, err := m.o.Again(m.ctx)
		return then(func() tea.Cmd {
			if err != nil {
				m.fail(err)
				return nil
			}
			return m.back(next, was)
		})
	}
}

// back goes on with a new connection: everything is read again, and said again what got no answer.
func (m *Model) back(conn Conn, was string) tea.Cmd {
	m.close()
	m.conn, m.came = conn, conn
	for _, t := range m.talks {
		t.forget()
	}
	var v struct{ Version string }
	cmds := []tea.Cmd{m.listen(), m.refresh(), m.call("version", nil, &v, func(err error) tea.Cmd {
		switch {
		case err != nil:
		case v.Version == was || was == "":
			m.say("the daemon is back")
		default:
			m.say(fmt.Sprintf("the daemon is back, and is version %s now", name(v.Version, 40)))
		}
		return nil
	})}
	for _, one := range m.unsent {
		one.busy = false
	}
	return tea.Batch(append(cmds, m.hand())...)
}
