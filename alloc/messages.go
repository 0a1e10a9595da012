package alloc

import (
	"encoding/binary"
	"net/netip"

	"wackamole/internal/fmt"
)

// Move is one entry of BALANCE: a virtual interface and its new owner.
type Move struct {
	Owner netip.Addr // real address of a member
	Key   netip.Addr
}

// AppendBalance appends the body of BALANCE: integer n, then n times the new
// owner's real address (4) and the key (4).
func AppendBalance(b []byte, o binary.AppendByteOrder, moves []Move) []byte {
	b = o.AppendUint32(b, uint32(len(moves)))
	for _, m := range moves {
		b = appendAddr(appendAddr(b, m.Owner), m.Key)
	}
	return b
}

// movesPerMessage is how many moves fit one BALANCE within MaxBody.
const movesPerMessage = (MaxBody - 4) / 8

// ParseBalance decodes the body of BALANCE. The original can announce more moves
// than follow; those that are there count.
func ParseBalance(b []byte, o binary.ByteOrder) ([]Move, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes are no BALANCE", ErrMalformed, len(b))
	}
	n := min(uint64(o.Uint32(b)), uint64(len(b)-4)/8)
	moves := make([]Move, n)
	for i := range moves {
		at := 4 + 8*i
		moves[i] = Move{readAddr(b[at : at+4]), readAddr(b[at+4 : at+8])}
	}
	return moves, nil
}

// Neighbour is an entry of a member's ARP cache.
type Neighbour struct {
	Address   netip.Addr
	LinkLayer [6]byte
}

func (n Neighbour) String() string {
	a := n.LinkLayer
	return fmt.Sprintf("%v at %02x:%02x:%02x:%02x:%02x:%02x", n.Address, a[0], a[1], a[2], a[3], a[4], a[5])
}

// neighbourSize is the length of an entry of ARPCACHE: IPv4 address (4),
// link-layer address (6), padding (2).
const neighbourSize = 12

// NeighboursPerMessage is how many entries fit one ARPCACHE within MaxBody.
const NeighboursPerMessage = MaxBody / neighbourSize

// AppendNeighbours appends the body of ARPCACHE. Give it at most
// NeighboursPerMessage entries.
func AppendNeighbours(b []byte, entries []Neighbour) []byte {
	for _, n := range entries {
		b = append(appendAddr(b, n.Address), n.LinkLayer[:]...)
		b = append(b, 0, 0)
	}
	return b
}

// ParseNeighbours decodes the body of ARPCACHE, leaving out entries without a
// link-layer address.
func ParseNeighbours(b []byte) ([]Neighbour, error) {
	if len(b)%neighbourSize != 0 || len(b) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes are no ARPCACHE", ErrMalformed, len(b))
	}
	entries := make([]Neighbour, 0, len(b)/neighbourSize)
	for ; len(b) > 0; b = b[neighbourSize:] {
		n := Neighbour{readAddr(b[:4]), [6]byte(b[4:10])}
		if n.LinkLayer != [6]byte{} {
			entries = append(entries, n)
		}
	}
	return entries, nil
}

// WithoutBody is the body of WITHOUT: the members, by their index in the view,
// that the others go on without since they sent no STATE. Integers are
// big-endian, whatever the sender's own order.
//
//	0   4   "WKw1"
//	4  12   view id
//	16  4   n
//	20  4n  n indices, ascending
type WithoutBody struct {
	View   ViewID
	Silent []int
}

const withoutMagic = "WKw1"

// Append appends the body.
func (w *WithoutBody) Append(b []byte) []byte {
	b = append(b, withoutMagic...)
	for _, v := range w.View {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(w.Silent)))
	for _, i := range w.Silent {
		b = binary.BigEndian.AppendUint32(b, uint32(i))
	}
	return b
}

// ParseWithout decodes the body of WITHOUT.
func ParseWithout(b []byte) (*WithoutBody, error) {
	if len(b) < 20 || string(b[:4]) != withoutMagic {
		return nil, fmt.Errorf("%w: %d bytes are no WITHOUT", ErrMalformed, len(b))
	}
	n, err := count(binary.BigEndian, b, 16, 4)
	if err != nil {
		return nil, err
	}
	w := &WithoutBody{Silent: make([]int, n)}
	for i := range w.View {
		w.View[i] = binary.BigEndian.Uint32(b[4+4*i:])
	}
	last := -1
	for i := range w.Silent {
		v := int(int32(binary.BigEndian.Uint32(b[20+4*i:])))
		if v <= last {
			return nil, fmt.Errorf("%w: silent members out of order", ErrMalformed)
		}
		w.Silent[i], last = v, v
	}
	return w, nil
}
