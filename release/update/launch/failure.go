package launch

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// giveUp holds the version of a child that failed its trial.
func (s *supervisor) giveUp(c *child, why string) {
	s.pick.hold(c.version, why)
	s.returned = c.version
}

// again decides what becomes of a service whose child ended by itself: true to start the current version
// again. A child that never got ready is not started again, since whoever started this service should
// see why (a wrong flag, a port in use).
func (s *supervisor) again(c *child) bool {
	if !c.ready && s.returned != "" {
		// The last good version fails just like the new one did: then it was not the new one's fault.
		s.pick.leave(func(st *home.State) {
			st.Release(s.returned)
			st.Notice = fmt.Sprintf("neither %s nor %s could work here; %s is no longer held", s.returned, s.name(c), s.returned)
			st.NoticedAt = s.pick.now().UTC()
		})
	}
	if c.code == 0 || !c.ready {
		return false
	}
	now := s.pick.now()
	recent := []time.Time{now}
	for _, t := range s.crashes {
		if now.Sub(t) < s.Window {
			recent = append(recent, t)
		}
	}
	s.crashes = recent
	s.Log.Error("the service ended by itself", "version", s.name(c), "code", c.code, "crashes", len(recent))
	if len(recent) < s.Crashes {
		return s.wait(time.Duration(len(recent)) * s.Pause)
	}
	st, err := s.pick.load()
	if err != nil || c.version == "" || st.Current != c.version || now.Sub(st.Switched) > probation {
		return false
	}
	if back := st.LastGood; st.Below(back) || back == "" && st.Below(s.started.BaseVersion) {
		return false // nobody may go back there; whoever manages the service must see that it fails
	}
	s.crashes = nil
	s.giveUp(c, fmt.Sprintf("it ended %d times within %v", len(recent), s.Window))
	return true
}

// wait pauses; false when a signal asked to stop meanwhile.
func (s *supervisor) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-s.signals:
		return false
	}
}
