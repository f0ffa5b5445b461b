package federation

import (
	"bytes"
	"fmt"
	"io"

	"github.com/countersign-project/countersign/messenger/server/api"
)

// maxParts bounds the objects and list members in what a peer sends. One that fits into a megabyte can be half a million empty objects, which
// take fifty times as much memory: they are counted before anything is made of them.
const maxParts = 50_000

// decode reads JSON of a peer.
func decode(r io.Reader, limit int64, v any) error {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return fmt.Errorf("the body ended early: %v", err)
	}
	if int64(len(b)) > limit {
		return fmt.Errorf("%w: want at most %d bytes", api.ErrTooLarge, limit)
	}
	if n := bytes.Count(b, []byte{','}) + bytes.Count(b, []byte{'{'}) + bytes.Count(b, []byte{'['}); n > maxParts {
		return fmt.Errorf("the body has %d parts, want at most %d", n, maxParts)
	}
	return api.Decode(bytes.NewReader(b), limit, v)
}
