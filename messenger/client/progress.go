package client

import (
	"io"
	"sync"
	"time"
)

// Progress is how far something long has come.
type Progress struct {
	What  Step  `json:"what"`
	Done  int64 `json:"done"`  // of Total, in bytes unless the step says otherwise
	Total int64 `json:"total"` // what there is to do in all
	// Resumed is how much of Done an earlier try had left behind.
	Resumed int64 `json:"resumed,omitempty"`
}

// Step is what is being done.
type Step string

// Steps.
const (
	Encrypting  Step = "encrypting"  // a file, before the message is queued
	Uploading   Step = "uploading"   // ciphertext to the server
	Downloading Step = "downloading" // ciphertext from the server
	// Of a history that goes to another device of ours, in messages.
	Packing    Step = "packing"
	TakingOver Step = "takingOver"
	Awaited    Step = "awaited" // the first device has not said yet where it is
)

// tellEvery is how often progress is told at most. The beginning and the end of a step are always told.
const tellEvery = 100 * time.Millisecond

// meter counts one step and tells of it. A nil meter counts nothing.
type meter struct {
	now  func() time.Time
	tell func(Progress)

	mu   sync.Mutex
	p    Progress  // mu
	last time.Time // mu; when it was told
}

// newMeter begins a step, of which done is done already; nil where nobody wants to know.
func newMeter(now func() time.Time, tell func(Progress), what Step, done, total int64) *meter {
	if tell == nil {
		return nil
	}
	m := &meter{now: now, tell: tell, p: Progress{What: what, Done: done, Total: total, Resumed: done}, last: now()}
	tell(m.p)
	return m
}

// add counts n more.
func (m *meter) add(n int64) {
	if m == nil || n == 0 {
		return
	}
	m.mu.Lock()
	m.p.Done += n
	now := m.now()
	due := m.p.Done >= m.p.Total || now.Sub(m.last) >= tellEvery || now.Before(m.last)
	if due {
		m.last = now
	}
	p := m.p
	m.mu.Unlock()
	if due {
		m.tell(p)
	}
}

// skip counts n that an earlier try had left behind.
func (m *meter) skip(n int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.p.Resumed += n
	m.mu.Unlock()
	m.add(n)
}

// restart says that what was resumed has to be done again after all.
func (m *meter) restart() {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.p.Done, m.p.Resumed = 0, 0
	p := m.p
	m.mu.Unlock()
	m.tell(p)
}

// counted is a reader that a meter counts.
type counted struct {
	io.Reader
	m *meter
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.m.add(int64(n))
	return n, err
}

// watchers are those who want to know how far the files of a message have come, by its number.
type watchers struct {
	mu    sync.Mutex
	tell  map[int64]func(Progress) // mu
	stops map[int64]func()         // mu; of the uploads under way
}

func (w *watchers) watch(seq int64, tell func(Progress)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tell == nil {
		w.tell = map[int64]func(Progress){}
	}
	w.tell[seq] = tell
}

func (w *watchers) of(seq int64) func(Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tell[seq]
}

func (w *watchers) forget(seq int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.tell, seq)
}

// begin notes how the upload of a message's files is stopped, until end.
func (w *watchers) begin(seq int64, stop func()) (end func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stops == nil {
		w.stops = map[int64]func(){}
	}
	w.stops[seq] = stop
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.stops, seq)
	}
}

// stop ends the upload of a message that is not sent any more.
func (w *watchers) stop(seq int64) {
	w.mu.Lock()
	f := w.stops[seq]
	delete(w.tell, seq)
	w.mu.Unlock()
	if f != nil {
		f()
	}
}
