package launch

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"
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
