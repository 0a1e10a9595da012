package rtnl

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// Netlink is in the byte order of the machine (netlink(7)).
var order = binary.NativeEndian

// attributeTypeMask leaves out the flag bits of an attribute type (NLA_TYPE_MASK).
const attributeTypeMask = 0x3fff

var errMalformed = errors.New("malformed netlink message")

// align returns n rounded up to the 4 bytes of NLMSG_ALIGN and RTA_ALIGN.
func align(n int) int { return (n + 3) &^ 3 }

// A message is one netlink message (struct nlmsghdr in linux/netlink.h):
//
//	0  4  length, header included
//	4  2  type
//	6  2  flags
//	8  4  sequence number
//	12 4  port id: of the requester, also in a notification
//	16 -  body
type message struct {
	kind     uint16
	flags    uint16
	sequence uint32
	port     uint32
	body     []byte
}

// begin appends a header whose length finish fills in.
func begin(b []byte, kind, flags uint16, sequence uint32) []byte {
	b = append(b, 0, 0, 0, 0)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint16(b, flags)
	b = order.AppendUint32(b, sequence)
	return append(b, 0, 0, 0, 0)
}

// finish sets the length of the message that begins at b[start] and pads it.
func finish(b []byte, start int) []byte {
	order.PutUint32(b[start:], uint32(len(b)-start))
	return pad(b)
}

func pad(b []byte) []byte {
	for len(b) != align(len(b)) {
		b = append(b, 0)
	}
	return b
}

// next splits the first message off b. The body aliases b.
func next(b []byte) (m message, rest []byte, err error) {
	if len(b) < unix.SizeofNlMsghdr {
		return m, nil, errMalformed
	}
	length := order.Uint32(b)
	if length < unix.SizeofNlMsghdr || uint64(length) > uint64(len(b)) {
		return m, nil, errMalformed
	}
	n := int(length)
	m = message{
		kind:     order.Uint16(b[4:]),
		flags:    order.Uint16(b[6:]),
		sequence: order.Uint32(b[8:]),
		port:     order.Uint32(b[12:]),
		body:     b[unix.SizeofNlMsghdr:n],
	}
	return m, b[min(align(n), len(b)):], nil
}

// errno returns the error number in the body of an NLMSG_ERROR or NLMSG_DONE
// message (struct nlmsgerr): a negative errno, or 0 for an acknowledgement.
func (m message) errno() (unix.Errno, error) {
	if len(m.body) < 4 {
		return 0, errMalformed
	}
	n := int32(order.Uint32(m.body))
	if n > 0 || n < -4095 {
		return 0, errMalformed
	}
	return unix.Errno(-n), nil
}

// appendAttribute appends a route attribute (struct rtattr): length, type, data,
// padding.
func appendAttribute(b []byte, kind uint16, data ...byte) []byte {
	b = order.AppendUint16(b, uint16(unix.SizeofRtAttr+len(data)))
	b = order.AppendUint16(b, kind)
	return pad(append(b, data...))
}

// appendText appends an attribute with a NUL-terminated string.
func appendText(b []byte, kind uint16, text []byte) []byte {
	b = order.AppendUint16(b, uint16(unix.SizeofRtAttr+len(text)+1))
	b = order.AppendUint16(b, kind)
	return pad(append(append(b, text...), 0))
}

// eachAttribute calls f with the type, flag bits masked off, and the data of each
// attribute in b. Fewer than 4 bytes at the end are padding.
func eachAttribute(b []byte, f func(kind uint16, data []byte) error) error {
	for len(b) >= unix.SizeofRtAttr {
		n := int(order.Uint16(b))
		if n < unix.SizeofRtAttr || n > len(b) {
			return errMalformed
		}
		kind := order.Uint16(b[2:]) & attributeTypeMask
		if err := f(kind, b[unix.SizeofRtAttr:n]); err != nil {
			return err
		}
		b = b[min(align(n), len(b)):]
	}
	return nil
}

// text returns a string attribute without its NUL.
func text(data []byte) []byte {
	for i, c := range data {
		if c == 0 {
			return data[:i]
		}
	}
	return data
}
