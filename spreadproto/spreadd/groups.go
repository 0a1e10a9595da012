package spreadd

import (
	"cmp"
	"slices"
	"sort"

	"wackamole/spreadproto"
)

// Everything here is called with the server's lock held.

// group is the view of one group in one component.
type group struct {
	id      spreadproto.GroupID
	members []*session // in the order that all receive
	// pending is set while members know that the view ends but the next one is
	// not formed, because all their daemons stand still.
	pending bool
}

// join adds a session to a group; every member, the new one included, is told.
func (s *Server) join(x *session, name string) {
	c := s.components[x.component]
	g := c.groups[name]
	if g != nil && slices.Contains(g.members, x) {
		return
	}
	if x.groups == maxGroups {
		s.options.Logf("%s: is in %d groups already, join of %q ignored", x.private, maxGroups, name)
		return
	}
	if g == nil {
		g = &group{id: c.firstID()}
		g.id[2] = 0
		c.groups[name] = g
	}
	x.groups++
	g.members = append(g.members, x)
	s.sort(g.members)
	s.changed(name, g, x, spreadproto.CauseJoin)
}

// leave takes a session out of a group; it is told that it left, the others that
// it has gone.
func (s *Server) leave(x *session, name string) {
	g := s.components[x.component].groups[name]
	if g == nil || !slices.Contains(g.members, x) {
		return
	}
	if x.membership {
		h := spreadproto.Header{Type: uint32(spreadproto.CauseLeave), Name: name}
		s.deliver(x, s.encode(h, nil, nil))
	}
	s.remove(x, name, spreadproto.CauseLeave)
}

// disconnect ends a session: it leaves its groups in the order of their names.
func (s *Server) disconnect(x *session) {
	x.finish()
	var names []string
	if x.groups > 0 {
		for name, g := range s.components[x.component].groups {
			if slices.Contains(g.members, x) {
				names = append(names, name)
			}
		}
	}
	sort.Sort(byName(names))
	for _, name := range names {
		s.remove(x, name, spreadproto.CauseDisconnect)
	}
	delete(s.sessions, x.private)
}

// remove takes a session out of a group. A group without members is forgotten.
func (s *Server) remove(x *session, name string, cause spreadproto.Cause) {
	c := s.components[x.component]
	g := c.groups[name]
	x.groups--
	g.members = slices.DeleteFunc(g.members, func(m *session) bool { return m == x })
	if len(g.members) == 0 {
		delete(c.groups, name)
		return
	}
	s.changed(name, g, x, cause)
}

// changed tells the members of a group that one has come or gone.
func (s *Server) changed(name string, g *group, x *session, cause spreadproto.Cause) {
	g.id[2]++
	s.announce(name, g, cause, [][]string{{x.private}}, func(*session) int { return 0 })
}

// announce delivers a regular membership message. own gives the index of a
// receiver's own set.
func (s *Server) announce(name string, g *group, cause spreadproto.Cause, sets [][]string, own func(*session) int) {
	form := s.options.Version.MembershipForm()
	members := spreadproto.AppendNames(nil, privates(g.members))
	encoded := make(map[int][]byte) // by own set; receivers share what is equal
	for _, m := range g.members {
		if !m.membership {
			continue
		}
		mine := own(m)
		if encoded[mine] == nil {
			body := spreadproto.MembershipBody{ID: g.id, Sets: sets, Own: mine}.AppendBinary(nil, s.options.Order, form)
			h := spreadproto.Header{Type: spreadproto.TypeMembership | uint32(cause), Name: name, Names: len(g.members)}
			encoded[mine] = s.encode(h, members, body)
		}
		s.deliver(m, encoded[mine])
	}
}

// encode makes a message of the daemon's own.
func (s *Server) encode(h spreadproto.Header, names, body []byte) []byte {
	h.Order, h.Hint, h.Length = s.options.Order, spreadproto.NewHint(0, s.options.Order), len(body)
	return slices.Concat(h.AppendBinary(nil), names, body)
}

// multicast delivers data to each session that is addressed, once, within the
// sender's component. The sender's hint stays as it is, for it tells the order of
// the payload.
func (s *Server) multicast(x *session, r *request) {
	h := r.Header
	h.Order = s.options.Order
	m := slices.Concat(h.AppendBinary(nil), r.rest)
	seen := make(map[*session]bool)
	if spreadproto.Service(h.Type)&spreadproto.SelfDiscard != 0 {
		seen[x] = true
	}
	for _, to := range s.addressed(x, r) {
		if !seen[to] {
			seen[to] = true
			s.deliver(to, m)
		}
	}
}

// addressed lists the sessions that a message is for, perhaps more than once.
func (s *Server) addressed(x *session, r *request) []*session {
	if r.Type&spreadproto.TypeReject != 0 {
		return []*session{x} // real daemons take it for a refused message
	}
	if len(r.names) > spreadproto.MaxDestinations {
		return nil // real daemons misread such a list
	}
	var to []*session
	for _, name := range r.names {
		if y := s.sessions[name]; y != nil && y.component == x.component {
			to = append(to, y)
		}
		if g := s.components[x.component].groups[name]; g != nil && name[:min(1, len(name))] != "#" {
			to = append(to, g.members...)
		}
	}
	return to
}

// compare is the order in which all members receive the members: by the daemon's
// position, then by name; in 3.x by name alone.
func (s *Server) compare(a, b *session) int {
	if s.options.Version.Major >= 4 {
		if c := cmp.Compare(s.daemons[a.daemon], s.daemons[b.daemon]); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.private, b.private)
}

func (s *Server) sort(members []*session) {
	sort.Slice(members, func(i, j int) bool { return s.compare(members[i], members[j]) < 0 })
}

func privates(members []*session) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.private
	}
	return names
}
