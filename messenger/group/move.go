package group

// Move calls a member by another name, which is now his, in all that the group remembers. If there is a member of that name already, because somebody has
// added him by it, the two become one, and who is an admin under one of them stays one. It tells whether anything has changed.
func (s *State) Move(old, to string) (moved bool) {
	by := func(st *Stamp) {
		if st.By == old {
			st.By, moved = to, true
		}
	}
	for name, m := range s.Members {
		if by(&m.Stamp); name != old {
			s.Members[name] = m
		}
	}
	by(&s.NameSet)
	by(&s.AvatarSet)
	by(&s.ExpiresSet)
	m, was := s.Members[old]
	if !was {
		return moved
	}
	delete(s.Members, old)
	by(&m.Stamp)
	if have, both := s.Members[to]; both {
		if have.after(m.Stamp) {
			m.Stamp = have.Stamp
		}
		m.Admin = !m.Removed && m.Admin || !have.Removed && have.Admin
		m.Removed = m.Removed && have.Removed
	}
	s.Members[to] = m
	return true
}
