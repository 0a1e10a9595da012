package alloc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
)

// FuzzMachine runs two honest members, a and b, in one group with a hostile one,
// h, and a stranger that is in no view. The input says what happens: views in any
// order and composition, what h and the stranger send (well made and lies, or any
// bytes), when timers fire and when a message of an honest member is delivered.
// Both honest members see the same events in the same order, as Spread promises.
//
// Whatever h does: no panic; a and b never hold one virtual interface at once
// when both are in RUN; their tables are equal; what the actions say is what
// Holds says; nobody holds anything without Spread; and once h is gone every
// virtual interface has exactly one holder.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 7, 7, 7, 7, 1, 2, 0x32, 7, 7, 2, 6, 0xff, 6, 7})
	f.Add([]byte{0, 6, 2, 1, 2, 3, 7, 7, 3, 0, 1, 2, 4, 3, 5, 9, 8, 0, 7, 7, 7})
	f.Add([]byte{0, 21, 7, 7, 2, 0xff, 0x55, 0xaa, 3, 1, 2, 3, 4, 9, 1, 0, 7, 7, 4, 3})
	f.Fuzz(func(t *testing.T, input []byte) {
		if len(input) > 4096 {
			return
		}
		g := newHostileGroup(t)
		for in := (fuzzInput{input}); len(in.b) > 0; {
			g.event(&in)
			g.check()
		}
		g.settle()
	})
}

type fuzzInput struct{ b []byte }

func (in *fuzzInput) byte() byte {
	if len(in.b) == 0 {
		return 0
	}
	v := in.b[0]
	in.b = in.b[1:]
	return v
}

func (in *fuzzInput) bytes(n int) []byte {
	n = min(n, len(in.b))
	v := in.b[:n]
	in.b = in.b[n:]
	return v
}

type hostileGroup struct {
	t       *testing.T
	config  [2]Config
	honest  [2]*Machine
	holds   [2]map[netip.Addr]bool // what the actions said
	joined  [2]bool
	timers  [2][Timers]bool
	view    View
	views   uint32
	pending []Message // sent by honest members, not delivered yet
}

func newHostileGroup(t *testing.T) *hostileGroup {
	g := &hostileGroup{t: t}
	for i := range g.honest {
		c := scriptConfig()
		c.Interfaces = parseInterfaces("101,102,103+203,104,105")
		c.Address = short(fmt.Sprint(i + 1))
		c.PerRound = i // one of them balances all at once
		if i == 1 {
			c.Prefer = shorts("104")
		}
		g.config[i] = c
		g.honest[i] = New(c, binary.BigEndian)
		g.holds[i] = map[netip.Addr]bool{}
		g.connect(i)
	}
	return g
}

var fuzzNames = []string{"a", "b", "h"}

func (g *hostileGroup) connect(i int) {
	g.joined[i] = true
	g.step(i, Connected{fuzzNames[i]})
}

// event takes the next event from the input.
func (g *hostileGroup) event(in *fuzzInput) {
	switch kind := in.byte(); kind % 11 {
	case 0:
		g.newView(in.byte())
	case 1:
		sender := []string{"h", "stranger"}[kind>>7]
		g.deliver(Message{Sender: sender, Groups: []string{"wack"}, Ordered: kind&64 == 0, Order: orderOf(kind&32 != 0),
			Type: MessageType(in.byte() % 7), Body: in.bytes(int(in.byte()))})
	case 2, 3:
		g.deliver(g.fromHostile(StateMessage, g.hostileState(in)))
	case 4:
		var moves []Move
		for range in.byte() % 8 {
			moves = append(moves, Move{g.anAddress(in.byte()), g.aKey(in.byte())})
		}
		g.deliver(g.fromHostile(BalanceMessage, AppendBalance(nil, binary.BigEndian, moves)))
	case 5:
		w := WithoutBody{View: g.view.ID}
		for i, mask := 0, in.byte(); i < 8; i++ {
			if mask&(1<<i) != 0 {
				w.Silent = append(w.Silent, i)
			}
		}
		g.deliver(g.fromHostile(WithoutMessage, w.Append(nil)))
	case 6:
		g.deliver(g.fromHostile(MaturingMessage, nil))
	case 7, 8:
		g.deliverPending()
	case 9:
		b := in.byte()
		g.fire(int(b&1), Timer(b>>1)%Timers)
	case 10:
		b := in.byte()
		i := int(b & 1)
		if b&2 != 0 && g.joined[i] {
			g.step(i, Lost{"the input says so"})
			g.leave(i)
		} else if !g.joined[i] {
			g.connect(i)
		}
	}
}

// newView makes a view of the honest members that have joined, with or without
// h, in an order that the input chooses.
func (g *hostileGroup) newView(choice byte) {
	var members []string
	for i, name := range fuzzNames[:2] {
		if g.joined[i] {
			members = append(members, name)
		}
	}
	if choice&1 == 0 {
		members = slices.Insert(members, int(choice>>1)%(len(members)+1), "h")
	}
	if choice&64 != 0 {
		slices.Reverse(members)
	}
	g.views++
	g.view = View{ViewID{0x0a4d0001, g.views, 1}, members}
	for i := range g.honest {
		if g.joined[i] {
			g.step(i, g.view)
		}
	}
}

func (g *hostileGroup) fromHostile(t MessageType, body []byte) Message { return message("h", t, body) }

