package launch

import (
	"errors"

	"github.com/countersign-project/countersign/release/update/home"
	"github.com/countersign-project/countersign/tuf/durable"
)

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
