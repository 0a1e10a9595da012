// Package sim plays whole clusters of alloc.Machine in one process: it is how the
// claim is tested that no address is lost and none held twice.
//
// The model. A World has hosts, each with a kernel that holds addresses and at
// most one process, and components, the parts into which the network is split. A
// process is what stands around a machine in a daemon: it carries out actions,
// tries again where the kernel refuses, reconnects, reloads. Spread is modelled by
// what extended virtual synchrony promises and nothing more: a message goes into
// its component's order at some later time; each member then receives what was
// ordered, at its own pace; a change of view cuts the order, and what was on its
// way then is delivered before it, after it, or, from members on the other side,
// not at all, alike for all that go on together. Views interrupt each other, names
// and orders of members change from component to component.
//
// What happens is a Script, made from a seed: a list of events (deliver, order,
// split, kill ...), each with a number that stands for its choices, so that a
// script plays alike always and still plays when events are left out of it. That
// is how a script in which an invariant breaks is made small and readable.
//
// After every step of a member the invariants are checked: members of a view that
// have received the same have the same table, which is what a second, simpler
// implementation (Reference) makes of the messages; each holds its own rows of it
// and nothing else, so that no address is held by two of them; nobody holds
// anything without a session or before it is mature. Members of a view that have
// not received equally much can hold one address for as long as a message is on
// its way to one of them; no protocol of this form can help that, and none is
// asked to. At the events called quiet the world is left alone until nothing
// happens any more: then every address is in exactly one kernel of each component,
// and they are spread evenly.
package sim

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"wackamole/alloc"
)

const group = "wack"

// World is one simulated cluster.
type World struct {
	script *Script
	source rand.PCG
	random *rand.Rand // of the event that happens now

	hosts      []*host
	members    []*member // those that live, and those that joined and say nothing
	components []*component
	born       int
	views      uint32
	serial     uint64
	now        time.Duration

	list    []alloc.VirtualInterface // as the newest configuration has it
	version int                      // of the configuration

	seen    map[place]snapshot
	resting bool // a quiet event happens: nothing fails any more
	tracing bool
	trace   []string
	failure error

	counts Counts
}

// Counts is how much happened in a world.
type Counts struct {
	Views      int // view changes that reached a member
	Deliveries int // views and messages that members received
	Conflicts  int // won
	Balances   int // BALANCE messages sent
	Withouts   int // WITHOUT messages sent
	Rejoins    int
	Renewals   int // views asked for after a reload
}

// Add adds what happened in another world.
func (c *Counts) Add(o Counts) {
	c.Views += o.Views
	c.Deliveries += o.Deliveries
	c.Conflicts += o.Conflicts
	c.Balances += o.Balances
	c.Withouts += o.Withouts
	c.Rejoins += o.Rejoins
	c.Renewals += o.Renewals
}

// newWorld makes a world in which nothing has happened.
func newWorld(s *Script) *World {
	w := &World{script: s, seen: make(map[place]snapshot), components: []*component{{}}}
	w.random = rand.New(&w.source)
	for i := range s.Interfaces {
		w.list = append(w.list, virtualInterface(i, s.Sets))
	}
	for i := range s.Hosts {
		w.hosts = append(w.hosts, &host{
			number: i, component: w.components[0],
			address: netip.AddrFrom4([4]byte{192, 168, byte(i / 200), byte(1 + i%200)}),
			wanted:  make(map[netip.Addr]bool), kernel: make(map[netip.Addr]bool),
		})
	}
	return w
}

// virtualInterface is number i: one address, or now and then a set of them.
func virtualInterface(i int, sets bool) alloc.VirtualInterface {
	v := alloc.VirtualInterface{Addresses: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i / 200), byte(1 + i%200)})}}
	if sets {
		for k := range i % 3 {
			v.Addresses = append(v.Addresses, netip.AddrFrom4([4]byte{10, byte(1 + k), byte(i / 200), byte(1 + i%200)}))
		}
	}
	return v
}

func byteOrder(big bool) alloc.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
