package client

import "testing"

// What is in is in for one connection: over the next one more may come.
func TestCaughtUpIsOfTheConnection(t *testing.T) {
	a := &Account{events: newHub()}
	l := &listener{a: a}
	for range 2 {
		a.online(true, nil)
		if !a.Connected() || a.CaughtUp() {
			t.Error("a connection that has just begun has brought nothing yet")
		}
		l.Empty()
		if !a.CaughtUp() {
			t.Error("all that waited has come")
		}
		a.online(false, nil)
		if a.CaughtUp() {
			t.Error("caught up without a connection")
		}
	}
}
