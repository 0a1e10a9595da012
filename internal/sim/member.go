package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"wackamole/alloc"
)

// member is one process.
type member struct {
	name    string
	host    *host
	machine *alloc.Machine // nil: it joined and says nothing
	order   alloc.ByteOrder
	config  alloc.Config
	rows    map[netip.Addr]alloc.VirtualInterface // of its configuration, by key
	version int                                   // of its configuration
	joined  bool                                  // has a session and is in the group
	away    bool                                  // told to stay away
	stalled bool                                  // receives nothing for now
	inbox   []received

	holds map[netip.Addr]bool // keys, by the machine's actions

	view    alloc.ViewID
	history []alloc.Message // received in this view
	digest  uint64          // of the history
	mixed   bool            // lists have differed in this view

	due   [alloc.Timers]time.Duration
	armed [alloc.Timers]bool
}

// spawn starts a process on a host. A mute one is not of ours: it joins the group
// and says nothing.
func (w *World) spawn(h *host, mute bool) {
	x := &member{host: h, holds: make(map[netip.Addr]bool)}
	w.rename(x)
	if !mute {
		x.order = byteOrder(w.random.IntN(2) == 0)
		w.configure(x)
		x.machine = alloc.New(x.config, x.order)
	}
	h.process = x
	w.members = append(w.members, x)
	w.say("%s starts, mute: %v, prefers %v", x.name, mute, x.config.Prefer)
	w.join(x)
}

// configure gives a process the newest configuration and preferences of its own.
func (w *World) configure(x *member) {
	s := w.script
	x.config = alloc.Config{
		Interfaces: w.list, Group: group, Address: x.host.address,
		Mature: 5 * time.Second, PerRound: s.PerRound, Interval: s.Interval,
		Prefer: []netip.Addr{netip.IPv4Unspecified()},
	}
	if s.Prefer > 0 && w.random.IntN(s.Prefer) == 0 && len(w.list) > 0 {
		x.config.Prefer = nil
		for range 1 + w.random.IntN(3) {
			x.config.Prefer = append(x.config.Prefer, w.list[w.random.IntN(len(w.list))].Key())
		}
	}
	x.version = w.version
	x.rows = make(map[netip.Addr]alloc.VirtualInterface, len(w.list))
	for _, v := range w.list {
		x.rows[v.Key()] = v
	}
}

// rename gives a process the name of its next session: a host's names differ.
func (w *World) rename(x *member) {
	w.born++
	x.name = fmt.Sprintf("#w%d#h%d", w.born, x.host.number)
}

func (w *World) join(x *member) {
	x.joined, x.away = true, false
	w.step(x, alloc.Connected{Self: x.name})
	if x.joined { // it may have been told to rejoin at once
		w.change(x.host.component)
		w.newView(x.host.component)
	}
}

// drop ends a session on Spread's side.
func (w *World) drop(x *member) {
	w.forget(x)
	x.joined, x.inbox, x.history, x.view = false, nil, nil, alloc.ViewID{}
	w.newView(x.host.component)
}

// lose ends a session, and the process notices.
func (w *World) lose(x *member) {
	w.drop(x)
	w.step(x, alloc.Lost{Reason: "simulated"})
}

// kill ends a process; its guard releases what it held.
func (w *World) kill(x *member) {
	w.say("%s is killed", x.name)
	if x.joined {
		w.drop(x)
	}
	w.members = slices.DeleteFunc(w.members, func(m *member) bool { return m == x })
	x.host.process = nil
	clear(x.host.wanted)
	w.apply(x.host)
}

// reload gives a process the newest configuration.
func (w *World) reload(x *member) {
	if x.machine == nil {
		return
	}
	w.configure(x)
	x.mixed = true
	w.say("%s reloads: %d virtual interfaces, prefers %v", x.name, len(w.list), x.config.Prefer)
	w.step(x, alloc.Reconfigured{Config: x.config})
}

// deliver gives a member the next thing that it has to receive.
func (w *World) deliver(x *member) {
	r := x.inbox[0]
	x.inbox = x.inbox[1:]
	w.counts.Deliveries++
	if v := r.view; v != nil {
		if !v.reached && x.machine != nil {
			v.reached = true
			w.counts.Views++
		}
		x.view, x.history, x.digest, x.mixed = v.ID, x.history[:0], 0, false
		w.step(x, v.View)
		return
	}
	s := r.sent
	x.history = append(x.history, s.message)
	x.digest = (x.digest ^ s.serial) * 0x9e3779b97f4a7c15
	x.mixed = x.mixed || s.version != x.version
	w.step(x, s.message)
}

// step gives a machine an event and carries out what it asks for.
func (w *World) step(x *member, e alloc.Event) {
	if x.machine == nil || w.failure != nil {
		return
	}
	w.say("%s: %v", x.name, e)
	before := x.machine.State()
	var rejoin, renew bool
	for _, a := range x.machine.Step(e) {
		if _, ok := a.(alloc.Log); w.tracing && !ok {
			w.say("\t%.200v", a)
		}
		switch a := a.(type) {
		case alloc.Release:
			w.carry(x, a.Keys, false)
		case alloc.Acquire:
			w.carry(x, a.Keys, true)
		case alloc.Announce:
			w.counts.Conflicts++
			w.announced(x, a.Keys)
		case alloc.Multicast:
			w.multicast(x, a)
		case alloc.StartTimer:
			x.due[a.Timer], x.armed[a.Timer] = w.now+a.After, true
		case alloc.StopTimer:
			x.armed[a.Timer] = false
		case alloc.Rejoin:
			rejoin = true
			w.counts.Rejoins++
		case alloc.RenewView:
			renew = true
			w.counts.Renewals++
		case alloc.Rejected:
			w.rejected(x, a)
		}
	}
	w.check(x, e, before)
	if renew && x.joined {
		w.visit(x.host.component)
	}
	if rejoin {
		w.drop(x)
		w.rename(x)
		w.join(x)
	}
}

// multicast has a message on its way.
func (w *World) multicast(x *member, a alloc.Multicast) {
	switch a.Type {
	case alloc.BalanceMessage:
		w.counts.Balances++
	case alloc.WithoutMessage:
		w.counts.Withouts++
	}
	w.serial++
	m := alloc.Message{Sender: x.name, Groups: []string{group}, Ordered: true, Type: a.Type, Order: x.order, Body: a.Body}
	c := x.host.component
	c.pending = append(c.pending, &sent{x, w.serial, x.version, m})
}

// carry carries out a release or an acquisition.
func (w *World) carry(x *member, keys []netip.Addr, up bool) {
	for _, k := range keys {
		if up && x.holds[k] {
			w.broken("%s acquires %v, which it holds", x.name, k)
		}
		if up {
			x.holds[k] = true
		} else {
			delete(x.holds, k)
		}
	}
	w.want(x)
}

// want tells the host what the process holds now.
func (w *World) want(x *member) {
	clear(x.host.wanted)
	for k := range x.holds {
		for _, a := range x.rows[k].Addresses {
			x.host.wanted[a] = true
		}
	}
	w.apply(x.host)
}

// fireNext lets time go by to the next timer. It reports false if there is none.
func (w *World) fireNext() bool {
	var next *member
	var timer alloc.Timer
	for _, x := range w.members {
		for t := range alloc.Timers {
			if x.armed[t] && (next == nil || x.due[t] < next.due[timer]) {
				next, timer = x, t
			}
		}
	}
	if next == nil {
		return false
	}
	w.now = max(w.now, next.due[timer])
	next.armed[timer] = false
	w.step(next, alloc.TimerFired{Timer: timer})
	return true
}
