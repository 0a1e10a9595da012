package control

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"net/netip"
	"strings"

	"wackamole/conf"
)

// Sizes of the answer to RequestState, in bytes. The layout is the one that the original's struct
// interface happens to have: 16 for the interface's name as in <net/if.h>, then three addresses.
const (
	RecordSize  = 4 + recordSlots*slotSize
	recordSlots = 32
	slotSize    = nameSize + 3*4
	nameSize    = 16
)

// MaxRecordAddresses is how many addresses of a virtual interface a Record carries. The original knows
// no more; further ones are left out, the other answers have them all.
const MaxRecordAddresses = recordSlots - 1

// Record is what RequestState tells of one virtual interface:
//
//	offset  size
//	0       4     claim priority, int32 big-endian
//	4       28    owner's real address: a slot with an IP only, all zero when nobody owns it
//	32      28    first address
//	60      28    the other addresses, then zeros
//
// A slot is the interface's name (16 bytes, padded with NUL), IP, broadcast address and netmask (4 bytes
// each, network order).
type Record struct {
	Claim     int32
	Owner     netip.Addr // invalid when nobody owns it
	Addresses []RecordAddress
}

// RecordAddress is an address in a Record.
type RecordAddress struct {
	Interface              string
	IP, Broadcast, Netmask [4]byte
}

// Bits is the prefix length of the netmask: its leading one bits.
func (a RecordAddress) Bits() int {
	return bits.LeadingZeros32(^binary.BigEndian.Uint32(a.Netmask[:]))
}

// appendRecord appends the record of v.
func appendRecord(dst []byte, v *VirtualInterface) []byte {
	var record [RecordSize]byte
	binary.BigEndian.PutUint32(record[:], uint32(v.Claim))
	putSlot(record[4:], RecordAddress{IP: ip4(v.Owner)})
	for i, a := range v.Addresses[:min(len(v.Addresses), MaxRecordAddresses)] {
		putSlot(record[4+(1+i)*slotSize:], recordAddress(a))
	}
	return append(dst, record[:]...)
}

// recordAddress gives an address the broadcast address that the original computes, for /31 and /32 too.
func recordAddress(a conf.Address) RecordAddress {
	r := RecordAddress{Interface: a.Interface, IP: ip4(a.Addr()), Netmask: a.Netmask()}
	for i := range r.IP {
		r.Broadcast[i] = r.IP[i] | ^r.Netmask[i]
	}
	return r
}

// ip4 returns the address in network order, zeros for an invalid one.
func ip4(a netip.Addr) [4]byte {
	if !a.Is4() {
		return [4]byte{}
	}
	return a.As4()
}

func putSlot(b []byte, a RecordAddress) {
	copy(b[:nameSize-1], a.Interface)
	copy(b[nameSize:], a.IP[:])
	copy(b[nameSize+4:], a.Broadcast[:])
	copy(b[nameSize+8:], a.Netmask[:])
}

// UnmarshalBinary takes a record of exactly RecordSize bytes. As for the original's controller, the
// first address is always there, and the others end with the first that is zero.
func (r *Record) UnmarshalBinary(data []byte) error {
	if len(data) != RecordSize {
		return errors.New("a record of the state must have 900 bytes")
	}
	*r = Record{Claim: int32(binary.BigEndian.Uint32(data))}
	if owner := slot(data, 0).IP; owner != [4]byte{} {
		r.Owner = netip.AddrFrom4(owner)
	}
	for i := 1; i < recordSlots; i++ {
		a := slot(data, i)
		if i > 1 && a.IP == [4]byte{} {
			break
		}
		r.Addresses = append(r.Addresses, a)
	}
	return nil
}

func slot(record []byte, i int) (a RecordAddress) {
	s := record[4+i*slotSize:]
	a.Interface, _, _ = strings.Cut(string(s[:nameSize]), "\x00")
	copy(a.IP[:], s[nameSize:])
	copy(a.Broadcast[:], s[nameSize+4:])
	copy(a.Netmask[:], s[nameSize+8:])
	return a
}
