package rpc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// A program that does not read for a long time, while more is told than is kept waiting for it, is told every message all the same, once and in order.
func TestASlowProgram(t *testing.T) {
	url, invite := newServer(t)
	aliceDir, alice := daemon(t, url, invite())
	bobDir, bob := daemon(t, url, invite())
	slow, err := rpc.DialRaw(t.Context(), bobDir)
	if err != nil {
		t.Fatal(err)
	}
	a, b := dial(t, aliceDir), dial(t, bobDir)
	const n = 200 // of 200 KiB: more than a socket and a subscription hold
	for i := range n {
		if err := a.Call(t.Context(), "send", map[string]any{"recipient": bob, "message": fmt.Sprint("number ", i, ".", strings.Repeat("x", 200<<10)), "noWait": true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var list []struct{ Body string }
	for len(list) == 0 || len(list[0].Body) < 200<<10 || !strings.HasPrefix(list[0].Body, fmt.Sprint("number ", n-1)) { // for as long as it takes
		if err := b.Call(t.Context(), "listMessages", map[string]any{"recipient": alice, "limit": 1}, &list); err != nil { // their texts are fetched apart, in order
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	c := rpc.NewClient(slow)
	t.Cleanup(func() { c.Close() })
	for i := range n {
		var p struct{ Envelope json.RawMessage }
		for !strings.Contains(string(p.Envelope), "dataMessage") {
			notified(t, c, "receive", &p)
		}
		if !strings.Contains(string(p.Envelope), fmt.Sprint(`"message":"number `, i, ".")) {
			t.Fatalf("%.300s, want number %d", p.Envelope, i)
		}
	}
}
