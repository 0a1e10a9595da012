package hostile

import (
	"net/netip"
	"slices"

	"wackamole/alloc"
)

// Answer has the member answer each view under the given real address, like one that holds nothing. It is
// given its share and serves none of it.
func Answer(m *Member, address netip.Addr, fingerprint uint64) {
	m.Answer(func(v View) {
		s := m.State(v, address)
		s.Trailer.Fingerprint = fingerprint
		m.SendState(s) // an error says that the session has ended, as Await and View tell
	})
}

// Claim has the member answer each view with the claim that it holds all of these virtual interfaces and
// prefers them.
func Claim(m *Member, address netip.Addr, keys []netip.Addr, fingerprint uint64) {
	m.Answer(func(v View) {
		s := m.State(v, address)
		s.Trailer.Fingerprint = fingerprint
		for _, k := range keys {
			s.Claims = append(s.Claims, alloc.ClaimOf{Key: k, Claim: alloc.PreferredClaimed})
		}
		s.Prefers = keys
		m.SendState(s)
	})
}

// Babble has the member answer each view with claims of virtual interfaces that nobody knows, each twice.
func Babble(m *Member, address netip.Addr, fingerprint uint64) {
	m.Answer(func(v View) {
		s := m.State(v, address)
		s.Trailer.Fingerprint = fingerprint
		for i := range uint32(2000) {
			k := number(0xc0a80000 + i/2)
			s.Claims = append(s.Claims, alloc.ClaimOf{Key: k, Claim: alloc.PreferredClaimed})
			s.Prefers = append(s.Prefers, k)
		}
		m.SendState(s)
	})
}

// Expel has the member answer each view and declare, before the others have answered, that all go on without
// them.
func Expel(m *Member, address netip.Addr, fingerprint uint64) {
	m.Answer(func(v View) {
		s := m.State(v, address)
		s.Trailer.Fingerprint = fingerprint
		w := alloc.WithoutBody{View: v.ID}
		for i := range v.Members {
			if i != v.Index {
				w.Silent = append(w.Silent, i)
			}
		}
		both := m.append(nil, Frame{Type: alloc.StateMessage, Body: s.Append(nil, order)})
		m.write(m.append(both, Frame{Type: alloc.WithoutMessage, Body: w.Append(nil)}))
	})
}

// Moves is the BALANCE by which a member that leads the view gives all of these virtual interfaces to one.
func Moves(owner netip.Addr, keys []netip.Addr) Frame {
	moves := make([]alloc.Move, len(keys))
	for i, k := range keys {
		moves[i] = alloc.Move{Owner: owner, Key: k}
	}
	return Frame{Type: alloc.BalanceMessage, Body: alloc.AppendBalance(nil, order, moves)}
}

// Neighbours are ARPCACHEs that must not get far: outside of every network of a virtual interface, with
// link-layer addresses that are no host's, more than the pool takes, and of no whole number of entries.
func Neighbours(network netip.Addr) []Frame {
	var outside, nobody, many []alloc.Neighbour
	base := network.As4()
	for i := range alloc.NeighboursPerMessage {
		low := [4]byte{base[0], base[1], base[2], byte(i)}
		mac := [6]byte{2, 6, 6, byte(i >> 16), byte(i >> 8), byte(i)}
		outside = append(outside, alloc.Neighbour{Address: number(0x08000000 + uint32(i)), LinkLayer: mac})
		group := mac
		group[0] |= 1
		nobody = append(nobody, alloc.Neighbour{Address: netip.AddrFrom4(low), LinkLayer: group})
		many = append(many, alloc.Neighbour{Address: netip.AddrFrom4(low), LinkLayer: mac})
	}
	frames := []Frame{}
	for _, list := range [][]alloc.Neighbour{outside, nobody, many, nil} {
		frames = append(frames, Frame{Type: alloc.ARPCacheMessage, Body: alloc.AppendNeighbours(nil, list)})
	}
	// Link-layer addresses of zero, and half an entry.
	zero := make([]byte, 12*100)
	frames = append(frames, Frame{Type: alloc.ARPCacheMessage, Body: zero})
	return append(frames, Frame{Type: alloc.ARPCacheMessage, Body: slices.Repeat([]byte{1}, 13)})
}
