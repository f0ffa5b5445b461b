package launch

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/durable"
)

// Watch says how a Supervisor watches.
type Watch struct {
	Healthy time.Duration // a version on trial must say that it is healthy within this
	Grace   time.Duration // from being asked to stop to being killed
	Poll    time.Duration // how often state.json is looked at for a switch made by another process
	Crashes int           // so many crashes …
	Window  time.Duration // … within this are a crash loop
	Pause   time.Duration // before a crashed child is started again, times the number of crashes
	Log     *slog.Logger
}

// Usual is how our programs are watched. A minute to be healthy is long for a program that starts in
// milliseconds and short for people who wait for their service; five crashes in ten minutes is what
// service managers call a loop as well.
func Usual(log *slog.Logger) Watch {
	return Watch{Healthy: time.Minute, Grace: 20 * time.Second, Poll: 5 * time.Second, Crashes: 5, Window: 10 * time.Minute, Pause: time.Second, Log: log}
}

// probation is how long after a switch a crash loop is still put down to the new version.
const probation = 24 * time.Hour

// supervisor is the small parent of a working process. One goroutine owns it.
type supervisor struct {
	Watch
	started  *Started
	pick     picker
	signals  chan os.Signal
	crashes  []time.Time
	returned string // the version that was held just before the child that runs now was started
}

// Supervise runs the long-running mode that this process was started for in a child, keeps it running
// across updates, and returns the exit code for this process. w is the world Start was given.
func (s *Started) Supervise(w World, watch Watch) int {
	s.serving = true
	v := &supervisor{Watch: watch, started: s, signals: make(chan os.Signal, 8)}
	v.pick = picker{home: s.Home, self: s.BaseVersion, now: w.Now, serve: true,
		notice: func(text string) { watch.Log.Warn(text) }}
	signal.Notify(v.signals, stopSignals()...)
	defer signal.Stop(v.signals)
	c, err := v.adopt(w)
	if err == nil && c == nil {
		c, err = v.next()
	}
	if err != nil {
		watch.Log.Error("nothing to run", "error", err)
		return exitLost
	}
	v.Log.Info("supervising", "version", v.name(c), "pid", c.process.Pid)
	if c.healthy { // adopted: this process is the proof that the version can also be the parent
		v.confirm(c)
	}
	return v.run(c)
}

// What can end the attendance of one child.
type ending int

const (
	stopped  ending = iota // a signal asked for it
	exited                 // it ended by itself
	failed                 // it was on trial and did not become healthy
	outdated               // another version is current now
)

func (s *supervisor) run(c *child) int {
	for {
		end, why := s.attend(c)
		switch end {
		case stopped:
			return c.code
		case failed:
			c.kill()
			s.giveUp(c, why)
		case outdated:
			s.Log.Info("restarting for another version", "from", s.name(c), "to", why)
			c.stop(s.Grace)
			s.returned, s.crashes = "", nil
		case exited:
			c.stop(0)
			if !s.again(c) {
				return c.code
			}
		}
		next, err := s.next()
		if err != nil {
			s.Log.Error("nothing to run", "error", err)
			return exitLost
		}
		s.Log.Info("started", "version", s.name(next), "pid", next.process.Pid)
		c = next
	}
}

// next starts the version that is current, or the one that remains when that cannot be started.
func (s *supervisor) next() (*child, error) {
	for {
		version := s.pick.next()
		st, err := s.pick.load()
		path := s.path(version)
		c, err := s.startChild(version, path, err == nil && st.Watched(version))
		if err == nil || version == "" {
			return c, err
		}
		s.pick.hold(version, fmt.Sprintf("it could not be started: %v", err))
		s.returned = version
	}
}

func (s *supervisor) path(version string) string {
	if version == "" {
		return s.started.Base
	}
	return s.started.Home.Executable(version)
}

func (s *supervisor) name(c *child) string {
	if c.version == "" {
		return s.started.BaseVersion
	}
	return c.version
}

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
	for {
		select {
		case word := <-c.words:
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
			if c.watched && !c.healthy {
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

// heard acts on a word of the child.
func (s *supervisor) heard(c *child, word string) (version string, other bool) {
	switch word {
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
	}
	return "", false
}

// proved is called when a child is healthy for the first time: this process becomes the same version,
// which confirms it; where that cannot be, it is confirmed from here.
func (s *supervisor) proved(c *child) {
	if path := s.path(c.version); path != s.started.Executable {
		err := s.become(c, path)
		s.Log.Warn("the supervising process stays at its version", "version", s.started.Program.Version, "reason", err)
	}
	s.confirm(c)
}

// confirm notes that a version works and removes those nobody needs any more.
func (s *supervisor) confirm(c *child) {
	if c.version == "" {
		return
	}
	_, err := s.pick.change(func(st *home.State) {
		if st.Current == c.version {
			st.Serve(c.version)
		}
	})
	if err != nil {
		s.Log.Warn("could not note that a version works", "version", c.version, "error", err)
		return
	}
	s.Log.Info("version works", "version", c.version)
	if err := s.tidy(c); err != nil {
		s.Log.Warn("could not remove old versions", "error", err)
	}
}

// tidy removes the versions nobody needs any more. When an update is running it is left to the next time.
func (s *supervisor) tidy(c *child) error {
	unlock, err := s.started.Home.LockUpdate()
	if errors.Is(err, durable.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	return s.started.Home.Sweep(c.version, s.started.Installed)
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
