package garp

import (
	"encoding/binary"

	"wackamole/internal/fmt"
)

// ParseARP decodes an Ethernet frame that holds an ARP packet for IPv4. What
// follows the packet is ignored: drivers pad, and some with other things than
// zeros. The error says which field is not as layout and RFC 826 want it.
func ParseARP(frame []byte) (ARP, error) {
	if len(frame) < arpSize {
		return ARP{}, fmt.Errorf("parse ARP frame: %d bytes, want at least %d", len(frame), arpSize)
	}
	for _, field := range [...]struct {
		name      string
		got, want uint16
	}{
		{"EtherType", binary.BigEndian.Uint16(frame[12:]), etherARP},
		{"hardware type", binary.BigEndian.Uint16(frame[14:]), arpEther},
		{"protocol type", binary.BigEndian.Uint16(frame[16:]), etherIPv4},
		{"address lengths", binary.BigEndian.Uint16(frame[18:]), 6<<8 | 4},
	} {
		if field.got != field.want {
			return ARP{}, fmt.Errorf("parse ARP frame: %s %#04x, want %#04x", field.name, field.got, field.want)
		}
	}
	return ARP{
		Destination: LinkAddr(frame[0:6]),
		Source:      LinkAddr(frame[6:12]),
		Operation:   binary.BigEndian.Uint16(frame[20:]),
		SenderLink:  LinkAddr(frame[22:28]),
		Sender:      [4]byte(frame[28:32]),
		TargetLink:  LinkAddr(frame[32:38]),
		Target:      [4]byte(frame[38:42]),
	}, nil
}

// ParseEcho decodes an Ethernet frame that holds an echo request as AppendEcho
// makes it; what follows it is ignored. A frame with any other field or with a
// wrong checksum is an error.
func ParseEcho(frame []byte) (Echo, error) {
	if len(frame) < EchoFrameSize {
		return Echo{}, fmt.Errorf("parse echo frame: %d bytes, want at least %d", len(frame), EchoFrameSize)
	}
	e := Echo{
		Destination: LinkAddr(frame[0:6]),
		Source:      LinkAddr(frame[6:12]),
		From:        [4]byte(frame[26:30]),
		To:          [4]byte(frame[30:34]),
	}
	// Only the addresses vary, so the frame to expect is known.
	want := AppendEcho(make([]byte, 0, EchoFrameSize), e)
	for i, b := range want {
		if frame[i] != b {
			return Echo{}, fmt.Errorf("parse echo frame: byte %d is %#02x, want %#02x", i, frame[i], b)
		}
	}
	return e, nil
}
