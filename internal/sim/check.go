package sim

import (
	"fmt"
	"net/netip"
	"strings"

	"wackamole/alloc"
)

// broken notes the first invariant that does not hold.
func (w *World) broken(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
		w.say("BROKEN: %v", w.failure)
	}
}

// place is how far a member has come: the view, and what it received in it.
type place struct {
	view   alloc.ViewID
	digest uint64
}

// snapshot is the table of the first member that came to a place.
type snapshot struct {
	name  string
	table uint64 // digest
}

// check looks at a member after a step.
func (w *World) check(x *member, e alloc.Event, before alloc.State) {
	state := x.machine.State()
	if _, ok := e.(alloc.Connected); ok && x.machine.Status().Mature {
		w.broken("%s is mature at the begin of its session", x.name)
	}
	if (state == alloc.Offline || state == alloc.Boot || !x.joined) && len(x.holds) > 0 {
		w.broken("%s holds %d virtual interfaces in state %v", x.name, len(x.holds), state)
	}
	if state != alloc.Run || before == alloc.Run && !changesTable(e) {
		return
	}
	status := x.machine.Status()
	if !status.Mature {
		w.broken("%s is in RUN and not mature", x.name)
	}
	held := 0
	for _, r := range status.Rows {
		if r.Held != x.holds[r.Key] {
			w.broken("%s: the machine says held %v of %v, the host %v", x.name, r.Held, r.Key, x.holds[r.Key])
		}
		if mine := r.Owner == x.host.address && r.Claim != alloc.Unclaimed; mine != r.Held && !x.mixed {
			w.broken("%s: %v is of %v and held %v", x.name, r.Key, r.Owner, r.Held)
		}
		if r.Held {
			held++
		}
	}
	if held != len(x.holds) {
		w.broken("%s holds %d virtual interfaces and has rows of %d", x.name, len(x.holds), held)
	}
	if x.mixed {
		return // members with different lists are not promised anything
	}
	// Members of one view that have received the same must agree. With what is
	// above, no two of them hold one address.
	p, table := place{x.view, x.digest}, digest(status.Rows)
	if other, ok := w.seen[p]; !ok {
		w.seen[p] = snapshot{x.name, table}
		w.compare(x, status)
	} else if other.table != table {
		w.broken("%s and %s do not agree in view %v", x.name, other.name, x.view)
	}
}

// changesTable reports whether an event can change the table in RUN.
func changesTable(e alloc.Event) bool {
	switch e := e.(type) {
	case alloc.Message:
		return e.Type == alloc.BalanceMessage
	case alloc.Reconfigured:
		return true
	}
	return false
}

func digest(rows []alloc.RowStatus) uint64 {
	h := uint64(len(rows))
	for _, r := range rows {
		var a [4]byte
		if r.Owner.IsValid() {
			a = r.Owner.As4()
		}
		h = (h ^ uint64(a[2])<<16 ^ uint64(a[3])<<8 ^ uint64(r.Claim)) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}

// compare holds a member's table against what the reference makes of the messages
// that it has received in this view.
func (w *World) compare(x *member, status alloc.Status) {
	names := make([]string, len(status.Members))
	for i, m := range status.Members {
		names[i] = m.Name
	}
	r := NewReference(x.config.Interfaces, status.View, names)
	for _, m := range x.history {
		r.Receive(m)
	}
	for _, row := range status.Rows {
		if row.Owner != r.Owner[row.Key] || int(row.Claim) != r.priority[row.Key] {
			w.broken("%s gives %v to %v (%d), the reference to %v (%d)", x.name, row.Key, row.Owner, row.Claim,
				r.Owner[row.Key], r.priority[row.Key])
			return
		}
	}
}

// announced checks that only what is held is announced.
func (w *World) announced(x *member, keys []netip.Addr) {
	for _, k := range keys {
		if !x.holds[k] {
			w.broken("%s announces %v, which it does not hold", x.name, k)
		}
	}
}

// rejected takes a complaint about a message: here all members are honest, so only
// what delay and different lists explain may be complained about.
func (w *World) rejected(x *member, a alloc.Rejected) {
	switch a.Reason {
	case alloc.NotAMember, alloc.OutOfPhase:
	case alloc.NotItsToSend:
		// The round of a leader that has hung since, and was gone on without.
		if !strings.HasPrefix(a.Text, alloc.BalanceMessage.String()) {
			w.broken("%s: %v", x.name, a)
		}
	case alloc.UnknownTarget, alloc.UnknownOwner:
		if !x.mixed {
			w.broken("%s: %v", x.name, a)
		}
	default:
		w.broken("%s: %v", x.name, a)
	}
}
