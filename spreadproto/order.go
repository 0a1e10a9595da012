package spreadproto

import "encoding/binary"

// Order is a byte order. The zero value is the order of this machine.
type Order uint8

// The byte orders.
const (
	HostOrder Order = iota
	LittleEndian
	BigEndian
)

// hostIsBig tells the order of this machine.
var hostIsBig = binary.NativeEndian.Uint16([]byte{0, 1}) == 1

// IsBig reports whether o is big-endian.
func (o Order) IsBig() bool {
	return o == BigEndian || o == HostOrder && hostIsBig
}

// String returns the name of the order.
func (o Order) String() string {
	if o.IsBig() {
		return "big-endian"
	}
	return "little-endian"
}

// Uint32 returns the number in the first 4 bytes of b.
func (o Order) Uint32(b []byte) uint32 {
	if o.IsBig() {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// AppendUint32 appends v as 4 bytes.
func (o Order) AppendUint32(dst []byte, v uint32) []byte {
	if o.IsBig() {
		return binary.BigEndian.AppendUint32(dst, v)
	}
	return binary.LittleEndian.AppendUint32(dst, v)
}

// The mark of the byte order: a little-endian writer sets both bits of the
// words type and hint, a big-endian writer clears both. Since the mask reads
// the same in either order, it is the top bit of the first and of the last
// byte whatever the order is.
const (
	markMask = 0x80000080
	markBit  = 0x80
)

// mark returns the mark of o.
func (o Order) mark() uint32 {
	if o.IsBig() {
		return 0
	}
	return markMask
}

// markedOrder returns the order that the mark in a 4-byte field tells; ok is
// false if just one of the two bits is set.
func markedOrder(field []byte) (o Order, ok bool) {
	switch first, last := field[0]&markBit != 0, field[3]&markBit != 0; {
	case first && last:
		return LittleEndian, true
	case !first && !last:
		return BigEndian, true
	}
	return BigEndian, false
}

// A Hint is the hint word of a header as it travels. Daemons never convert it,
// so it tells the order of the sender, which is the order of the numbers in the
// payload, and carries the sender's message type in its middle bytes:
//
//	little-endian  80 lo hi 80
//	big-endian     00 hi lo 00
type Hint [4]byte

// NewHint returns the hint of a message whose payload is in order o.
func NewHint(messageType int16, o Order) Hint {
	lo, hi := byte(messageType), byte(uint16(messageType)>>8)
	if o.IsBig() {
		return Hint{0, hi, lo, 0}
	}
	return Hint{markBit, lo, hi, markBit}
}

// Order returns the byte order of the sender. A hint with half a mark, which a
// peer can send, counts as big-endian.
func (h Hint) Order() Order {
	o, _ := markedOrder(h[:])
	return o
}

// MessageType returns the type that the sender gave to the message.
func (h Hint) MessageType() int16 {
	if h.Order().IsBig() {
		return int16(uint16(h[1])<<8 | uint16(h[2]))
	}
	return int16(uint16(h[2])<<8 | uint16(h[1]))
}

// Valid reports whether a daemon accepts the hint: no bit outside the mark and
// the message type.
func (h Hint) Valid() bool {
	return h[0]&^markBit == 0 && h[3]&^markBit == 0
}
