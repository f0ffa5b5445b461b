package record

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/countersign-project/countersign/release/anchor"
	"github.com/countersign-project/countersign/release/evidence"
	"github.com/countersign-project/countersign/tuf/client"
	"github.com/countersign-project/countersign/tuf/fetch"
	"github.com/countersign-project/countersign/tuf/trust"
)

// Options says what to read.
type Options struct {
	Anchor   anchor.Anchor
	Courier  func() *fetch.Courier // a new one for each try
	Now      time.Time             // the clock's, to tell whether metadata has expired
	At       time.Time             // judged for; zero: when the timestamp was made
	Progress func(done, total int) // releases looked at; may be nil
}

// Read verifies a repository as a device would that knows nothing but the anchor, and gathers its record.
// What has expired is shown all the same, with what that means for the verdicts.
func Read(ctx context.Context, o Options) (Record, error) {
	scratch, err := os.MkdirTemp("", "countersign-record-")
	if err != nil {
		return Record{}, err
	}
	defer os.RemoveAll(scratch)
	c, err := client.Open(scratch, o.Anchor.Root)
	if err != nil {
		return Record{}, err
	}
	courier := o.Courier()
	set, md, err := evidence.RefreshAll(ctx, c, courier, o.Now)
	var expired *trust.ExpiredError
	if errors.As(err, &expired) {
		courier = o.Courier() // the first has given up its sources
		set, md, err = evidence.RefreshAll(ctx, c, courier, time.Time{})
		if err == nil {
			err = expired
		}
		if o.At.IsZero() {
			o.At = o.Now
		}
	}
	if set == nil {
		return Record{}, err
	}
	return Gather(ctx, Source{Anchor: o.Anchor, Set: set, Metadata: md, Broken: err, Courier: courier, Progress: o.Progress}, o.At)
}
