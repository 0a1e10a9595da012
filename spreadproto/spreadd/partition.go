package spreadd

import (
	"slices"

	"wackamole/spreadproto"
)

// Partition splits the sessions into components that no longer reach each other.
// Each component is a list of daemon names or of private groups, the latter
// counting more; whoever is in none of them stays with the first. Later sessions
// belong to the component of their daemon. Members that lose others get what
// clients of real daemons get: a transitional membership with the id of the view
// that ends, then the smaller view, caused by the network, with a new id. Those
// of groups that lose nobody get nothing.
func (s *Server) Partition(components ...[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = make(map[string]int)
	for i, c := range components {
		for _, name := range c {
			s.placed[name] = i
		}
	}
	s.regroup(len(components))
}

// Merge undoes every Partition: groups with members in several components get one
// view of all of them.
func (s *Server) Merge() { s.Partition() }

// place says which component a session belongs to.
func (s *Server) place(x *session) int {
	if c, ok := s.placed[x.private]; ok {
		return c
	}
	return s.placed[x.daemon]
}

// regroup moves every session to its component and tells the members of each
// group that changed.
func (s *Server) regroup(count int) {
	before := s.components
	s.components = make(map[int]*component)
	for i := range max(count, 1) {
		s.components[i] = &component{groups: make(map[string]*group)}
	}
	for _, x := range s.sessions {
		x.component = s.place(x)
	}
	for _, name := range groupNames(before) {
		for _, i := range keysOf(s.components) {
			s.regroupOne(name, before, s.components[i], i)
		}
		s.rings++
	}
}

// regroupOne makes the view of one group in one component out of those that there
// were before.
func (s *Server) regroupOne(name string, before map[int]*component, c *component, number int) {
	var g group
	var sets [][]string
	from := make(map[*session]int) // the set that a member is of
	lost := make(map[*session]spreadproto.GroupID)
	for _, i := range keysOf(before) {
		was := before[i].groups[name]
		if was == nil {
			continue
		}
		stay := slices.Clone(was.members)
		stay = slices.DeleteFunc(stay, func(x *session) bool { return x.component != number })
		if len(stay) == 0 {
			continue
		}
		if len(stay) < len(was.members) {
			for _, x := range stay {
				lost[x] = was.id
			}
		}
		for _, x := range stay {
			from[x] = len(sets)
		}
		sets = append(sets, privates(stay))
		g.members = append(g.members, stay...)
		g.id = was.id
	}
	if len(g.members) == 0 {
		return
	}
	c.groups[name] = &g
	if len(sets) == 1 && len(lost) == 0 {
		return // nothing has changed for it
	}
	s.sort(g.members)
	g.id = s.newID()
	// Each component forms its ring by itself: another daemon, another time.
	g.id[0] += uint32(number)
	g.id[1] += uint32(number) + 1
	for _, x := range g.members {
		if id, ok := lost[x]; ok && x.membership {
			body := spreadproto.TransitionBody{ID: id}.AppendBinary(nil, s.options.Order)
			s.deliver(x, s.encode(spreadproto.Header{Type: spreadproto.TypeTransition, Name: name}, nil, body))
		}
	}
	s.announce(name, &g, spreadproto.CauseNetwork, sets, func(x *session) int { return from[x] })
}

func groupNames(components map[int]*component) []string {
	seen := make(map[string]bool)
	for _, c := range components {
		for name := range c.groups {
			seen[name] = true
		}
	}
	return keysOf(seen)
}

// keysOf lists the keys of a map in their order.
func keysOf[K int | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
