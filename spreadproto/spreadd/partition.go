package spreadd

import (
	"slices"
	"sort"

	"wackamole/spreadproto"
)

// component is a set of daemons that reach each other, with their views.
type component struct {
	ring   [2]uint32 // first words of the ids of groups that come into being here
	groups map[string]*group
}

// newComponent forms a ring. Its id tells a daemon of it, here just the number of
// the component, and a time that no other ring has.
func (s *Server) newComponent(number int) *component {
	s.rings++
	return &component{
		ring:   [2]uint32{0x7f000001 + uint32(number), s.started + s.rings},
		groups: make(map[string]*group),
	}
}

// firstID is the id of the first view of a group in the component's ring.
func (c *component) firstID() spreadproto.GroupID {
	return spreadproto.GroupID{c.ring[0], c.ring[1], 1}
}

// Partition splits the sessions into components that no longer reach each other.
// Each component is a list of daemon names or of private groups, the latter
// counting more; whoever is in none of them stays with the first. Later sessions
// belong to the component of their daemon. Members that lose others get what
// clients of real daemons get: a transitional membership with the id of the view
// that ends, then the smaller view, caused by the network, with a new id. Those
// of groups that lose nobody get nothing. Where all daemons of the remaining
// members are paused, they are too late for the smaller view: if they are merged
// before Resume, the merged one is all that follows the transition.
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
	s.components = nil
	for i := range max(count, 1) {
		s.components = append(s.components, s.newComponent(i))
	}
	for _, x := range s.sessions {
		x.component = s.place(x)
	}
	names := make(map[string]bool)
	for _, c := range before {
		for name := range c.groups {
			names[name] = true
		}
	}
	// All groups are told that views end before any is told of a new one.
	var formations []func()
	for _, name := range sorted(names) {
		for number := range s.components {
			if form := s.regroupOne(name, before, number); form != nil {
				formations = append(formations, form)
			}
		}
	}
	for _, form := range formations {
		form()
	}
}

// regroupOne collects the members of one group in one component out of the views
// that there were before. It returns what forms their new view, nil if the old
// one stands or the new one has to wait.
func (s *Server) regroupOne(name string, before []*component, number int) func() {
	g := &group{}
	var sets [][]*session // by the view that they come from
	for _, c := range before {
		was := c.groups[name]
		if was == nil {
			continue
		}
		stay := slices.DeleteFunc(slices.Clone(was.members), func(x *session) bool { return x.component != number })
		if len(stay) == 0 {
			continue
		}
		g.id, g.pending = was.id, g.pending || was.pending
		if len(stay) < len(was.members) {
			g.pending = true
			s.transition(name, was.id, stay)
		}
		g.members = append(g.members, stay...)
		sets = append(sets, stay)
	}
	if len(sets) == 0 {
		return nil
	}
	c := s.components[number]
	c.groups[name] = g
	if len(sets) == 1 && (!g.pending || s.allPaused(g.members)) {
		return nil
	}
	return func() { s.form(name, g, c, sets) }
}

// transition tells members that a view ends.
func (s *Server) transition(name string, id spreadproto.GroupID, members []*session) {
	body := spreadproto.TransitionBody{ID: id}.AppendBinary(nil, s.options.Order)
	m := s.encode(spreadproto.Header{Type: spreadproto.TypeTransition, Name: name}, nil, body)
	for _, x := range members {
		if x.membership {
			s.deliver(x, m)
		}
	}
}

// form makes and announces the first view of a group in a new ring. The sets of
// members that come from the same view are in the order of their first members.
func (s *Server) form(name string, g *group, c *component, sets [][]*session) {
	s.sort(g.members)
	sort.Slice(sets, func(i, j int) bool { return s.compare(sets[i][0], sets[j][0]) < 0 })
	g.id, g.pending = c.firstID(), false
	set := make(map[*session]int)
	named := make([][]string, len(sets))
	for i, members := range sets {
		named[i] = privates(members)
		for _, x := range members {
			set[x] = i
		}
	}
	s.announce(name, g, spreadproto.CauseNetwork, named, func(x *session) int { return set[x] })
}

// settle forms the views that waited for daemons to go on.
func (s *Server) settle() {
	for _, c := range s.components {
		for _, name := range sorted(c.groups) {
			if g := c.groups[name]; g.pending && !s.allPaused(g.members) {
				s.form(name, g, c, [][]*session{slices.Clone(g.members)})
			}
		}
	}
}

// byName sorts names. sort.Strings would be compiled for strings once more.
type byName []string

func (n byName) Len() int           { return len(n) }
func (n byName) Less(i, j int) bool { return n[i] < n[j] }
func (n byName) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }

func sorted[T any](names map[string]T) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	sort.Sort(byName(list))
	return list
}
