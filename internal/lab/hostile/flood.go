package hostile

import (
	"bytes"
	"context"
	"net/netip"

	"wackamole/alloc"
)

// Flood sends the frames in turn, again and again until ctx ends, as fast as Spread takes them. After each so many
// it calls wait, which may be nil. It returns how many messages it sent. A session that ends, as that of a client
// does that cannot read as fast as it writes, is an error.
//
// A daemon drops a client for which 1,000 messages wait, and the sender and the other members are such clients. A
// real daemon of version 4.4 lets the sender wait: on one machine it took some 20,000 short messages a second or 200
// of 140,000 bytes. The one in package spreadd does not: without wait, it drops every client within 20 ms.
func Flood(ctx context.Context, m *Member, frames []Frame, burst int, wait func(sent int)) (sent int, err error) {
	var out []byte
	for ctx.Err() == nil {
		out = out[:0]
		for range burst {
			out = m.append(out, frames[sent%len(frames)])
			sent++
		}
		if err := m.write(out); err != nil {
			return sent, err
		}
		if wait != nil {
			wait(sent)
		}
	}
	return sent, nil
}

// Small is what a flood of short messages is made of: each type that there is, well made for the present view
// and not, and types that there are not.
func Small(m *Member, v View, address netip.Addr, keys []netip.Addr) []Frame {
	s := m.State(v, address)
	state := s.Append(nil, order)
	moves := make([]alloc.Move, len(keys))
	for i, k := range keys {
		moves[i] = alloc.Move{Owner: address, Key: k}
	}
	balance := alloc.AppendBalance(nil, order, moves)
	without := alloc.WithoutBody{View: v.ID, Silent: []int{0, 1, 2}}
	return []Frame{
		{Type: alloc.StateMessage, Body: state},
		{Type: alloc.StateMessage, Body: state, Swapped: true},
		{Type: alloc.StateMessage, Body: state[:20]},
		{Type: alloc.MaturingMessage},
		{Type: alloc.BalanceMessage, Body: balance},
		{Type: alloc.BalanceMessage, Body: balance, Swapped: true},
		{Type: alloc.WithoutMessage, Body: without.Append(nil)},
		{Type: alloc.WithoutMessage, Body: []byte("WKw1")},
		{Type: alloc.ARPCacheMessage, Body: alloc.AppendNeighbours(nil, []alloc.Neighbour{{Address: keys[0], LinkLayer: [6]byte{2, 6, 6, 6, 6, 6}}})},
		{Type: alloc.ARPCacheMessage, Body: state[:13]},
		{Type: 0, Body: state},
		{Type: 0x7fff, Body: []byte("garbage")},
	}
}

// Large is the same with bodies as long as Spread carries them.
func Large(m *Member, v View, address netip.Addr) []Frame {
	s := m.State(v, address)
	for i := range (140_000 - 200 - alloc.StateSize(0, 0)) / 8 {
		s.Claims = append(s.Claims, alloc.ClaimOf{Key: number(uint32(i)), Claim: alloc.PreferredClaimed})
	}
	var moves []alloc.Move
	for i := range (alloc.MaxBody - 4) / 8 {
		moves = append(moves, alloc.Move{Owner: address, Key: number(uint32(i))})
	}
	var neighbours []alloc.Neighbour
	for i := range alloc.NeighboursPerMessage {
		neighbours = append(neighbours, alloc.Neighbour{Address: number(0x0a4d0000 + uint32(i)), LinkLayer: [6]byte{2, 6, 6, 6, byte(i >> 8), byte(i)}})
	}
	state := s.Append(nil, order)
	return []Frame{
		{Type: alloc.StateMessage, Body: state},
		{Type: alloc.StateMessage, Body: state, Swapped: true},
		{Type: alloc.StateMessage, Body: bytes.Repeat([]byte{0xff}, 140_000-200)},
		{Type: alloc.MaturingMessage, Body: state},
		{Type: alloc.BalanceMessage, Body: alloc.AppendBalance(nil, order, moves)},
		{Type: alloc.ARPCacheMessage, Body: alloc.AppendNeighbours(nil, neighbours)},
		{Type: 99, Body: state},
	}
}

// number is the IPv4 address of this number.
func number(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
