package garp

import "encoding/binary"

// Sizes in bytes, without the frame check sequence.
const (
	// ARPFrameSize is Ethernet's least frame, to which the 42 bytes of an ARP
	// packet are padded: it is also what the original wackamole sends.
	ARPFrameSize = 60
	// EchoFrameSize is an ICMP echo request without payload. The original
	// leaves it to the driver to pad it.
	EchoFrameSize = 42

	arpSize = 42 // Ethernet header 14, ARP packet 28
)

// Operations of an ARP packet (RFC 826, "Packet format": ar$op).
const (
	Request = 1
	Reply   = 2
)

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	arpEther  = 1 // ar$hrd: Ethernet
)

// A LinkAddr is a 48-bit link-layer address as it lies in a frame.
type LinkAddr [6]byte

// Broadcast is the link-layer address of all hosts of a segment.
var Broadcast = LinkAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// String gives the usual six pairs of digits, such as 02:00:5e:10:00:01.
func (l LinkAddr) String() string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 17)
	for i, b := range l {
		if i > 0 {
			text = append(text, ':')
		}
		text = append(text, digits[b>>4], digits[b&0xf])
	}
	return string(text)
}

// isHost tells whether l can be the address of one host: neither a group
// address nor the empty one.
func (l LinkAddr) isHost() bool { return l[0]&1 == 0 && l != LinkAddr{} }

// An ARP is an ARP packet for IPv4 in an Ethernet frame:
//
//	 0  6  destination (Ethernet header)
//	 6  6  source
//	12  2  EtherType 0x0806
//	14  2  ar$hrd = 1, Ethernet (RFC 826)
//	16  2  ar$pro = 0x0800, IPv4
//	18  1  ar$hln = 6
//	19  1  ar$pln = 4
//	20  2  ar$op: 1 request, 2 reply
//	22  6  ar$sha: the sender's link-layer address
//	28  4  ar$spa: the sender's IP address
//	32  6  ar$tha: the target's link-layer address
//	38  4  ar$tpa: the target's IP address
//	42 18  zeros, up to Ethernet's least frame
//
// All integers are big-endian; IP addresses are four bytes in network order.
type ARP struct {
	Destination, Source LinkAddr
	Operation           uint16
	SenderLink          LinkAddr
	Sender              [4]byte
	TargetLink          LinkAddr
	Target              [4]byte
}

// AppendARP appends the frame of p, ARPFrameSize bytes, to dst.
func AppendARP(dst []byte, p ARP) []byte {
	dst = append(dst, p.Destination[:]...)
	dst = append(dst, p.Source[:]...)
	dst = binary.BigEndian.AppendUint16(dst, etherARP)
	dst = binary.BigEndian.AppendUint16(dst, arpEther)
	dst = binary.BigEndian.AppendUint16(dst, etherIPv4)
	dst = append(dst, 6, 4)
	dst = binary.BigEndian.AppendUint16(dst, p.Operation)
	dst = append(dst, p.SenderLink[:]...)
	dst = append(dst, p.Sender[:]...)
	dst = append(dst, p.TargetLink[:]...)
	dst = append(dst, p.Target[:]...)
	var padding [ARPFrameSize - arpSize]byte
	return append(dst, padding[:]...)
}

// AppendAnnouncement appends an ARP Announcement (RFC 5227 section 2.3, with
// the fields of section 2.1.1): a broadcast request, sender and target address
// both addr, the target's link-layer address zero.
func AppendAnnouncement(dst []byte, link LinkAddr, addr [4]byte) []byte {
	return AppendARP(dst, ARP{
		Destination: Broadcast, Source: link,
		Operation:  Request,
		SenderLink: link, Sender: addr,
		Target: addr,
	})
}

// AppendGratuitousReply appends the reply form of an announcement: broadcast,
// sender and target address both addr, and both link-layer addresses link
// (RFC 5944 section 4.6; Linux takes a reply for gratuitous only with the target's
// link-layer address equal to the sender's).
func AppendGratuitousReply(dst []byte, link LinkAddr, addr [4]byte) []byte {
	return AppendARP(dst, ARP{
		Destination: Broadcast, Source: link,
		Operation:  Reply,
		SenderLink: link, Sender: addr,
		TargetLink: link, Target: addr,
	})
}

// AppendNotification appends the ARP reply that the original wackamole sends to
// one target of its Notify lists: that addr is at link, told to target at
// targetLink, which is Broadcast where the target's own is not known.
func AppendNotification(dst []byte, link LinkAddr, addr [4]byte, targetLink LinkAddr, target [4]byte) []byte {
	return AppendARP(dst, ARP{
		Destination: targetLink, Source: link,
		Operation:  Reply,
		SenderLink: link, Sender: addr,
		TargetLink: targetLink, Target: target,
	})
}
