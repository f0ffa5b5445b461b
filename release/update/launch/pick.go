package launch

import (
	"fmt"
	"time"

	"github.com/countersign-project/countersign/release/update/home"
)

// picker chooses the next version to start and notes in the state what choosing found out. What cannot
// be noted (full or read-only disk) holds for this process all the same.
type picker struct {
	home   home.Home
	self   string // version of the base
	now    func() time.Time
	notice func(string)
	parent bool // choosing for a Supervisor: a parent is never a version that has yet to prove itself
	serve  bool // choosing for the child of a Supervisor

	left []func(*home.State) // what was found out but could not be noted
}

// next returns the version to start, or "" for the base. It is checked against the hash noted when it
// was installed, and if it is on trial this start has been counted durably.
func (p *picker) next() string {
	for {
		st, err := p.load()
		if err != nil {
			p.notice(err.Error())
			return ""
		}
		version := st.Choose(p.self)
		if p.parent && st.Watched(version) {
			version = st.LastGood
		}
		if version == "" {
			return ""
		}
		if err := p.home.Verify(version, st.Versions[version]); err != nil {
			p.leave(func(st *home.State) { st.Damage(version, err.Error(), p.now()) })
			continue
		}
		if !p.count(st, version) {
			return version
		}
	}
}

// load reads the state and adds what could not be noted in it.
func (p *picker) load() (home.State, error) {
	st, err := p.home.Load()
	if err != nil {
		return st, err
	}
	if st.Current != "" {
		if err := p.home.Private(); err != nil {
			return st, err
		}
	}
	for _, step := range p.left {
		step(&st)
	}
	return st, nil
}

// change notes a step in the state.
func (p *picker) change(step func(*home.State)) (home.State, error) {
	return p.home.Change(func(st *home.State) error {
		step(st)
		return nil
	})
}

// leave notes that a version is not to be started, and tells why.
func (p *picker) leave(step func(*home.State)) {
	st, err := p.change(step)
	if err != nil {
		p.left = append(p.left, step)
		step(&st)
		p.notice(fmt.Sprintf("%s (and this could not be noted: %v)", st.Notice, err))
		return
	}
	p.notice(st.Notice)
}

// hold leaves a version that does not work.
func (p *picker) hold(version, reason string) {
	p.leave(func(st *home.State) { st.Hold(version, reason, p.now()) })
}

// count notes the start of a version on trial before it happens. It returns true when the version has
// had its starts and another is to be chosen. A start that cannot be counted does not happen: a version
// that crashes could otherwise be started for ever on a full disk.
func (p *picker) count(st home.State, version string) (held bool) {
	watch := p.serve && st.Watched(version)
	if !watch && (st.Trial == nil || st.Trial.Version != version) {
		return false
	}
	st, err := p.change(func(st *home.State) {
		if watch {
			st.Watch(version, p.now())
		}
		held = st.CountStart(version, p.now())
	})
	if err != nil {
		reason := fmt.Sprintf("its start could not be counted: %v", err)
		p.left = append(p.left, func(st *home.State) { st.Hold(version, reason, p.now()) })
		p.notice(version + " was not started: " + reason)
		return true
	}
	if held {
		p.notice(st.Notice)
	}
	return held
}
