package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/countersign-project/countersign/messenger/wire"
)

// What has come is taken together and in order, within both bounds; who puts waits for room, and neither side waits for one that has ended.
func TestAhead(t *testing.T) {
	q := newAhead()
	for i := range maxAhead {
		if !q.put(&wire.Request{ID: uint64(i)}) {
			t.Fatal(i)
		}
	}
	done := make(chan bool, 1)
	go func() { done <- q.put(&wire.Request{ID: 1000, Body: make([]byte, maxAheadSize)}) }()
	list, err := q.take()
	if err != nil || len(list) != maxAhead || list[0].ID != 0 || list[maxAhead-1].ID != maxAhead-1 {
		t.Fatal(len(list), err)
	}
	if !<-done {
		t.Fatal("not put after room was made")
	}
	go func() { done <- q.put(&wire.Request{}) }() // too many bytes wait already
	if list, err = q.take(); err != nil || list[0].ID != 1000 {
		t.Fatal(list, err)
	}
	if <-done; len(list) != 1 {
		t.Errorf("%d were let in beyond the bytes", len(list))
	}
	why := errors.New("gone")
	q.end(why)
	if _, err := q.take(); !errors.Is(err, why) || q.put(&wire.Request{}) {
		t.Error(err)
	}
}

// taker notes what it is given, and keeps none but those whose body says so.
type taker struct{ got string }

func (l *taker) Connected() {}
func (l *taker) Empty()     { l.got += " empty" }
func (l *taker) Envelopes(blobs [][]byte) (kept []bool) {
	for _, b := range blobs {
		l.got += " " + string(b)
		kept = append(kept, string(b) == "keep")
	}
	return kept
}

// Requests are handled and answered in their order, however many are handled together.
func TestListenAnswersInOrder(t *testing.T) {
	answers := make(chan string, 1)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer ws.Close()
		list := []wire.Request{{Path: "/api/v1/message", Body: []byte("keep")}, {Path: "/api/v1/message", Body: []byte("drop")}, {Path: "/api/v1/message", Body: []byte("keep")},
			{Path: "/api/v1/queue/empty"}, {Path: "/other"}, {Path: "/api/v1/message", Body: []byte("keep")}}
		for i, q := range list {
			q.Verb, q.ID = http.MethodPut, uint64(i)
			if err := ws.WriteMessage(websocket.BinaryMessage, wire.Frame{Request: &q}.Append(nil)); err != nil {
				t.Error(err)
			}
		}
		var got string
		for range list {
			_, b, err := ws.ReadMessage()
			if err != nil {
				t.Error(err)
				break
			}
			f, err := wire.ParseFrame(b)
			if err != nil || f.Response == nil {
				t.Error(f, err)
				break
			}
			got += fmt.Sprintf(" %d:%d", f.Response.ID, f.Response.Status)
		}
		answers <- got
	}))
	defer web.Close()
	s, err := New(Options{URL: web.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l := new(taker)
	if err := s.Listen(t.Context(), Login{"+1", "p"}, l); err == nil || !strings.HasPrefix(err.Error(), "the connection ended: ") {
		t.Error(err)
	}
	if got := <-answers; got != " 0:200 1:500 2:200 3:200 4:404 5:200" {
		t.Error(got)
	}
	if l.got != " keep drop keep empty keep" {
		t.Error(l.got)
	}
}
