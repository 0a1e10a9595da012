package rtnl

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// maxAddresses bounds what is kept of one listing.
const maxAddresses = 1 << 17

// An Assigned is an IPv4 address that an interface has.
type Assigned struct {
	Address
	// Index is the index of the interface.
	Index int
	// Peer is the other end of a point-to-point link, which Prefix's length then
	// belongs to; the zero Addr otherwise.
	Peer netip.Addr
	// Scope is RT_SCOPE_UNIVERSE (0), RT_SCOPE_LINK (253) or RT_SCOPE_HOST (254).
	Scope uint8
	// Flags are the IFA_F_ flags of linux/if_addr.h.
	Flags uint32
}

// Secondary reports whether the address hangs on another one of its subnet, to
// be deleted with it.
func (a Assigned) Secondary() bool { return a.Flags&unix.IFA_F_SECONDARY != 0 }

// Key returns what the kernel tells the address by.
func (a Assigned) Key() Key {
	return Key{Index: uint32(a.Index), Addr: a.Prefix.Addr().As4(), Bits: uint8(a.Prefix.Bits())}
}

// addressMessage is the body of RTM_NEWADDR and RTM_DELADDR (rtnetlink(7),
// linux/if_addr.h): struct ifaddrmsg
//
//	0 1  family
//	1 1  prefix length
//	2 1  the low eight flags
//	3 1  scope
//	4 4  interface index
//
// and then attributes: IFA_LOCAL the address, IFA_ADDRESS the same or a peer's,
// IFA_BROADCAST, IFA_LABEL, IFA_FLAGS all flags (since Linux 3.14).
type addressMessage struct {
	key          Key
	peer         [4]byte // equal to key.Addr except on a point-to-point link
	broadcast    [4]byte
	hasBroadcast bool
	scope        uint8
	flags        uint32
	label        []byte
}

// append appends the body. Flags are left to the kernel.
func (a addressMessage) append(b []byte) []byte {
	b = append(b, unix.AF_INET, a.key.Bits, 0, a.scope)
	b = order.AppendUint32(b, a.key.Index)
	b = appendAttribute(b, unix.IFA_LOCAL, a.key.Addr[:]...)
	b = appendAttribute(b, unix.IFA_ADDRESS, a.peer[:]...)
	if a.hasBroadcast {
		b = appendAttribute(b, unix.IFA_BROADCAST, a.broadcast[:]...)
	}
	if len(a.label) > 0 {
		b = appendText(b, unix.IFA_LABEL, a.label)
	}
	return b
}

// parse decodes a body; label aliases it. ok is false for another family.
func (a *addressMessage) parse(body []byte) (ok bool, err error) {
	if len(body) < unix.SizeofIfAddrmsg {
		return false, errMalformed
	}
	if body[0] != unix.AF_INET {
		return false, nil
	}
	*a = addressMessage{
		key:   Key{Bits: body[1], Index: order.Uint32(body[4:])},
		flags: uint32(body[2]),
		scope: body[3],
	}
	if a.key.Bits > 32 {
		return false, errMalformed
	}
	var local, peer bool
	err = eachAttribute(body[unix.SizeofIfAddrmsg:], func(kind uint16, data []byte) error {
		switch kind {
		case unix.IFA_LOCAL, unix.IFA_ADDRESS, unix.IFA_BROADCAST, unix.IFA_FLAGS:
			if len(data) != 4 {
				return errMalformed
			}
		}
		switch kind {
		case unix.IFA_LOCAL:
			a.key.Addr, local = [4]byte(data), true
		case unix.IFA_ADDRESS:
			a.peer, peer = [4]byte(data), true
		case unix.IFA_BROADCAST:
			a.broadcast, a.hasBroadcast = [4]byte(data), true
		case unix.IFA_FLAGS:
			a.flags = order.Uint32(data)
		case unix.IFA_LABEL:
			a.label = text(data)
		}
		return nil
	})
	switch {
	case err != nil:
		return false, err
	case !local && !peer:
		return false, errMalformed
	case !local:
		a.key.Addr = a.peer
	case !peer:
		a.peer = a.key.Addr
	}
	return true, nil
}

// subnet returns what the kernel groups primaries and secondaries by.
func (a addressMessage) subnet() Key {
	return Key{Index: a.key.Index, Addr: mask(a.peer, a.key.Bits), Bits: a.key.Bits}
}

// subnet returns the subnet of an address that has no peer.
func (k Key) subnet() Key {
	return Key{Index: k.Index, Addr: mask(k.Addr, k.Bits), Bits: k.Bits}
}

func mask(a [4]byte, bits uint8) [4]byte {
	for i := range a {
		switch left := int(bits) - 8*i; {
		case left <= 0:
			a[i] = 0
		case left < 8:
			a[i] &= 0xff << (8 - left)
		}
	}
	return a
}

// assigned returns the message in the caller's terms.
func (a addressMessage) assigned(name string) Assigned {
	out := Assigned{
		Address: Address{Interface: name, Prefix: a.key.prefix(), Label: string(a.label)},
		Index:   int(a.key.Index),
		Scope:   a.scope,
		Flags:   a.flags,
	}
	if a.hasBroadcast {
		out.Broadcast = netip.AddrFrom4(a.broadcast)
	}
	if a.peer != a.key.Addr {
		out.Peer = netip.AddrFrom4(a.peer)
	}
	return out
}

// Addresses lists the IPv4 addresses of all interfaces in the kernel's order:
// by interface, primaries before their secondaries. The addresses of an
// interface that vanishes meanwhile are left out.
func (c *Conn) Addresses() ([]Assigned, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Assigned
	err := c.session.addresses(0, func() { list = list[:0] }, func(a *addressMessage, _ []byte) {
		list = append(list, a.assigned(""))
	})
	if err != nil {
		return nil, err
	}
	return c.session.name(list), nil
}

// name sets the names of the interfaces in the list.
func (s *session) name(list []Assigned) []Assigned {
	var link Link
	named := list[:0]
	for _, a := range list {
		if a.Index != link.Index {
			var err error
			if link, err = s.link("", uint32(a.Index)); err != nil {
				continue
			}
		}
		a.Interface = link.Name
		named = append(named, a)
	}
	return named
}
