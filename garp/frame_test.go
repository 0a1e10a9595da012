package garp

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	ours  = LinkAddr{0x02, 0, 0x5e, 0x10, 0, 1}
	other = LinkAddr{0x02, 0, 0x5e, 0x10, 0, 2}
)

func join(fields ...[]byte) []byte { return bytes.Join(fields, nil) }

func TestARPFrames(t *testing.T) {
	vip, peer := [4]byte{10, 0, 0, 5}, [4]byte{10, 0, 0, 9}
	padding := make([]byte, 18)
	for _, tt := range []struct {
		name   string
		packet ARP
		build  func([]byte) []byte
		bytes  []byte
	}{
		{
			name: "announcement, RFC 5227 section 2.3",
			packet: ARP{
				Destination: Broadcast, Source: ours, Operation: Request,
				SenderLink: ours, Sender: vip, Target: vip,
			},
			build: func(b []byte) []byte { return AppendAnnouncement(b, ours, vip) },
			bytes: join(
				[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, // destination
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01}, // source
				[]byte{0x08, 0x06},                         // EtherType
				[]byte{0x00, 0x01},                         // ar$hrd
				[]byte{0x08, 0x00},                         // ar$pro
				[]byte{6, 4},                               // ar$hln, ar$pln
				[]byte{0, 1},                               // ar$op
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01}, // ar$sha
				[]byte{10, 0, 0, 5},                        // ar$spa
				[]byte{0, 0, 0, 0, 0, 0},                   // ar$tha
				[]byte{10, 0, 0, 5},                        // ar$tpa
				padding,
			),
		},
		{
			name: "gratuitous reply, RFC 5944 section 4.6",
			packet: ARP{
				Destination: Broadcast, Source: ours, Operation: Reply,
				SenderLink: ours, Sender: vip, TargetLink: ours, Target: vip,
			},
			build: func(b []byte) []byte { return AppendGratuitousReply(b, ours, vip) },
			bytes: join(
				[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01},
				[]byte{0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4},
				[]byte{0, 2},
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01},
				[]byte{10, 0, 0, 5},
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01},
				[]byte{10, 0, 0, 5},
				padding,
			),
		},
		{
			name: "notification of a target whose link-layer address is known",
			packet: ARP{
				Destination: other, Source: ours, Operation: Reply,
				SenderLink: ours, Sender: vip, TargetLink: other, Target: peer,
			},
			build: func(b []byte) []byte { return AppendNotification(b, ours, vip, other, peer) },
			bytes: join(
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x02},
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01},
				[]byte{0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 6, 4},
				[]byte{0, 2},
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01},
				[]byte{10, 0, 0, 5},
				[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x02},
				[]byte{10, 0, 0, 9},
				padding,
			),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(hex.Dump(tt.bytes), hex.Dump(tt.build(nil))); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			got, err := ParseARP(tt.bytes)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.packet, got); diff != "" {
				t.Errorf("packet (-want +got):\n%s", diff)
			}
			if prefix := []byte("before"); !bytes.HasPrefix(tt.build(prefix), prefix) {
				t.Error("what was there before is gone")
			}
		})
	}
}

// What the original was seen to send is what is sent now, byte for byte.
func TestOriginalFrames(t *testing.T) {
	text, err := os.ReadFile("testdata/original.txt")
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		link, err := net.ParseMAC(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		vip, peer := netip.MustParseAddr(fields[1]).As4(), netip.MustParseAddr(fields[2]).As4()
		got := hex.EncodeToString(AppendNotification(nil, LinkAddr(link), vip, Broadcast, peer))
		if got != fields[3] {
			t.Errorf("%s tells %s:\n got %s\nwant %s", fields[1], fields[2], got, fields[3])
		}
		frames++
	}
	if frames < 10 {
		t.Errorf("only %d frames in testdata", frames)
	}
}

