package cache

import "github.com/countersign-project/countersign/messenger/server/store"

// OfAtMost is Of with another bound.
func OfAtMost(s store.Store, bytes int) *Store {
	c := Of(s)
	c.max = bytes
	return c
}

// SizeOf is sizeOf.
func SizeOf(a store.Account) int { return sizeOf(&a) }

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
