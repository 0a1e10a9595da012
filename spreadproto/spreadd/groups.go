package spreadd

import (
	"cmp"
	"slices"

	"wackamole/spreadproto"
)

// Everything here is called with the server's lock held.

// join adds a session to a group; every member, the new one included, is told.
func (s *Server) join(x *session, name string) {
	c := s.components[x.component]
	g := c.groups[name]
	if g == nil {
		g = &group{id: s.newID()}
		g.id[2] = 0
		c.groups[name] = g
	}
	if slices.Contains(g.members, x) {
		return
	}
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
	if s.sessions[x.private] != x {
		return
	}
	var names []string
	for name, g := range s.components[x.component].groups {
		if slices.Contains(g.members, x) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		s.remove(x, name, spreadproto.CauseDisconnect)
	}
	delete(s.sessions, x.private)
	s.finish(x)
}

// finish ends the queue of a session.
func (s *Server) finish(x *session) {
	if !x.over {
		x.over = true
		close(x.out)
	}
}

// remove takes a session out of a group. A group without members is forgotten.
func (s *Server) remove(x *session, name string, cause spreadproto.Cause) {
	c := s.components[x.component]
	g := c.groups[name]
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
// sender's component. More than 43 destinations reach nobody, as with real
// daemons.
func (s *Server) multicast(x *session, h spreadproto.Header, names []string, rest []byte) {
	if len(names) > spreadproto.MaxDestinations {
		return
	}
	h.Order = s.options.Order
	m := slices.Concat(h.AppendBinary(nil), rest)
	seen := make(map[*session]bool)
	for _, name := range names {
		for _, to := range s.addressed(name, x.component) {
			if seen[to] || to == x && spreadproto.Service(h.Type)&spreadproto.SelfDiscard != 0 {
				continue
			}
			seen[to] = true
			s.deliver(to, m)
		}
	}
}

// addressed lists the sessions that a destination stands for.
func (s *Server) addressed(name string, component int) []*session {
	if name != "" && name[0] == '#' {
		if x := s.sessions[name]; x != nil && x.component == component {
			return []*session{x}
		}
		return nil
	}
	if g := s.components[component].groups[name]; g != nil {
		return g.members
	}
	return nil
}

// deliver queues a message. A session with too many unread ones is cut off: what
// it can still read ends somewhere in the middle.
func (s *Server) deliver(x *session, m []byte) {
	if x.over {
		return
	}
	select {
	case x.out <- m:
	default:
		x.conn.Close() // its reader does the rest
	}
}

// sort puts members into the order in which all receive them: by the daemon's
// position, then by name; in 3.x by name alone.
func (s *Server) sort(members []*session) {
	byName := s.options.Version.Major < 4
	slices.SortFunc(members, func(a, b *session) int {
		if !byName {
			if c := cmp.Compare(s.daemons[a.daemon], s.daemons[b.daemon]); c != 0 {
				return c
			}
		}
		return cmp.Compare(a.private, b.private)
	})
}

func privates(members []*session) []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.private
	}
	return names
}
