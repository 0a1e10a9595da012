package sim

import (
	"net/netip"

	"wackamole/alloc"
)

// Reference is the allocation once more, as simply as it can be said: maps, and
// everything in the order in which it comes. It knows one view and assumes that
// its messages are well made. It is slow, and shares nothing with alloc but the
// decoding of messages.
type Reference struct {
	view    alloc.ViewID
	list    []alloc.VirtualInterface
	names   []string
	address map[string]netip.Addr // of those that have answered
	mature  bool
	running bool

	Owner    map[netip.Addr]netip.Addr
	priority map[netip.Addr]int
}

// NewReference begins a view.
func NewReference(list []alloc.VirtualInterface, view alloc.ViewID, names []string) *Reference {
	return &Reference{
		view: view, list: list, names: names, address: make(map[string]netip.Addr),
		Owner: make(map[netip.Addr]netip.Addr), priority: make(map[netip.Addr]int),
	}
}

// Receive takes one message of the view.
func (r *Reference) Receive(m alloc.Message) {
	isMember := false
	for _, name := range r.names {
		isMember = isMember || name == m.Sender
	}
	if !isMember {
		return
	}
	switch m.Type {
	case alloc.StateMessage:
		r.state(m)
	case alloc.MaturingMessage:
		r.mature = true
	case alloc.BalanceMessage:
		r.balance(m)
	case alloc.WithoutMessage:
		r.without(m)
	}
	if !r.running && r.mature && len(r.address) == len(r.names) {
		r.allocate()
	}
}

func (r *Reference) state(m alloc.Message) {
	s, err := alloc.ParseState(m.Body, m.Order)
	if err != nil || s.View != r.view || s.Index >= len(r.names) || r.names[s.Index] != m.Sender || r.running {
		return
	}
	if _, twice := r.address[m.Sender]; twice {
		return
	}
	r.address[m.Sender] = s.Address
	r.mature = r.mature || s.Mature
	for _, c := range s.Claims {
		have, q := r.priority[c.Key], int(c.Claim)
		switch {
		case have == 0:
			r.Owner[c.Key], r.priority[c.Key] = s.Address, q
		case have == 2 && q == 5:
			r.Owner[c.Key], r.priority[c.Key] = s.Address, 5
		}
	}
	for _, k := range s.Prefers {
		if !k.IsUnspecified() && r.priority[k] < 4 {
			r.Owner[k], r.priority[k] = s.Address, 4
		}
	}
}

func (r *Reference) without(m alloc.Message) {
	w, err := alloc.ParseWithout(m.Body)
	if err != nil || w.View != r.view || r.running {
		return
	}
	named := make(map[string]bool)
	for _, i := range w.Silent {
		if i < len(r.names) {
			named[r.names[i]] = true
		}
	}
	var rest []string
	for _, name := range r.names {
		if _, answered := r.address[name]; answered {
			rest = append(rest, name)
		} else if !named[name] {
			return
		}
	}
	r.names = rest
}

func (r *Reference) allocate() {
	r.running = true
	for _, v := range r.list {
		if r.priority[v.Key()] == 4 {
			r.priority[v.Key()] = 5
		}
	}
	count := make(map[netip.Addr]int)
	for _, v := range r.list {
		if r.priority[v.Key()] != 0 {
			count[r.Owner[v.Key()]]++
		}
	}
	for _, v := range r.list {
		if r.priority[v.Key()] != 0 {
			continue
		}
		best := r.address[r.names[0]]
		for _, name := range r.names {
			if a := r.address[name]; count[a] < count[best] {
				best = a
			}
		}
		r.Owner[v.Key()], r.priority[v.Key()] = best, 2
		count[best]++
	}
}

func (r *Reference) balance(m alloc.Message) {
	if !r.running || m.Sender != r.names[0] {
		return
	}
	moves, err := alloc.ParseBalance(m.Body, m.Order)
	if err != nil {
		return
	}
	for _, v := range moves {
		for _, name := range r.names {
			if r.address[name] == v.Owner {
				r.Owner[v.Key] = v.Owner
			}
		}
	}
}
