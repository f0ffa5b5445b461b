package launch

import (
	"fmt"
	"strings"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// attend follows one child until something has to be done.
func (s *supervisor) attend(c *child) (end ending, why string) {
	var late <-chan time.Time
	if c.watched && !c.healthy {
		timer := time.NewTimer(s.Healthy)
		defer timer.Stop()
		late = timer.C
	}
	poll := time.NewTicker(s.Poll)
	defer poll.Stop()
	words := c.words
	for {
		select {
		case word, more := <-words:
			if !more {
				words = nil // its end shows in exited
				continue
			}
			if version, other := s.heard(c, word); other {
				return outdated, version
			}
			if c.healthy {
				late = nil
			}
		case <-poll.C:
			if version, other := s.outdated(c); other {
				return outdated, version
			}
		case <-late:
			return failed, fmt.Sprintf("it was not healthy within %v", s.Healthy)
		case <-c.exited:
			s.lastWords(c)
			if c.watched && !c.healthy {
				// Whoever stops the service may ask its processes together, as a terminal and systemd do, and the child be quicker than the word
				// to its parent. That is no fault of its version.
				if !s.wait(s.Pause) {
					c.stop(s.Grace)
					return stopped, ""
				}
				return failed, fmt.Sprintf("it ended with exit code %d before it was healthy", c.code)
			}
			return exited, ""
		case sig := <-s.signals:
			c.signal(sig)
			c.stop(s.Grace)
			return stopped, ""
		}
	}
}

// lastWords hears what the child said before it ended: on a busy machine its end is seen before its words, and whether it was ready
// or healthy by then decides what becomes of its version. The pipe ends with the child, unless somebody else holds it, too.
func (s *supervisor) lastWords(c *child) {
	enough := time.NewTimer(s.Grace)
	defer enough.Stop()
	for {
		select {
		case word, more := <-c.words:
			if !more {
				return
			}
			s.heard(c, word)
		case <-enough.C:
			return
		}
	}
}

// heard acts on a word of the child.
func (s *supervisor) heard(c *child, said string) (version string, other bool) {
	switch word, _, _ := strings.Cut(said, " "); word {
	case wordReady:
		c.ready = true
	case wordHealthy:
		if c.healthy {
			return "", false
		}
		c.ready, c.healthy = true, true
		s.returned = ""
		s.proved(c)
	case wordRestart:
		return s.outdated(c)
	case wordHand:
		s.started.handed(said)
	}
	return "", false
}

// outdated reports whether another version than the child's is current, and starts to be.
func (s *supervisor) outdated(c *child) (version string, other bool) {
	st, err := s.pick.load()
	if err != nil {
		return "", false // keep running what runs
	}
	version = st.Choose(s.started.BaseVersion)
	if version == c.version {
		return "", false
	}
	if version == "" {
		return s.started.BaseVersion, true
	}
	// Looked at before the service is interrupted for it.
	if err := s.started.Home.Verify(version, st.Versions[version]); err != nil {
		s.pick.leave(func(st *home.State) { st.Damage(version, err.Error(), s.pick.now()) })
		return "", false
	}
	return version, true
}
