package sim

import (
	"fmt"
	"slices"
	"strings"

	"wackamole/alloc"
)

// component is a part of the network. What its members send waits until it is put
// into the order that all of them see.
type component struct{ pending []*sent }

// sent is a message on its way; several members receive the same.
type sent struct {
	from    *member
	serial  uint64
	version int // of the sender's configuration
	message alloc.Message
}

// view is a membership; several members receive the same.
type view struct {
	alloc.View
	reached bool // some member
}

// received is a thing that a member has to receive: one of the two.
type received struct {
	view *view
	sent *sent
}

// in lists the members that are in the group in a component.
func (w *World) in(c *component) (list []*member) {
	for _, x := range w.members {
		if x.host.component == c && x.joined {
			list = append(list, x)
		}
	}
	return list
}

// newView brings about a new view in a component, of its members and of visitors
// that have no process here.
func (w *World) newView(c *component, visitors ...string) {
	members := w.in(c)
	if len(members) == 0 {
		return
	}
	names := visitors
	for _, x := range members {
		names = append(names, x.name)
	}
	// All members of a component see one order, and each component may have another.
	slices.Sort(names)
	w.random.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
	w.views++
	v := &view{View: alloc.View{ID: alloc.ViewID{0x0a000000, w.views, 1}, Members: names}}
	for _, x := range members {
		x.inbox = append(x.inbox, received{view: v})
	}
	w.say("%v", v.View)
}

// change cuts the order of a component: some of what is on its way is ordered
// before a change of view, the rest after it.
func (w *World) change(c *component) {
	for range w.random.IntN(len(c.pending) + 1) {
		w.order(c)
	}
}

// order puts the next message of a component into the order of its members.
// Messages of one sender keep theirs; of several senders any may be next.
func (w *World) order(c *component) {
	if len(c.pending) > 0 {
		w.hand(c, w.take(&c.pending))
	}
}

func (w *World) hand(c *component, s *sent) {
	for _, x := range w.in(c) {
		x.inbox = append(x.inbox, received{sent: s})
	}
}

// take removes a message that can be next.
func (w *World) take(pending *[]*sent) *sent {
	p := *pending
	from := p[w.random.IntN(len(p))].from
	i := slices.IndexFunc(p, func(s *sent) bool { return s.from == from })
	s := p[i]
	*pending = slices.Delete(p, i, i+1)
	return s
}

// split moves some hosts into a component of their own. What was on its way has
// its place in one order; each side delivers it up to some point, without a gap,
// and after that, before the new view or after it, only what its own members sent.
func (w *World) split() {
	c := w.components[w.random.IntN(len(w.components))]
	other := &component{}
	w.components = append(w.components, other)
	for _, h := range w.hosts {
		if h.component == c && w.random.IntN(2) == 0 {
			h.component = other
		}
	}
	var line []*sent
	for len(c.pending) > 0 {
		line = append(line, w.take(&c.pending))
	}
	for _, side := range []*component{c, other} {
		known := w.random.IntN(len(line) + 1)
		for _, s := range line[:known] {
			w.hand(side, s)
		}
		for _, s := range line[known:] {
			if s.from.host.component == side {
				side.pending = append(side.pending, s)
			}
		}
		w.say("split: part %d", slices.Index(w.components, side))
		w.change(side)
		w.newView(side)
	}
}

// merge puts two components together. Each side first receives, in its old view,
// some of what was on its way there.
func (w *World) merge() {
	if len(w.components) < 2 {
		return
	}
	i := w.random.IntN(len(w.components))
	gone := w.components[i]
	w.components = slices.Delete(w.components, i, i+1)
	c := w.components[w.random.IntN(len(w.components))]
	w.say("merge: part %d with another", i)
	w.change(gone)
	w.change(c)
	for _, h := range w.hosts {
		if h.component == gone {
			h.component = c
		}
	}
	c.pending = append(c.pending, gone.pending...)
	w.newView(c)
}

// forget drops what a member that is gone has not got as far as Spread: the last
// that it sent, however much that is.
func (w *World) forget(x *member) {
	c := x.host.component
	n := 0
	for _, s := range c.pending {
		if s.from == x {
			n++
		}
	}
	keep := w.random.IntN(n + 1)
	c.pending = slices.DeleteFunc(c.pending, func(s *sent) bool {
		if s.from != x {
			return false
		}
		keep--
		return keep < 0
	})
	// What did get there is ordered before the view without its sender.
	for slices.ContainsFunc(c.pending, func(s *sent) bool { return s.from == x }) {
		w.order(c)
	}
	w.change(c)
}

// visit has a process join the group that says nothing, and leave it again.
func (w *World) visit(c *component) {
	w.born++
	name := fmt.Sprintf("#v%d#h", w.born)
	w.change(c)
	w.newView(c, name)
	w.change(c)
	w.newView(c)
}

func (w *World) say(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " "))
	}
}
