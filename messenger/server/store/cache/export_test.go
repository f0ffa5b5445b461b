package cache

import "github.com/countersign-project/countersign/messenger/server/store"

// OfAtMost is Of with another bound.
func OfAtMost(s store.Store, accounts int) *Store {
	c := Of(s)
	c.max = accounts
	return c
}

// Kept returns how many accounts, names and devices are in memory.
func (s *Store) Kept() (accounts, names, devices int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.accounts), len(s.names), len(s.devices)
}

// Marks is marks.
type Marks = marks

// Mark is mark.
func (m *marks) Mark(key store.AccountKey) bool { return m.mark(key) }
