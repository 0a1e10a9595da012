package conf

import (
	"encoding/binary"
	"net/netip"
	"strconv"
)

// defaultNetwork is the own network of an address that does not say nNET.
const defaultNetwork = 24

// maxInterfaceName is the longest name that Linux gives an interface:
// IFNAMSIZ less the NUL.
const maxInterfaceName = 15

// Address is one virtual IP address.
type Address struct {
	// Interface is the interface that gets the address.
	Interface string
	// Prefix is the address, not masked, and the length of the netmask that
	// the interface gets with it. Always IPv4.
	Prefix netip.Prefix
	// Network is nNET of the file: the length of the network around the
	// address whose hosts are told about it, 0 to 32.
	Network int
}

// Addr returns the address alone.
func (a Address) Addr() netip.Addr { return a.Prefix.Addr() }

// OwnNetwork returns the network around the address by nNET, masked.
func (a Address) OwnNetwork() netip.Prefix {
	return netip.PrefixFrom(a.Addr(), a.Network).Masked()
}

// Netmask returns the netmask in network byte order.
func (a Address) Netmask() [4]byte {
	var mask [4]byte
	binary.BigEndian.PutUint32(mask[:], maskOf(a.Prefix.Bits()))
	return mask
}

// Broadcast returns the broadcast address, which is invalid for /31 (RFC 3021)
// and /32: those have none.
func (a Address) Broadcast() netip.Addr {
	if a.Prefix.Bits() > 30 {
		return netip.Addr{}
	}
	return fromUint32(toUint32(a.Addr()) | ^maskOf(a.Prefix.Bits()))
}

// String returns the address as it is written in VirtualInterfaces:
// eth0:10.0.0.1/32n16, without nNET where it is 24.
func (a Address) String() string { return string(a.append(nil)) }

func (a Address) append(b []byte) []byte {
	b = append(b, a.Interface...)
	b = append(b, ':')
	b = a.Prefix.AppendTo(b)
	if a.Network != defaultNetwork {
		b = append(b, 'n')
		b = strconv.AppendInt(b, int64(a.Network), 10)
	}
	return b
}

// VirtualInterface is one virtual address, or a set of them that always moves
// together.
type VirtualInterface struct {
	// Addresses are in file order, at least one.
	Addresses []Address
	// At is where the file lists it: its first address, or the brace before.
	At Position
}

// Key returns the first address, which names the virtual interface in all
// messages between members.
func (v VirtualInterface) Key() netip.Addr { return v.Addresses[0].Addr() }

// String returns the virtual interface as it is written in VirtualInterfaces.
func (v VirtualInterface) String() string { return string(v.append(nil)) }

func (v VirtualInterface) append(b []byte) []byte {
	if len(v.Addresses) == 1 {
		return v.Addresses[0].append(b)
	}
	b = append(b, '{')
	for _, a := range v.Addresses {
		b = append(b, ' ')
		b = a.append(b)
	}
	return append(b, " }"...)
}

func maskOf(bits int) uint32 { return ^uint32(uint64(0xffffffff) >> bits) }

// toUint32 returns an IPv4 address as a number; the first octet counts most.
func toUint32(a netip.Addr) uint32 {
	octets := a.As4()
	return binary.BigEndian.Uint32(octets[:])
}

func fromUint32(n uint32) netip.Addr {
	var octets [4]byte
	binary.BigEndian.PutUint32(octets[:], n)
	return netip.AddrFrom4(octets)
}
