package main

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i))
	}
	for _, c := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 50, 0}, {[]time.Duration{7}, 1, 7}, {[]time.Duration{7}, 99, 7}, {[]time.Duration{3, 1, 2}, 50, 2},
		{[]time.Duration{4, 3, 2, 1}, 50, 2}, {[]time.Duration{4, 3, 2, 1}, 51, 3}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred, 0, 1},
	} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("the %v. of %d values: %d, want %d", c.p, len(c.values), got, c.want)
		}
	}
}

func TestSpread(t *testing.T) {
	values := []float64{5, 1, 3, 9}
	if got, want := spreadOf(values), (spread{Median: 4, Min: 1, Max: 9}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if values[0] != 5 {
		t.Error("the values were put in order")
	}
	if got := spreadOf([]float64{2}); got != (spread{2, 2, 2}) {
		t.Errorf("%+v", got)
	}
}

func TestStretch(t *testing.T) {
	v := stretch{wall: 2 * time.Second, server: 500 * time.Millisecond, client: time.Second, count: 10_000, rss: 3 << 20, written: 50_000}.values()
	for name, want := range map[string]float64{perSecond: 5000, perCPUSecond: 20_000, cpuMicros: 50, clientMicros: 100, residentMiB: 3, writtenBytes: 5} {
		if v[name] != want {
			t.Errorf("%s: %v, want %v", name, v[name], want)
		}
	}
	v = stretch{wall: time.Second, written: -1}.values()
	if _, ok := v[perCPUSecond]; ok {
		t.Error("a rate over no time")
	}
	if _, ok := v[writtenBytes]; ok {
		t.Error("bytes that nobody counted")
	}
}

func TestInParallel(t *testing.T) {
	var ran, now, most atomic.Int64
	if err := inParallel(100, 7, func(int) error {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		ran.Add(1)
		return nil
	}); err != nil || ran.Load() != 100 || most.Load() > 7 {
		t.Errorf("%v; %d ran, %d at once", err, ran.Load(), most.Load())
	}
	bad := errors.New("the third")
	ran.Store(0)
	err := inParallel(1000, 1, func(i int) error {
		ran.Add(1)
		if i == 2 {
			return bad
		}
		return nil
	})
	if err != bad || ran.Load() > 4 {
		t.Errorf("%v after %d", err, ran.Load())
	}
}
