package alloc

import "sort"

// A process that joins the group and sends no STATE stops a cluster of
// originals for good. Where every member that did answer can go on without it,
// one of them says so in a WITHOUT message, and since that message has its place
// in the total order, all of them leave out the same members.

// proposeWithout multicasts WITHOUT once Gather has lasted too long.
func (m *Machine) proposeWithout() {
	if m.state != Gather {
		return
	}
	if !m.members[m.me].answered {
		// Spread itself is late: our own STATE has not come back either.
		m.start(GatherTimer, silence)
		return
	}
	var silent []int
	for i := range m.members {
		switch x := &m.members[i]; {
		case !x.answered:
			silent = append(silent, i)
			m.log(Warning, "%s has sent no STATE: it is hung, or no wackamole", x.name)
		case !x.canGoOn():
			m.log(Warning, "waiting for it: %s is an original wackamole, which waits without end", x.name)
			m.start(GatherTimer, silence)
			return
		}
	}
	m.act(Multicast{WithoutMessage, (&WithoutBody{m.view, silent}).Append(nil)})
	m.start(GatherTimer, silence)
}

func (x *member) canGoOn() bool { return x.trailer != nil && x.trailer.Abilities&CanGoOn != 0 }

// withoutReceived leaves out the members that have sent no STATE until now, if
// the message names all of them. One that it names and that has answered in
// between, before the message in the total order, stays.
func (m *Machine) withoutReceived(from int, e Message) {
	w, err := ParseWithout(e.Body)
	if err != nil {
		m.reject(Malformed, "WITHOUT from %s: %v", e.Sender, err)
		return
	}
	if w.View != m.view || m.state != Gather {
		return // decided already, or overtaken by another view
	}
	if !m.members[from].answered {
		m.reject(NotItsToSend, "WITHOUT from %s, which has not answered itself", e.Sender)
		return
	}
	// They are in order, and as many as a liar likes: no table of them.
	named := func(i int) bool {
		at := sort.SearchInts(w.Silent, i)
		return at < len(w.Silent) && w.Silent[at] == i
	}
	for i := range m.members {
		if x := &m.members[i]; x.answered && !x.canGoOn() || !x.answered && !named(i) {
			m.reject(NotItsToSend, "WITHOUT from %s: it cannot go on without %s", e.Sender, x.name)
			return
		}
	}
	if !m.members[m.me].answered {
		m.rejoin("the others went on without this member")
		return
	}
	for i := range m.members {
		if x := &m.members[i]; !x.answered {
			x.silent = true
			m.log(Error, "going on without %s, which has sent no STATE", x.name)
		}
	}
	m.pending = 0
	m.gathered()
}
