package hostile

import (
	"encoding/binary"
	"math"
	"net/netip"

	"wackamole/alloc"
	"wackamole/spreadproto"
)

// A Lie is a message that must not be believed, and what its reception is counted as.
type Lie struct {
	Name   string
	Frame  Frame
	Reason alloc.Reason
}

// Lies are STATEs that cannot be, for a view in which the member has not answered yet: about its place, too
// short, with counts beyond their end, with claims that do not exist, in the wrong service, to others as well.
func Lies(m *Member, v View, address netip.Addr, keys []netip.Addr) []Lie {
	var lies []Lie
	add := func(reason alloc.Reason, name string, f Frame) {
		f.Type = alloc.StateMessage
		lies = append(lies, Lie{name, f, reason})
	}
	body := func(change func(*alloc.StateBody)) []byte {
		s := m.State(v, address)
		for _, k := range keys {
			s.Claims = append(s.Claims, alloc.ClaimOf{Key: k, Claim: alloc.PreferredClaimed})
			s.Prefers = append(s.Prefers, k)
		}
		change(&s)
		return s.Append(nil, order)
	}
	good := body(func(*alloc.StateBody) {})
	prefers := 28 + 8*len(keys) // offset of the number of preferences
	patched := func(at int, value uint32) []byte {
		b := append([]byte(nil), good...)
		order.PutUint32(b[at:], value)
		return b
	}
	for i := range v.Members {
		if i != v.Index {
			add(alloc.NotItsPlace, "the index of another", Frame{Body: body(func(s *alloc.StateBody) { s.Index = i })})
		}
	}
	for _, i := range []int{-1, len(v.Members), 1000, math.MaxInt32, math.MinInt32} {
		add(alloc.NotItsPlace, "an index outside the view", Frame{Body: body(func(s *alloc.StateBody) { s.Index = i })})
	}
	for _, size := range []int{0, 11, 12, 16, 20, 24, 27, 28, 31, prefers, prefers + 3, prefers + 4, prefers + 7} {
		add(alloc.Malformed, "cut short", Frame{Body: good[:size]})
	}
	for _, n := range []uint32{uint32(len(keys)) + 100, math.MaxInt32, math.MaxUint32, 1 << 31, 1 << 29, 1<<29 + 1} {
		add(alloc.Malformed, "more claims than there are", Frame{Body: patched(24, n)})
		add(alloc.Malformed, "more preferences than there are", Frame{Body: patched(prefers, n)})
	}
	for _, claim := range []uint32{0, 1, 3, 4, 6, 255, 1 << 31, 5 << 24} {
		add(alloc.Malformed, "a claim priority that does not exist", Frame{Body: patched(32, claim)})
	}
	add(alloc.Malformed, "no real address", Frame{Body: body(func(s *alloc.StateBody) { s.Address = netip.IPv4Unspecified() })})
	add(alloc.Unordered, "without the promise of an order", Frame{Body: good, Service: spreadproto.Reliable})
	add(alloc.Unordered, "without any promise", Frame{Body: good, Service: spreadproto.Unreliable})
	add(alloc.WrongGroup, "to another group as well", Frame{Body: good, Groups: []string{m.group, "elsewhere"}})
	for i, other := range v.Members {
		if i != v.Index {
			add(alloc.WrongGroup, "to one member alone", Frame{Body: good, Groups: []string{other}})
		}
	}
	return lies
}

// WrongBalances are BALANCEs that a member must not send that does not lead the view, or that nobody may.
func WrongBalances(v View, address netip.Addr, keys []netip.Addr) []Lie {
	moves := make([]alloc.Move, len(keys))
	for i, k := range keys {
		moves[i] = alloc.Move{Owner: address, Key: k}
	}
	body := alloc.AppendBalance(nil, order, moves)
	lie := func(reason alloc.Reason, name string, f Frame) Lie {
		f.Type = alloc.BalanceMessage
		return Lie{name, f, reason}
	}
	return []Lie{
		lie(alloc.NotItsToSend, "all to itself", Frame{Body: body}),
		lie(alloc.NotItsToSend, "an n larger than what follows", Frame{Body: append(binary.NativeEndian.AppendUint32(nil, math.MaxUint32), body[4:]...)}),
		lie(alloc.NotItsToSend, "nothing to move", Frame{Body: []byte{0, 0, 0, 0}}),
		lie(alloc.Malformed, "cut short", Frame{Body: body[:3]}),
		lie(alloc.Unordered, "without the promise of an order", Frame{Body: body, Service: spreadproto.FIFO}),
	}
}

// UselessBalances are BALANCEs of a member that leads the view, which may send them, with moves that cannot
// be: to one that is no member, of virtual interfaces that nobody knows, to where they are already.
func UselessBalances(owner func(key netip.Addr) netip.Addr, keys []netip.Addr) []Lie {
	var nowhere, unknown, present []alloc.Move
	for i, k := range keys {
		nowhere = append(nowhere, alloc.Move{Owner: number(0x0a4d00c8 + uint32(i)), Key: k}, alloc.Move{Owner: netip.IPv4Unspecified(), Key: k})
		unknown = append(unknown, alloc.Move{Owner: owner(k), Key: number(uint32(i) + 1)})
		present = append(present, alloc.Move{Owner: owner(k), Key: k})
	}
	lie := func(reason alloc.Reason, name string, moves []alloc.Move) Lie {
		return Lie{name, Frame{Type: alloc.BalanceMessage, Body: alloc.AppendBalance(nil, order, moves)}, reason}
	}
	return []Lie{
		lie(alloc.UnknownOwner, "to an owner that is no member", nowhere),
		lie(alloc.UnknownTarget, "of virtual interfaces that are in no list", unknown),
		lie(alloc.UnknownOwner, "to the present owner", present),
	}
}

// Tell sends lies, one after the other.
func Tell(m *Member, lies []Lie) error {
	for _, l := range lies {
		if err := m.Send(l.Frame); err != nil {
			return err
		}
	}
	return nil
}
