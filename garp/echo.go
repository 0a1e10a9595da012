package garp

import "encoding/binary"

// Fields of the original's echo request. It uses one number, 0xfefe, as IP
// identification, ICMP identifier and ICMP sequence number.
const (
	echoNumber   = 0xfefe
	echoTTL      = 64
	ipSize       = 20 // header without options
	icmpSize     = 8  // echo header without payload
	ipVersionIHL = 0x45
	protocolICMP = 1
	icmpEcho     = 8
)

// An Echo is an ICMP echo request without payload in an Ethernet frame:
//
//	 0  6  destination (Ethernet header)
//	 6  6  source
//	12  2  EtherType 0x0800
//	14  1  version 4, header length 5 words (RFC 791 section 3.1)
//	15  1  type of service 0
//	16  2  total length 28
//	18  2  identification 0xfefe
//	20  2  flags and fragment offset 0
//	22  1  time to live 64
//	23  1  protocol 1, ICMP
//	24  2  header checksum
//	26  4  source address
//	30  4  destination address
//	34  1  type 8, echo (RFC 792)
//	35  1  code 0
//	36  2  checksum of the 8 bytes from 34
//	38  2  identifier 0xfefe
//	40  2  sequence number 0xfefe
//
// All integers are big-endian; the original has the same values.
type Echo struct {
	Destination, Source LinkAddr
	From, To            [4]byte
}

// AppendEcho appends the frame of e, EchoFrameSize bytes, to dst.
func AppendEcho(dst []byte, e Echo) []byte {
	dst = append(dst, e.Destination[:]...)
	dst = append(dst, e.Source[:]...)
	dst = binary.BigEndian.AppendUint16(dst, etherIPv4)

	ip := len(dst)
	dst = append(dst, ipVersionIHL, 0)
	dst = binary.BigEndian.AppendUint16(dst, ipSize+icmpSize)
	dst = binary.BigEndian.AppendUint16(dst, echoNumber)
	dst = append(dst, 0, 0, echoTTL, protocolICMP, 0, 0)
	dst = append(dst, e.From[:]...)
	dst = append(dst, e.To[:]...)
	binary.BigEndian.PutUint16(dst[ip+10:], checksum(dst[ip:]))

	icmp := len(dst)
	dst = append(dst, icmpEcho, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, echoNumber)
	dst = binary.BigEndian.AppendUint16(dst, echoNumber)
	binary.BigEndian.PutUint16(dst[icmp+2:], checksum(dst[icmp:]))
	return dst
}

// checksum is the Internet checksum (RFC 1071) of b, whose length is even.
// Over bytes that hold their own checksum it is 0.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
