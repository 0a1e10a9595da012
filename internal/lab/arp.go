package lab

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Offsets in an Ethernet frame with ARP for IPv4 (RFC 826).
const (
	arpOperation = 20
	arpSenderMAC = 22
	arpSenderIP  = 28
	arpTargetMAC = 32
	arpTargetIP  = 38
	arpEnd       = 42
)

// arpStart is what every such packet begins with: Ethernet, IPv4, their address lengths.
const arpStart = "\x00\x01\x08\x00\x06\x04"

// proberMAC is how the prober's link-layer addresses begin: locally administered. Four bytes with the number of
// the round follow.
const proberMAC = "\x02\x70"

// probeRequest makes a broadcast ARP probe, all but the number of the round and the address asked for, with an
// empty offload header in front and padded to the least length of a frame.
func probeRequest() []byte {
	b := make([]byte, offloadHeader+60)
	frame := b[offloadHeader:]
	copy(frame, "\xff\xff\xff\xff\xff\xff"+proberMAC)
	binary.BigEndian.PutUint16(frame[12:], unix.ETH_P_ARP)
	copy(frame[14:], arpStart)
	binary.BigEndian.PutUint16(frame[arpOperation:], 1)
	copy(frame[arpSenderMAC:], proberMAC)
	return b
}

// parseAnswer reads an ARP reply that is sent to the prober: the number of the round it answers, and the
// address that the sender claims.
func parseAnswer(frame []byte) (number uint32, claimed netip.Addr, ok bool) {
	if len(frame) < arpEnd || string(frame[:2]) != proberMAC ||
		binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP || string(frame[14:arpOperation]) != arpStart ||
		binary.BigEndian.Uint16(frame[arpOperation:]) != 2 {
		return 0, netip.Addr{}, false
	}
	return binary.BigEndian.Uint32(frame[2:]), netip.AddrFrom4([4]byte(frame[arpSenderIP:arpTargetMAC])), true
}
