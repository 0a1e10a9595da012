package spreadproto

// HeaderSize is the size of the header of every message, in bytes.
const HeaderSize = 48

// Service is the delivery guarantee of a regular message.
type Service uint32

// The services. A message has exactly one, and perhaps SelfDiscard.
const (
	Unreliable Service = 0x01
	Reliable   Service = 0x02
	FIFO       Service = 0x04
	Causal     Service = 0x08
	Agreed     Service = 0x10
	Safe       Service = 0x20
	// SelfDiscard keeps a message from coming back to its sender.
	SelfDiscard Service = 0x40

	serviceMask Service = 0x3f
)

// Valid reports whether s is exactly one service, with or without SelfDiscard.
func (s Service) Valid() bool {
	one := s &^ SelfDiscard
	return one != 0 && one&^serviceMask == 0 && one&(one-1) == 0
}

// Cause tells why the membership of a group changed.
type Cause uint32

// The causes of a membership message.
const (
	CauseJoin       Cause = 0x0100
	CauseLeave      Cause = 0x0200
	CauseDisconnect Cause = 0x0400
	CauseNetwork    Cause = 0x0800

	causeMask = CauseJoin | CauseLeave | CauseDisconnect | CauseNetwork
)

// String returns the cause as a word.
func (c Cause) String() string {
	switch c {
	case CauseJoin:
		return "join"
	case CauseLeave:
		return "leave"
	case CauseDisconnect:
		return "disconnect"
	case CauseNetwork:
		return "network"
	}
	return "unknown cause"
}

// Bits of the type word besides services and causes.
const (
	TypeMembership uint32 = 0x00001000 // regular membership, from the daemon
	TypeTransition uint32 = 0x00002000 // transitional membership, from the daemon
	TypeJoin       uint32 = 0x00010000 // requests, to the daemon
	TypeLeave      uint32 = 0x00020000
	TypeKill       uint32 = 0x00040000
	TypeReject     uint32 = 0x00400000 // a request of ours, refused by a policy
)

// RequestMask covers the bits of which a request to a daemon has exactly one.
const RequestMask = uint32(serviceMask) | TypeJoin | TypeLeave | TypeKill

// A Kind is what a message from a daemon is.
type Kind uint8

// The kinds of messages from a daemon.
const (
	KindUnknown Kind = iota
	KindRegular
	KindRejected
	KindMembership
	KindTransition
	KindSelfLeave
)

// A Header starts each message, in both directions. The integers are in the
// order that the mark in type tells, apart from the hint.
//
//	 0   4  type: service, request or membership bits, and the mark of the order
//	 4  32  name: private group of the sender; in membership messages the group
//	36   4  number of names that follow the header (signed)
//	40   4  hint, see [Hint]
//	44   4  number of bytes of data behind the names (signed)
type Header struct {
	Order  Order
	Type   uint32 // without the mark
	Name   string
	Names  int
	Hint   Hint
	Length int
}

// AppendBinary appends h.
func (h Header) AppendBinary(dst []byte) []byte {
	dst = h.Order.AppendUint32(dst, h.Type&^markMask|h.Order.mark())
	dst = AppendName(dst, h.Name)
	dst = h.Order.AppendUint32(dst, uint32(h.Names))
	dst = append(dst, h.Hint[:]...)
	return h.Order.AppendUint32(dst, uint32(h.Length))
}

// Unmarshal decodes the first 48 bytes of b. Negative numbers are an error.
func (h *Header) Unmarshal(b []byte) error {
	if len(b) < HeaderSize {
		return malformed("header of %d bytes (%d expected)", len(b), HeaderSize)
	}
	order, ok := markedOrder(b)
	if !ok {
		return malformed("type %#x marks both byte orders", b[:4])
	}
	names, length := int32(order.Uint32(b[36:])), int32(order.Uint32(b[44:]))
	if names < 0 || length < 0 {
		return malformed("negative number of names (%d) or bytes (%d)", names, length)
	}
	*h = Header{
		Order:  order,
		Type:   order.Uint32(b) &^ markMask,
		Name:   fieldName(b[4:36]),
		Names:  int(names),
		Hint:   Hint(b[40:44]),
		Length: int(length),
	}
	return nil
}

// Kind tells what follows the header of a message from a daemon. Service bits
// count before membership bits: daemons relay a message that has both, from a
// client that makes up membership messages, while theirs never have both.
func (h *Header) Kind() Kind {
	switch {
	case h.Type&TypeReject != 0:
		return KindRejected
	case h.Type&uint32(serviceMask) != 0:
		return KindRegular
	case h.Type&TypeMembership != 0:
		return KindMembership
	case h.Type&TypeTransition != 0:
		return KindTransition
	case h.Type&uint32(CauseLeave) != 0:
		return KindSelfLeave
	}
	return KindUnknown
}