func TestEchoFrame(t *testing.T) {
	want := join(
		[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x02}, // destination
		[]byte{0x02, 0x00, 0x5e, 0x10, 0x00, 0x01}, // source
		[]byte{0x08, 0x00},                         // EtherType
		[]byte{0x45, 0},                            // version and length, type of service
		[]byte{0, 28},                              // total length
		[]byte{0xfe, 0xfe},                         // identification
		[]byte{0, 0},                               // flags, offset
		[]byte{64, 1},                              // time to live, protocol
		// 4500+001c+fefe+0000+4001+0a00+0005+0a00+0009 = 19829, folded 982a,
		// complement 67d5.
		[]byte{0x67, 0xd5},
		[]byte{10, 0, 0, 5},
		[]byte{10, 0, 0, 9},
		[]byte{8, 0}, // type, code
		// 0800+fefe+fefe = 205fc, folded 05fe, complement fa01.
		[]byte{0xfa, 0x01},
		[]byte{0xfe, 0xfe}, // identifier
		[]byte{0xfe, 0xfe}, // sequence number
	)
	e := Echo{Destination: other, Source: ours, From: [4]byte{10, 0, 0, 5}, To: [4]byte{10, 0, 0, 9}}
	if diff := cmp.Diff(hex.Dump(want), hex.Dump(AppendEcho(nil, e))); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
	got, err := ParseEcho(want)
	if err != nil || got != e {
		t.Errorf("parsed %+v, %v", got, err)
	}
	for _, part := range [][]byte{want[14:34], want[34:42]} {
		if sum := checksum(part); sum != 0 {
			t.Errorf("checksum over a part with its checksum: %#x", sum)
		}
	}
}

func TestParseErrors(t *testing.T) {
	arp := AppendAnnouncement(nil, ours, [4]byte{10, 0, 0, 5})
	echo := AppendEcho(nil, Echo{Source: ours})
	change := func(frame []byte, at int, to byte) []byte {
		frame = bytes.Clone(frame)
		frame[at] = to
		return frame
	}
	parseARP := func(b []byte) error { _, err := ParseARP(b); return err }
	parseEcho := func(b []byte) error { _, err := ParseEcho(b); return err }
	for _, tt := range []struct {
		parse func([]byte) error
		frame []byte
		want  string
	}{
		{parseARP, nil, "parse ARP frame: 0 bytes, want at least 42"},
		{parseARP, arp[:41], "parse ARP frame: 41 bytes, want at least 42"},
		{parseARP, change(arp, 13, 0), "parse ARP frame: EtherType 0x0800, want 0x0806"},
		{parseARP, change(arp, 15, 6), "parse ARP frame: hardware type 0x0006, want 0x0001"},
		{parseARP, change(arp, 16, 9), "parse ARP frame: protocol type 0x0900, want 0x0800"},
		{parseARP, change(arp, 19, 16), "parse ARP frame: address lengths 0x0610, want 0x0604"},
		{parseEcho, echo[:41], "parse echo frame: 41 bytes, want at least 42"},
		{parseEcho, change(echo, 25, echo[25]+1), "parse echo frame: byte 25 is"},
		{parseEcho, change(echo, 34, 0), "parse echo frame: byte 34 is 0x00, want 0x08"},
	} {
		if err := tt.parse(tt.frame); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%x: %v, want %s", tt.frame, err, tt.want)
		}
	}
}

func TestLinkAddrString(t *testing.T) {
	l := LinkAddr{0, 0x1b, 0xc0, 0xff, 0xee, 9}
	if got, want := l.String(), net.HardwareAddr(l[:]).String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzParseARP(f *testing.F) {
	f.Add(AppendAnnouncement(nil, ours, [4]byte{10, 0, 0, 5}))
	f.Add(AppendNotification(nil, ours, [4]byte{10, 0, 0, 5}, other, [4]byte{10, 0, 0, 9})[:42])
	f.Fuzz(func(t *testing.T, frame []byte) {
		p, err := ParseARP(frame)
		if err != nil {
			return
		}
		again := AppendARP(nil, p)
		if !bytes.Equal(again[:arpSize], frame[:arpSize]) {
			t.Errorf("encoded again:\n%x\n%x", frame, again)
		}
		if q, err := ParseARP(again); err != nil || q != p {
			t.Errorf("decoded again: %+v, %v; before %+v", q, err, p)
		}
	})
}

func FuzzParseEcho(f *testing.F) {
	f.Add(AppendEcho(nil, Echo{Destination: Broadcast, Source: ours, From: [4]byte{10, 0, 0, 5}}))
	f.Fuzz(func(t *testing.T, frame []byte) {
		e, err := ParseEcho(frame)
		if err != nil {
			return
		}
		if again := AppendEcho(nil, e); !bytes.Equal(again, frame[:EchoFrameSize]) {
			t.Errorf("encoded again:\n%x\n%x", frame, again)
		}
	})
}
