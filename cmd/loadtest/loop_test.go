//go:build linux

package main

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// A machine so slow that no message is done in the time given is measured for longer: a rate of nothing says nothing.
func TestAMeasurementHasAMessage(t *testing.T) {
	b := &bench{lasts: time.Nanosecond}
	r := &running{process: &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}} // who serves does not matter
	l := &loop{senders: 2, send: func(int) error { time.Sleep(50 * time.Millisecond); return nil }}
	v, err := l.run(t.Context(), b, r)
	if err != nil || v[perSecond] <= 0 || v[p50] <= 0 {
		t.Errorf("%v, %v", v, err)
	}
}
