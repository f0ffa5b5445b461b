package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, gone := make(chan int, 1), make(chan struct{})
		c <- 7
		if v, err := await(c, gone); v != 7 || err != nil {
			t.Errorf("%d, %v", v, err)
		}
		start := time.Now()
		if _, err := await(c, gone); err == nil || !strings.Contains(err.Error(), "no answer within 20s") || time.Since(start) != patience {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		close(gone)
		if _, err := await(c, gone); err != errGone {
			t.Errorf("%v, want that it is gone", err)
		}
	})
}
