package update_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/countersign-project/countersign/release/update"
)

// waits plays a loop and returns how long it waited before each round. dice is what the source of
// randomness gives, 8 bytes a draw.
func waits(dice []byte, outcomes ...error) []time.Duration {
	var list []time.Duration
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	update.Loop{
		Every: 6 * time.Hour, Random: bytes.NewReader(dice),
		Sleep: func(ctx context.Context, d time.Duration) error {
			list = append(list, d)
			if len(list) > len(outcomes) {
				stop()
			}
			return ctx.Err()
		},
		Round: func(context.Context) error { return outcomes[len(list)-1] },
	}.Run(ctx)
	return list
}

func TestLoopSpreadsAndBacksOff(t *testing.T) {
	bad := errors.New("no network")
	// Without randomness every wait is the middle of its range.
	got := waits(nil, nil, bad, bad, bad, bad, bad, bad, bad, nil)
	want := []time.Duration{150 * time.Second, 6 * time.Hour, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 6 * time.Hour, 6 * time.Hour}
	if len(got) != len(want) {
		t.Fatal(got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("wait %d: %v, want %v", i, got[i], want[i])
		}
	}
	// With it, each lies within its range, and two devices differ.
	a, b := waits(bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 10), nil, nil), waits(bytes.Repeat([]byte{8, 7, 6, 5, 4, 3, 2, 1}, 10), nil, nil)
	for i := range a {
		low, high := 270*time.Minute, 450*time.Minute
		if i == 0 {
			low, high = 0, 5*time.Minute
		}
		if a[i] == b[i] || a[i] < low || a[i] >= high || b[i] < low || b[i] >= high {
			t.Errorf("wait %d: %v and %v, want different ones from %v to %v", i, a[i], b[i], low, high)
		}
	}
}
