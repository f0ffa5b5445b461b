package client

import (
	"context"
	"testing"
)

// BenchmarkWarmRefresh is a whole check when nothing is new: open, two
// requests, everything verified again.
func BenchmarkWarmRefresh(b *testing.B) {
	s := newStory(b)
	s.mustRefresh()
	for b.Loop() {
		c, err := Open(s.dir, s.anchor)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := c.Refresh(context.Background(), s.mirror, s.now, "stable", "beta"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWorld(b *testing.B) {
	for b.Loop() {
		newStory(b)
	}
}
