package wire

import "github.com/countersign-project/countersign/messenger/wire/pb"

// GroupState says of every field of a group who set it last, and when by the group's own clock (11.2). It travels beside the fields that other
// clients know.
type GroupState struct {
	Members                []GroupMember
	NameClock, AvatarClock uint64
	NameBy, AvatarBy       string
	ExpireTimer            uint32 // seconds
	ExpireClock            uint64
	ExpireBy               string
}

// GroupMember is somebody who is a member, or was one.
type GroupMember struct {
	Name           string
	Removed, Admin bool
	Clock          uint64
	By             string
}

func parseGroupState(p *pb.GroupState) (*GroupState, error) {
	if p == nil {
		return nil, nil
	}
	if err := atMost("group members", len(p.Members), maxMembers); err != nil {
		return nil, err
	}
	s := &GroupState{NameClock: p.GetNameClock(), NameBy: p.GetNameBy(), AvatarClock: p.GetAvatarClock(), AvatarBy: p.GetAvatarBy(),
		ExpireTimer: p.GetExpireTimer(), ExpireClock: p.GetExpireClock(), ExpireBy: p.GetExpireBy()}
	for _, m := range p.Members {
		s.Members = append(s.Members, GroupMember{m.GetName(), m.GetRemoved(), m.GetAdmin(), m.GetClock(), m.GetBy()})
	}
	return s, nil
}

func (s *GroupState) proto() *pb.GroupState {
	if s == nil {
		return nil
	}
	p := &pb.GroupState{NameClock: some(s.NameClock), NameBy: some(s.NameBy), AvatarClock: some(s.AvatarClock), AvatarBy: some(s.AvatarBy),
		ExpireTimer: some(s.ExpireTimer), ExpireClock: some(s.ExpireClock), ExpireBy: some(s.ExpireBy)}
	for _, m := range s.Members {
		p.Members = append(p.Members, &pb.GroupState_Member{Name: some(m.Name), Removed: some(m.Removed), Admin: some(m.Admin), Clock: some(m.Clock), By: some(m.By)})
	}
	return p
}
