// Package sim plays whole clusters of alloc.Machine in one process, from a seed:
// it is how the claim is tested that no address is lost and none held twice.
//
// The model. A World has hosts, on which members come and go, and components,
// the parts into which the network is split. Spread is modelled by what extended
// virtual synchrony promises and nothing more: a message goes into the component's
// order at some later time; each member then receives what was ordered, at its own
// pace; a change of view cuts the order, and what was on its way then is delivered
// before it, after it, or, from members on the other side, not at all, alike for
// all that go on together. Views interrupt each other, names and orders of members
// change from component to component, members are slow, silent, killed, restarted
// under another name with the same address, told to stay away, and reconfigured.
//
// After every step the invariants are checked: members that have received the same
// have the same table, which is what a second, simpler implementation (Reference)
// makes of the messages; no address is held by two of them; nobody without a
// session holds anything. When a run ends, the network is left alone until it is
// quiet: then every address is held exactly once in each component, and evenly.
package sim

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"wackamole/alloc"
)

const group = "wack"

// World is one simulated cluster.
type World struct {
	random     *rand.Rand
	config     alloc.Config // without the address and the preferences
	list       []alloc.VirtualInterface
	members    []*member // those that live
	silent     int       // one in so many members never answers; 0: none
	hosts      int
	born       int
	components map[int]*component
	ids        uint32
	now        time.Duration
	compared   map[place]bool // with the reference
	trace      []string
	tracing    bool

	Views int // view changes that were delivered to members
}

// component is a part of the network. What its members send waits in pending until
// it is ordered.
type component struct{ pending []sent }

type sent struct {
	from    *member
	message alloc.Message
}

// member is one process.
type member struct {
	name      string
	host      int
	address   netip.Addr
	machine   *alloc.Machine // nil: it joined and says nothing
	config    alloc.Config
	prefers   []netip.Addr
	component int
	away      bool // told to stay away
	inbox     []alloc.Event
	view      alloc.ViewID
	history   []alloc.Message // received in this view
	digest    uint64          // of the history
	due       [alloc.Timers]time.Duration
	armed     [alloc.Timers]bool
	holds     map[netip.Addr]bool
}

// New makes a world of a seed.
func New(seed uint64) *World {
	w := &World{random: rand.New(rand.NewPCG(seed, 0)), components: map[int]*component{0: {}}, compared: make(map[place]bool)}
	w.hosts = 1 + w.random.IntN([]int{3, 5, 8, 24}[w.random.IntN(4)])
	count := w.random.IntN([]int{4, 12, 40, 300}[w.random.IntN(4)])
	for i := range count {
		w.list = append(w.list, w.virtualInterface(i))
	}
	w.config = alloc.Config{
		Interfaces: w.list, Group: group, Mature: 5 * time.Second,
		PerRound: []int{0, 0, 1, 2, 5, -1}[w.random.IntN(6)], Interval: time.Duration(w.random.IntN(5)) * time.Second,
	}
	if w.random.IntN(4) == 0 {
		w.silent = 6
	}
	return w
}

// virtualInterface is number i: one address, or now and then a set of them.
func (w *World) virtualInterface(i int) alloc.VirtualInterface {
	v := alloc.VirtualInterface{Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i / 200), byte(1 + i%200)})}}
	for k := range w.random.IntN(8) - 5 {
		v.Addresses = append(v.Addresses, netip.AddrFrom4([4]byte{10, byte(1 + k), byte(i / 200), byte(1 + i%200)}))
	}
	return v
}

func (w *World) say(format string, args ...any) {
	if w.tracing {
		w.trace = append(w.trace, fmt.Sprintf(format, args...))
	}
}

// spawn starts a process on a host.
func (w *World) spawn(host, component int) {
	w.born++
	x := &member{
		name: fmt.Sprintf("#w%d#h%d", w.born, host), host: host, component: component,
		address: netip.AddrFrom4([4]byte{192, 168, byte(host / 200), byte(1 + host%200)}),
		holds:   make(map[netip.Addr]bool),
	}
	if w.silent == 0 || w.random.IntN(w.silent) > 0 {
		for _, v := range w.list {
			if w.random.IntN(20) == 0 && w.random.IntN(3) == 0 {
				x.prefers = append(x.prefers, v.Key())
			}
		}
		if len(x.prefers) == 0 {
			x.prefers = []netip.Addr{netip.AddrFrom4([4]byte{})}
		}
		x.config = w.config
		x.config.Address, x.config.Prefer = x.address, x.prefers
		x.machine = alloc.New(x.config, order(w.random.IntN(2) == 0))
	}
	w.members = append(w.members, x)
	w.say("%s starts (%v)", x.name, x.address)
	w.connect(x)
}

func order(big bool) alloc.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// connect has a process join the group.
func (w *World) connect(x *member) {
	x.away, x.inbox, x.history, x.view = false, nil, nil, alloc.ViewID{}
	w.step(x, alloc.Connected{Self: x.name})
	w.newView(x.component)
}

