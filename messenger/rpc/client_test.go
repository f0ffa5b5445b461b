package rpc_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/countersign-project/countersign/messenger/rpc"
)

// Who has read no notifications for long is told that some are missing, once, in their place, and of what comes after that again.
func TestNotificationsThatAreLost(t *testing.T) {
	ours, theirs := net.Pipe()
	c := rpc.NewClient(ours)
	defer c.Close()
	tell := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			if _, err := fmt.Fprintf(theirs, `{"jsonrpc":"2.0","method":"event","params":%d}`+"\n", i); err != nil {
				t.Fatal(err)
			}
		}
	}
	const n = 3000 // far more than are kept, and than the connection itself holds
	tell(0, n)
	read := 0
	for one := range c.Notifications() {
		if one.Method == rpc.Lost {
			break
		}
		if string(one.Params) != fmt.Sprint(read) {
			t.Fatalf("%s, want %d", one.Params, read)
		}
		read++
	}
	if read == 0 || read >= n {
		t.Errorf("%d of %d were read before the loss", read, n)
	}
	ended := make(chan error, 1)
	go func() { // what comes at that very moment may be lost with the rest
		for i := n; ; i++ {
			if _, err := fmt.Fprintf(theirs, `{"jsonrpc":"2.0","method":"event","params":%d}`+"\n", i); err != nil {
				ended <- err
				return
			}
		}
	}()
	if one := <-c.Notifications(); one.Method != "event" {
		t.Errorf("%+v", one)
	}
	c.Close()
	<-ended
	for range c.Notifications() { // they end
	}
}
