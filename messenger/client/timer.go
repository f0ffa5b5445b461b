package client

import (
	"fmt"

	"github.com/countersign-project/countersign/messenger/client/history"
)

// MaxExpires bounds how long messages stay that disappear, in seconds: some longer times are no times any more, but mistakes.
const MaxExpires = 10 * 365 * 24 * 3600

// startTimer gives a person's conversation in which nothing was said yet the time that the person here wants for new ones.
func (c *change) startTimer(conversation string) error {
	if !number(conversation) || conversation == c.self() {
		return nil // a group has its own from its beginning
	}
	p, err := c.preferences()
	if err != nil || p.Expires == 0 {
		return err
	}
	v, err := history.Open(c.tx, conversation)
	if err != nil || v.LastSeq != 0 || v.Expires != 0 {
		return err
	}
	v.Expires = p.Expires
	if err := history.Keep(c.tx, v); err != nil {
		return err
	}
	return c.timerNotice(conversation, c.self(), p.Expires)
}

func (c *change) timerNotice(conversation, by string, seconds uint32) error {
	text := "Messages stay from now on."
	if seconds > 0 {
		text = fmt.Sprintf("Messages disappear from now on, %s after they were read.", span(seconds))
	}
	return c.notice(conversation, "timer", by, text)
}

// span says seconds as people do: in the biggest unit that leaves no rest.
func span(seconds uint32) string {
	for _, u := range []struct {
		seconds uint32
		name    string
	}{{7 * 24 * 3600, "week"}, {24 * 3600, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		if n := seconds / u.seconds; seconds%u.seconds == 0 && n != 1 {
			return fmt.Sprintf("%d %ss", n, u.name)
		} else if seconds%u.seconds == 0 {
			return "1 " + u.name
		}
	}
	return "at once" // not reached: every number is one of seconds
}