// disconnect ends a member's session. Its address table entries are the guard's.
func (w *World) disconnect(x *member, reason string) {
	x.away, x.inbox, x.history, x.view = true, nil, nil, alloc.ViewID{}
	if x.machine != nil {
		w.step(x, alloc.Lost{Reason: reason})
	}
	w.forget(x)
	w.newView(x.component)
}

// forget drops the last of what a member that is gone had sent: it had not
// reached Spread.
func (w *World) forget(x *member) {
	c := w.components[x.component]
	keep := w.random.IntN(len(c.pending) + 1)
	c.pending = slices.DeleteFunc(c.pending, func(s sent) bool {
		if s.from == x {
			keep--
		}
		return s.from == x && keep < 0
	})
}

// in lists the members that are in the group in a component.
func (w *World) in(component int) (list []*member) {
	for _, x := range w.members {
		if x.component == component && !x.away {
			list = append(list, x)
		}
	}
	return list
}

// newView brings about a new view in a component: some of what is on its way is
// ordered before it, the rest comes after it.
func (w *World) newView(component int) {
	members := w.in(component)
	if len(members) == 0 {
		return
	}
	for range w.random.IntN(len(w.components[component].pending) + 1) {
		w.order(component)
	}
	names := make([]string, len(members))
	for i, x := range members {
		names[i] = x.name
	}
	// All members see one order; each component may have another.
	slices.Sort(names)
	w.ids++
	shift := int(w.ids) % len(names)
	names = slices.Concat(names[shift:], names[:shift])
	v := alloc.View{ID: alloc.ViewID{uint32(component), w.ids, 1}, Members: names}
	for _, x := range members {
		x.inbox = append(x.inbox, v)
	}
	w.say("view %v: %s", v.ID, strings.Join(names, " "))
}

// order puts the next message of a component into the order of its members.
// Messages of one sender keep theirs; of several senders any may be next.
func (w *World) order(component int) {
	c := w.components[component]
	if len(c.pending) == 0 {
		return
	}
	i := w.pick(c.pending)
	s := c.pending[i]
	c.pending = slices.Delete(c.pending, i, i+1)
	for _, x := range w.in(component) {
		x.inbox = append(x.inbox, s.message)
	}
}

// pick returns which message is next: the first of any sender.
func (w *World) pick(pending []sent) int {
	from := pending[w.random.IntN(len(pending))].from
	return slices.IndexFunc(pending, func(s sent) bool { return s.from == from })
}

// step gives a member an event and carries out what it asks for.
func (w *World) step(x *member, e alloc.Event) {
	if x.machine == nil {
		return
	}
	rejoin := false
	for _, a := range slices.Clone(x.machine.Step(e)) {
		switch a := a.(type) {
		case alloc.Release:
			for _, k := range a.Keys {
				delete(x.holds, k)
			}
		case alloc.Acquire:
			for _, k := range a.Keys {
				x.holds[k] = true
			}
		case alloc.Multicast:
			m := alloc.Message{Sender: x.name, Groups: []string{group}, Ordered: true, Type: a.Type, Order: orderOf(x), Body: a.Body}
			c := w.components[x.component]
			c.pending = append(c.pending, sent{x, m})
		case alloc.StartTimer:
			x.due[a.Timer], x.armed[a.Timer] = w.now+a.After, true
		case alloc.StopTimer:
			x.armed[a.Timer] = false
		case alloc.Rejoin:
			rejoin = true
		case alloc.Log:
			w.say("%s: %s", x.name, a.Text)
		case alloc.Rejected:
			w.say("%s: %v", x.name, a)
		}
	}
	if rejoin {
		w.forget(x)
		w.newView(x.component)
		w.rename(x)
		w.connect(x)
	}
}

func (w *World) rename(x *member) {
	w.born++
	x.name = fmt.Sprintf("#w%d#h%d", w.born, x.host)
}

func orderOf(x *member) binary.ByteOrder {
	// The machine writes its group id in its own order, and reads its own STATE
	// back: any wrong answer here would show at once.
	return x.machine.Order()
}

// deliver gives a member the next thing that it has to receive.
func (w *World) deliver(x *member) {
	e := x.inbox[0]
	x.inbox = x.inbox[1:]
	switch e := e.(type) {
	case alloc.View:
		x.view, x.history, x.digest = e.ID, nil, 0
		w.Views++
	case alloc.Message:
		x.history = append(x.history, e)
		x.digest = digest(x.digest, e)
	}
	w.say("%s receives %v", x.name, e)
	w.step(x, e)
}

// digest goes on from the digest of what came before.
func digest(before uint64, m alloc.Message) uint64 {
	h := fnv.New64a()
	h.Write(binary.BigEndian.AppendUint64(nil, before))
	h.Write([]byte(m.Sender))
	h.Write([]byte{0, byte(m.Type)})
	h.Write(m.Body)
	return h.Sum64()
}

// advance lets time go by to the next timer and fires it. It reports false if
// there is none.
func (w *World) advance() bool {
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
	w.say("%s: %v timer", next.name, timer)
	w.step(next, alloc.TimerFired{Timer: timer})
	return true
}

// components in their order, for the same run from the same seed.
func (w *World) numbers() []int { return slices.Sorted(maps.Keys(w.components)) }