func (g *hostileGroup) hostileState(in *fuzzInput) []byte {
	flags := in.byte()
	s := StateBody{View: g.view.ID, Index: slices.Index(g.view.Members, "h"), Address: g.anAddress(in.byte()), Mature: flags&1 != 0}
	if flags&2 != 0 {
		s.Index = int(in.byte()) - 1
	}
	if flags&4 == 0 {
		s.Trailer = &Trailer{uint16(flags >> 7), Fingerprint(g.config[0].Interfaces)}
	}
	for range in.byte() % 8 {
		b := in.byte()
		s.Claims = append(s.Claims, ClaimOf{g.aKey(b >> 1), []Claim{Claimed, PreferredClaimed}[b&1]})
	}
	for range in.byte() % 4 {
		s.Prefers = append(s.Prefers, g.aKey(in.byte()))
	}
	return s.Append(nil, binary.BigEndian)
}

// aKey is mostly one of the configuration.
func (g *hostileGroup) aKey(b byte) netip.Addr {
	if n := int(b % 8); n < len(g.config[0].Interfaces) {
		return g.config[0].Interfaces[n].Key()
	}
	return short(fmt.Sprint(b))
}

// anAddress is mostly that of a member, the honest ones included.
func (g *hostileGroup) anAddress(b byte) netip.Addr { return short(fmt.Sprint(b % 8)) }

func (g *hostileGroup) deliverPending() {
	if len(g.pending) > 0 {
		e := g.pending[0]
		g.pending = g.pending[1:]
		g.deliver(e)
	}
}

func (g *hostileGroup) deliver(e Message) {
	for i := range g.honest {
		if g.joined[i] {
			g.step(i, e)
		}
	}
}

func (g *hostileGroup) fire(i int, t Timer) {
	if g.timers[i][t] {
		g.timers[i][t] = false
		g.step(i, TimerFired{t})
	}
}

func (g *hostileGroup) leave(i int) {
	g.joined[i] = false
	g.pending = slices.DeleteFunc(g.pending, func(e Message) bool { return e.Sender == fuzzNames[i] })
}

// step carries out the actions and checks their contract.
func (g *hostileGroup) step(i int, e Event) {
	m := g.honest[i]
	before := m.State()
	last := 0
	inOrder := func(a Action, rank int) {
		if rank < last {
			g.t.Fatalf("%s: %v out of order at %v", fuzzNames[i], a, e)
		}
		last = rank
	}
	for _, a := range m.Step(e) {
		switch a := a.(type) {
		case Release:
			inOrder(a, 0)
			for _, k := range a.Keys {
				if !g.holds[i][k] && m.State() != Offline && before != Offline && !isConnected(e) {
					g.t.Fatalf("%s releases %v, which it does not hold, at %v", fuzzNames[i], k, e)
				}
				delete(g.holds[i], k)
			}
		case Acquire:
			inOrder(a, 1)
			for _, k := range a.Keys {
				if g.holds[i][k] {
					g.t.Fatalf("%s acquires %v, which it holds, at %v", fuzzNames[i], k, e)
				}
				g.holds[i][k] = true
			}
		case Announce:
			inOrder(a, 2)
			for _, k := range a.Keys {
				if !g.holds[i][k] {
					g.t.Fatalf("%s announces %v, which it does not hold, at %v", fuzzNames[i], k, e)
				}
			}
		case Multicast:
			g.pending = append(g.pending, message(fuzzNames[i], a.Type, a.Body))
		case StartTimer:
			g.timers[i][a.Timer] = true
		case StopTimer:
			g.timers[i][a.Timer] = false
		case Rejoin:
			g.leave(i)
		}
		_ = a.String()
	}
}

func isConnected(e Event) bool {
	_, ok := e.(Connected)
	return ok
}

func (g *hostileGroup) check() {
	t := g.t
	for i, m := range g.honest {
		for _, r := range m.Status().Rows {
			if r.Held != g.holds[i][r.Key] {
				t.Fatalf("%s: %v held %v, by its actions %v", fuzzNames[i], r.Key, r.Held, g.holds[i][r.Key])
			}
			if m.State() == Run && m.members[m.me].takesPart() && r.Held != (r.Owner == g.config[i].Address) {
				t.Fatalf("%s in RUN: %v of %v, held %v", fuzzNames[i], r.Key, r.Owner, r.Held)
			}
		}
		if (m.State() == Offline || m.State() == Boot) && len(g.holds[i]) > 0 {
			t.Fatalf("%s holds %v in %v", fuzzNames[i], g.holds[i], m.State())
		}
		if m.State() != Offline && m.State() != Boot && !m.mature && len(g.holds[i]) > 0 {
			t.Fatalf("%s holds %v and is not mature", fuzzNames[i], g.holds[i])
		}
	}
	a, b := g.honest[0], g.honest[1]
	if a.State() != Run || b.State() != Run || a.view != b.view {
		return
	}
	for k := range g.holds[0] {
		if g.holds[1][k] {
			t.Fatalf("both hold %v", k)
		}
	}
	if !reflect.DeepEqual(a.table, b.table) {
		t.Fatalf("tables differ:\n%v\n%v", a.table, b.table)
	}
}

// settle lets h go, and looks for a good end.
func (g *hostileGroup) settle() {
	for round := 0; ; round++ {
		for i := range g.honest {
			if !g.joined[i] {
				g.connect(i)
			}
		}
		g.newView(1)
		for len(g.pending) > 0 {
			g.deliverPending()
			g.check()
		}
		for i := range g.honest {
			g.fire(i, MatureTimer)
		}
		for len(g.pending) > 0 {
			g.deliverPending()
			g.check()
		}
		if g.joined[0] && g.joined[1] {
			break
		}
		if round == 3 {
			g.t.Fatal("does not settle")
		}
	}
	for _, v := range g.config[0].Interfaces {
		if n := g.holds[0][v.Key()]; n == g.holds[1][v.Key()] {
			g.t.Fatalf("%v held by both: %v, or by none, once h is gone", v.Key(), n)
		}
	}
}
