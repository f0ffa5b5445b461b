package main

import (
	"errors"
	"fmt"
	"time"
)

// patience is how long a message may take before a measurement is given up.
const patience = 20 * time.Second

// errGone says that the server closed a connection in the middle of the work.
var errGone = errors.New("the server closed the connection")

// await waits for what a client's reader hands over, until the connection has gone or patience is at its end.
func await[T any](c <-chan T, gone <-chan struct{}) (v T, err error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v = <-c:
		return v, nil
	case <-gone:
		return v, errGone
	case <-timer.C:
		return v, fmt.Errorf("no answer within %v", patience)
	}
}
