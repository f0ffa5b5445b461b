package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// Whoever asks a daemon for what is new just after it has connected waits until that has come.
func TestReceiveWaitsForTheBacklog(t *testing.T) {
	for _, c := range []struct {
		name, status string
		daemon       bool
		at           time.Duration // when the wait is over; the backlog is in after a minute
	}{
		{"connected", `{"connected":true,"caughtUp":false}`, true, time.Minute},
		{"not connected", `{"connected":false,"caughtUp":false}`, true, time.Minute},
		{"all is in", `{"connected":true,"caughtUp":true}`, true, 0},
		{"an older daemon", `{"connected":true}`, true, 0},
		{"opened here", `{"connected":true,"caughtUp":true}`, false, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				client := rpc.NewClient(ours)
				go func() {
					var call struct{ ID json.RawMessage }
					if lines := bufio.NewScanner(theirs); !lines.Scan() || json.Unmarshal(lines.Bytes(), &call) != nil {
						t.Error("no call")
					}
					fmt.Fprintf(theirs, `{"jsonrpc":"2.0","id":%s,"result":%s}`+"\n", call.ID, c.status)
					time.Sleep(time.Minute)
					fmt.Fprintln(theirs, `{"jsonrpc":"2.0","method":"event","params":{"type":"caughtUp"}}`)
				}()
				began := time.Now()
				err := awaitCaughtUp(t.Context(), client, time.Hour, new(notices), func(context.Context) bool { return c.daemon })
				if took := time.Since(began); err != nil || took != c.at {
					t.Errorf("it waited %v, want %v; %v", took, c.at, err)
				}
				time.Sleep(2 * time.Minute)
				_ = client.Close()
			})
		})
	}
}
