package hostile

import (
	"bytes"
	"context"
	"net/netip"
	"time"

	"wackamole/alloc"
)

// At most so many bytes or messages of a flood are sent in one go.
const (
	burstBytes    = 256 << 10
	burstMessages = 50
)

// A Pace is how fast a flood is.
type Pace struct {
	PerSecond int // messages; 0: as fast as Spread takes them
	// Underway is how many messages may be on their way back to the sender; 0: any number. A daemon drops a client
	// for which 1,000 messages wait, and the sender and the other members are such clients.
	Underway int
}

// Flood sends the frames again and again until ctx ends. It returns how many messages it sent. A session that
// ends, as that of a client does that cannot read as fast as it writes, is an error.
//
// A real daemon of version 4.4 on one machine takes some 20,000 short messages a second or 200 of 140,000
// bytes: it lets a client wait. The one in package spreadd does not, and takes so many that every client is
// dropped within 20 ms.
func Flood(ctx context.Context, m *Member, frames []Frame, p Pace) (sent int, err error) {
	began, returned := time.Now(), m.Returned()
	var burst []byte
	for i, messages := 0, 0; ctx.Err() == nil; i++ {
		burst = m.append(burst, frames[i%len(frames)])
		messages++
		if len(burst) < burstBytes && messages < burstMessages {
			continue
		}
		if err := m.write(burst); err != nil {
			return sent, err
		}
		sent += messages
		burst, messages = burst[:0], 0
		if p.Underway > 0 {
			if err := m.await(ctx, func() bool { return sent-(m.returned-returned) < p.Underway }); err != nil {
				return sent, m.ended()
			}
		}
		if p.PerSecond > 0 {
			due := began.Add(time.Duration(sent) * time.Second / time.Duration(p.PerSecond))
			select {
			case <-time.After(time.Until(due)):
			case <-ctx.Done():
			}
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
