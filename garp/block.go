package garp

import (
	"encoding/binary"
	"net/netip"
)

// A block is an IPv4 prefix in the eight bytes that are needed of it. Its first
// address is masked. The zero block is 0.0.0.0/0.
type block struct {
	first uint32
	bits  uint8
}

// blockOf masks p. It reports false for anything but a valid IPv4 prefix.
func blockOf(p netip.Prefix) (block, bool) {
	if !p.IsValid() || !p.Addr().Is4() {
		return block{}, false
	}
	b := block{bits: uint8(p.Bits())}
	b.first = toUint32(p.Addr().As4()) & b.mask()
	return b, true
}

func (b block) mask() uint32 {
	// In Go a shift by 32 gives 0, as a /0 wants.
	return ^uint32(0) << (32 - b.bits)
}

func (b block) contains(addr uint32) bool { return addr&b.mask() == b.first }

// size is the number of addresses, the first and the last included, as the
// original counts them: up to 1<<32.
func (b block) size() uint64 { return 1 << (32 - b.bits) }

// intersect returns what b and c have in common: of two prefixes one lies
// within the other, or they are disjoint.
func (b block) intersect(c block) (block, bool) {
	if b.bits < c.bits {
		b, c = c, b
	}
	return b, c.contains(b.first)
}

func toUint32(addr [4]byte) uint32 { return binary.BigEndian.Uint32(addr[:]) }

func fromUint32(addr uint32) (bytes [4]byte) {
	binary.BigEndian.PutUint32(bytes[:], addr)
	return bytes
}
