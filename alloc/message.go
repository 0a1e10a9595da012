package alloc

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"wackamole/internal/fmt"
)

// MessageType is Spread's 16-bit message type, by which the messages of the
// group are told apart.
type MessageType uint16

// The message types of the group protocol.
const (
	StateMessage    MessageType = 1
	MaturingMessage MessageType = 2
	BalanceMessage  MessageType = 3
	// WithoutMessage is the original's OPERATOR, which it never sends and
	// ignores when received: here it goes on without silent members. What a member
	// says of its interfaces has this type too, and another beginning; the machine
	// never sees that.
	WithoutMessage  MessageType = 4
	ARPCacheMessage MessageType = 5
)

func (t MessageType) String() string {
	switch t {
	case StateMessage:
		return "STATE"
	case MaturingMessage:
		return "MATURING"
	case BalanceMessage:
		return "BALANCE"
	case WithoutMessage:
		return "WITHOUT"
	case ARPCacheMessage:
		return "ARPCACHE"
	}
	return fmt.Sprintf("type %d", uint16(t))
}

// Ordered reports whether messages of this type must be sent with Spread's
// AGREED service; the others go RELIABLE.
func (t MessageType) Ordered() bool { return t != ARPCacheMessage }

// MaxBody is the longest body that an original can receive, in bytes. BALANCE
// and ARPCACHE are split to stay within it; a STATE beyond it is for clusters
// without originals.
const MaxBody = 100000

// ErrMalformed is wrapped by every decoding error of this package.
var ErrMalformed = errors.New("malformed message")

// ByteOrder is that of the integers of a message: the sender's host order. IPv4
// addresses are always in network order, whatever the host.
type ByteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func appendAddr(b []byte, a netip.Addr) []byte {
	v := a.As4()
	return append(b, v[:]...)
}

func readAddr(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b)) }

// count reads the number of entries of the given size that a message announces
// at b[at:] and checks that they are all there.
func count(o binary.ByteOrder, b []byte, at, size int) (int, error) {
	if len(b) < at+4 {
		return 0, fmt.Errorf("%w: ends at byte %d, before the count at %d", ErrMalformed, len(b), at)
	}
	n, room := o.Uint32(b[at:]), (len(b)-at-4)/size
	if uint64(n) > uint64(room) {
		return 0, fmt.Errorf("%w: announces %d entries at byte %d and has room for %d", ErrMalformed, n, at, room)
	}
	return int(n), nil
}
