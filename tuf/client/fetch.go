package client

import (
	"errors"
	"fmt"
	"strings"

	"github.com/countersign-project/countersign/tuf/trust"
)

// fetchRole fetches the version of a role that the role above means.
func (w *walk) fetchRole(role string, use func([]byte) error) error {
	version, length, ok := w.set.Expected(role)
	if !ok {
		return &trust.MismatchError{Role: role, What: "entry in snapshot", Got: "none", Want: role + ".json"}
	}
	if length == 0 {
		length = trust.MaxBytes(role)
	}
	path := "metadata/" + escape(role) + ".json"
	if w.set.Consistent() {
		path = fmt.Sprintf("metadata/%d.%s.json", version, escape(role))
	}
	return w.fetch(path, min(length, trust.MaxBytes(role)), use)
}

// maxTries bounds what a courier with many lying sources can cost per file.
const maxTries = 16

// fetch brings one file and uses it; where that refuses the bytes and the
// courier has another source, that one is asked.
func (w *walk) fetch(path string, max int64, use func([]byte) error) error {
	for try := 1; ; try++ {
		b, err := w.courier.Fetch(w.ctx, path, max)
		if err != nil {
			return err
		}
		if err = use(b); err == nil {
			return nil
		}
		r, ok := w.courier.(Rejecter)
		if !ok || try == maxTries || !judged(err) || !r.Reject(path, err) {
			return err
		}
	}
}

// judged reports whether err says something about the bytes, rather than about
// our own disk.
func judged(err error) bool {
	var refused interface{ Refused() bool }
	var expired *trust.ExpiredError
	return errors.As(err, &refused) && refused.Refused() || errors.As(err, &expired)
}

// escape makes a role name a file name and one path segment: everything but
// letters, digits and "_.-~" percent-encoded.
func escape(role string) string {
	var b strings.Builder
	for i := range len(role) {
		ch := role[i]
		if 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9' || strings.IndexByte("_.-~", ch) >= 0 {
			b.WriteByte(ch)
		} else {
			fmt.Fprintf(&b, "%%%02X", ch)
		}
	}
	return b.String()
}
