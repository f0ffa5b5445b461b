package rpc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// A long conversation is read in pieces, from either end and from its middle; a long list of conversations in pieces, too.
func TestReadingInPieces(t *testing.T) {
	url, invite := newServer(t)
	dir, number := daemon(t, url, invite())
	c := dial(t, dir)
	for i := range 9 {
		if err := c.Call(t.Context(), "send", map[string]any{"noteToSelf": true, "message": fmt.Sprint(i + 1), "noWait": true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var all []struct {
		Seq       int64
		Body      string
		Timestamp uint64
	}
	if err := c.Call(t.Context(), "listMessages", map[string]any{"noteToSelf": true}, &all); err != nil || len(all) != 9 {
		t.Fatal(all, err)
	}
	for _, p := range []struct{ params, want string }{
		{`"limit":3`, "7 8 9"},
		{fmt.Sprintf(`"before":%d,"limit":3`, all[6].Seq), "4 5 6"},
		{`"after":0,"limit":3`, "1 2 3"},
		{fmt.Sprintf(`"after":%d,"limit":3`, all[2].Seq), "4 5 6"},
		{fmt.Sprintf(`"after":%d`, all[6].Seq), "8 9"},
		{fmt.Sprintf(`"after":%d`, all[8].Seq), ""},
	} {
		var list []struct{ Body string }
		if err := c.Call(t.Context(), "listMessages", raw(`{"noteToSelf":true,`+p.params+`}`), &list); err != nil {
			t.Errorf("%s: %v", p.params, err)
		}
		var got []string
		for _, m := range list {
			got = append(got, m.Body)
		}
		if strings.Join(got, " ") != p.want {
			t.Errorf("%s: %v, want %s", p.params, got, p.want)
		}
	}
	fails(t, c, "listMessages", raw(`{"noteToSelf":true,"before":3,"after":1}`), rpc.CodeUser, "before and after: give one of them")
	// What a quote says of a message finds it.
	var m struct {
		Seq  int64
		Body string
	}
	if err := c.Call(t.Context(), "getMessage", map[string]any{"author": number, "timestamp": all[3].Timestamp}, &m); err != nil || m.Seq != all[3].Seq || m.Body != "4" {
		t.Errorf("%+v, %v", m, err)
	}
	fails(t, c, "getMessage", map[string]any{"author": number, "timestamp": 4711}, rpc.CodeUser, "no message of "+number+" at 4711 is here")
	fails(t, c, "getMessage", map[string]any{"author": number, "seq": 1}, rpc.CodeUser, "seq and author: give one of them")
	// Conversations. Of each group, its making is the newest message.
	for i := range 4 {
		if err := c.Call(t.Context(), "updateGroup", map[string]any{"name": fmt.Sprintf("g%d", i)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	names := func(params string) string {
		t.Helper()
		var list []struct{ ID, Name string }
		if err := c.Call(t.Context(), "listConversations", raw(params), &list); err != nil {
			t.Fatal(params, err)
		}
		var out, ids []string
		for _, v := range list {
			out, ids = append(out, v.Name), append(ids, v.ID)
		}
		return strings.Join(out, " ") + " " + strings.Join(ids, " ")
	}
	whole := strings.Fields(names(`{}`))
	if len(whole) != 10 || strings.Join(whole[:5], " ") != "g3 g2 g1 g0 "+number {
		t.Fatal(whole)
	}
	ids := whole[5:]
	for _, p := range []struct{ params, want string }{
		{`{"limit":2}`, "g3 g2"},
		{`{"after":"` + ids[1] + `","limit":2}`, "g1 g0"},
		{`{"after":"` + ids[3] + `"}`, number},
		{`{"after":"` + ids[4] + `"}`, ""},
		{`{"groupId":"` + ids[2] + `"}`, "g1"},
		{`{"recipient":"+99912345678"}`, "+99912345678"}, // nothing was said in it yet
	} {
		if got := strings.TrimSpace(names(p.params)); !strings.HasPrefix(got, p.want) || len(strings.Fields(got)) != 2*len(strings.Fields(p.want)) {
			t.Errorf("%s: %s, want %s", p.params, got, p.want)
		}
	}
	var e *rpc.Error
	if err := c.Call(t.Context(), "listConversations", raw(`{"groupId":"group:00000000000000000000000000000000"}`), nil); !errors.As(err, &e) || e.Code != rpc.CodeUser {
		t.Error(err)
	}
}

func raw(text string) json.RawMessage { return json.RawMessage(text) }
