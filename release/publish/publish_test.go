package publish_test

import (
	"testing"

	. "github.com/countersign-project/countersign/release/publish/roomtest"
)

func TestFirstRelease(t *testing.T) {
	w := New(t)
	w.Distribute()
	w.Release("1.0.0", "stable", Ana, Ben, Cleo)
	got := w.Published().Versions
	if got["stable"] != 2 || got["beta"] != 1 || got["snapshot"] != 2 || got["timestamp"] != 2 || got["root"] != 1 {
		t.Fatal(got)
	}
}
