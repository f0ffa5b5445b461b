package client

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign-project/countersign/messenger/client/remote"
)

// triesError says that too many codes were asked for, or tried, for a number, by whoever it was.
type triesError struct {
	number string
	wait   time.Duration
	said   error
}

// tooMany makes a triesError of the server's answer that says so, whatever path it came by (6.8); other errors stay.
func tooMany(number string, err error) error {
	var status *remote.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusTooManyRequests && (status.Status != http.StatusRequestEntityTooLarge || status.Wait == 0) {
		return err
	}
	return &triesError{number, status.Wait, err}
}

func (e *triesError) Error() string {
	when := "later"
	switch {
	case e.wait >= 2*time.Minute:
		when = fmt.Sprintf("in %d minutes", (e.wait+time.Minute-1)/time.Minute)
	case e.wait > 0:
		when = fmt.Sprintf("in %d seconds", (e.wait+time.Second-1)/time.Second)
	}
	return fmt.Sprintf("too many codes were asked for, or tried, for %s: try again %s", e.number, when)
}

// Unwrap returns the server's answer.
func (e *triesError) Unwrap() error { return e.said }

// Refused is true.
func (e *triesError) Refused() bool { return true }
