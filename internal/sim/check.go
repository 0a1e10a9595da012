package sim

import (
	"fmt"
	"net/netip"
	"strings"

	"wackamole/alloc"
)

// A Broken is an invariant that does not hold, with what led to it if the world
// was tracing.
type Broken struct {
	What  string
	Trace []string
}

func (b *Broken) Error() string {
	const last = 400
	trace := b.Trace
	if len(trace) > last {
		trace = trace[len(trace)-last:]
	}
	return b.What + "\n\t" + strings.Join(trace, "\n\t")
}

func (w *World) broken(format string, args ...any) error {
	return &Broken{fmt.Sprintf(format, args...), w.trace}
}

// place is how far a member has come: the view, and what it received in it.
type place struct {
	view   alloc.ViewID
	digest uint64
}

// check looks at every member.
func (w *World) check() error {
	owners := make(map[place]map[netip.Addr]*member)
	first := make(map[place]*member)
	for _, x := range w.members {
		if x.machine == nil {
			continue
		}
		if (x.away || x.machine.State() == alloc.Boot) && len(x.holds) > 0 {
			return w.broken("%s holds %d virtual interfaces in state %v", x.name, len(x.holds), x.machine.State())
		}
		if x.machine.State() != alloc.Run {
			continue
		}
		for _, r := range x.machine.Status().Rows {
			if r.Held != x.holds[r.Key] {
				return w.broken("%s: row of %v says held %v, the host says %v", x.name, r.Key, r.Held, x.holds[r.Key])
			}
		}
		// Members of one view that have received the same must agree.
		p := place{x.view, x.digest}
		if other := first[p]; other == nil {
			first[p] = x
			owners[p] = make(map[netip.Addr]*member)
			if err := w.compare(x, p); err != nil {
				return err
			}
		} else if err := w.equal(other, x); err != nil {
			return err
		}
		for k := range x.holds {
			if other := owners[p][k]; other != nil {
				return w.broken("%v is held by %s and %s", k, other.name, x.name)
			}
			owners[p][k] = x
		}
	}
	return nil
}

func (w *World) equal(a, b *member) error {
	s, t := a.machine.Status(), b.machine.Status()
	for i := range s.Rows {
		if s.Rows[i].Owner != t.Rows[i].Owner || s.Rows[i].Claim != t.Rows[i].Claim {
			return w.broken("%s and %s do not agree on %v: %v (%d) and %v (%d)", a.name, b.name, s.Rows[i].Key,
				s.Rows[i].Owner, s.Rows[i].Claim, t.Rows[i].Owner, t.Rows[i].Claim)
		}
	}
	return nil
}

// compare holds a member's table against what the reference makes of the messages
// that it received in this view.
func (w *World) compare(x *member, p place) error {
	if w.compared[p] {
		return nil
	}
	w.compared[p] = true
	status := x.machine.Status()
	names := make([]string, len(status.Members))
	for i, m := range status.Members {
		names[i] = m.Name
	}
	r := NewReference(w.list, status.View, names)
	for _, m := range x.history {
		r.Receive(m)
	}
	for i, row := range status.Rows {
		if got, want := row.Owner, r.Owner[w.list[i].Key()]; got != want {
			return w.broken("%s gives %v to %v, the reference to %v", x.name, row.Key, got, want)
		}
	}
	return nil
}
