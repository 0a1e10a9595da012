package rtnl

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// bytesOf returns the bytes written as hex on one or the other line, by the byte
// order of the machine that the test runs on.
func bytesOf(t *testing.T, little, big string) []byte {
	t.Helper()
	text := little
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		text = big
	}
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var addressRows = []struct {
	name        string
	message     addressMessage
	little, big string
}{
	{
		name:    "bare",
		message: addressMessage{key: Key{2, [4]byte{10, 0, 0, 5}, 32}, peer: [4]byte{10, 0, 0, 5}},
		little:  "02200000 02000000  0800 0200 0a000005  0800 0100 0a000005",
		big:     "02200000 00000002  0008 0002 0a000005  0008 0001 0a000005",
	}, {
		name: "broadcast and label",
		message: addressMessage{
			key: Key{0x01020304, [4]byte{192, 0, 2, 1}, 24}, peer: [4]byte{192, 0, 2, 1},
			broadcast: [4]byte{192, 0, 2, 255}, hasBroadcast: true, label: []byte("eth0:1"),
		},
		little: "02180000 04030201  0800 0200 c0000201  0800 0100 c0000201  0800 0400 c00002ff  0b00 0300 657468303a3100 00",
		big:    "02180000 01020304  0008 0002 c0000201  0008 0001 c0000201  0008 0004 c00002ff  000b 0003 657468303a3100 00",
	}, {
		name:    "point to point, link scope",
		message: addressMessage{key: Key{3, [4]byte{10, 0, 0, 1}, 30}, peer: [4]byte{10, 0, 0, 2}, scope: unix.RT_SCOPE_LINK},
		little:  "021e00fd 03000000  0800 0200 0a000001  0800 0100 0a000002",
		big:     "021e00fd 00000003  0008 0002 0a000001  0008 0001 0a000002",
	},
}

func TestAddressMessage(t *testing.T) {
	for _, row := range addressRows {
		want := bytesOf(t, row.little, row.big)
		if got := row.message.append(nil); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%x\nwant\n%x", row.name, got, want)
		}
		var got addressMessage
		if ok, err := got.parse(want); !ok || err != nil {
			t.Errorf("%s: %t %v", row.name, ok, err)
		}
		if diff := cmp.Diff(row.message, got, cmp.AllowUnexported(addressMessage{})); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

func TestAddressMessageFlags(t *testing.T) {
	// All flags are in the attribute, the header has the low eight.
	b := bytesOf(t, "02181000 02000000 0800 0200 0a000005 0800 0800 80020000", "02181000 00000002 0008 0002 0a000005 0008 0008 00000280")
	var a addressMessage
	if ok, err := a.parse(b); !ok || err != nil || a.flags != 0x280 {
		t.Errorf("%t %v %#x", ok, err, a.flags)
	}
	if ok, err := a.parse(b[:16]); !ok || err != nil || a.flags != 0x10 {
		t.Errorf("%t %v %#x", ok, err, a.flags)
	}
}

func TestParseMalformed(t *testing.T) {
	for name, f := range map[string]func(b []byte) error{
		"address":   func(b []byte) error { _, err := new(addressMessage).parse(b); return err },
		"link":      func(b []byte) error { return new(Link).parse(b) },
		"neighbour": func(b []byte) error { _, err := new(Neighbour).parse(b); return err },
	} {
		for what, b := range map[string][]byte{
			"empty":             {},
			"short":             bytesOf(t, "02180000 020000", "02180000 000000"),
			"attribute too big": bytesOf(t, "02180000 02000000 02000000 00000000 0900 0200 0a000005", "02180000 00000002 00020000 00000000 0009 0002 0a000005"),
			"attribute of 3":    bytesOf(t, "02180000 02000000 02000000 0300 0200 0a000005", "02180000 00000002 00020000 0003 0002 0a000005"),
			"attribute of 0":    bytesOf(t, "02180000 02000000 02000000 0000 0000 0000 0000", "02180000 00000002 00020000 0000 0000 0000 0000"),
		} {
			if name == "neighbour" && len(b) > 12 {
				b = append(b[:12:12], b[len(b)-8:]...)
			}
			if name == "link" && len(b) > 12 {
				b = append(b[:16:16], b[len(b)-8:]...)
			}
			if name == "address" && len(b) > 12 {
				b = append(b[:8:8], b[len(b)-8:]...)
			}
			if err := f(b); err != errMalformed {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	for what, b := range map[string][]byte{
		"prefix of 33":    bytesOf(t, "02210000 02000000 0800 0200 0a000005", "02210000 00000002 0008 0002 0a000005"),
		"no address":      bytesOf(t, "02180000 02000000 0800 0400 0a000005", "02180000 00000002 0008 0004 0a000005"),
		"address of 5":    bytesOf(t, "02180000 02000000 0900 0200 0a00000500 000000", "02180000 00000002 0009 0002 0a00000500 000000"),
		"flags of 2":      bytesOf(t, "02180000 02000000 0800 0200 0a000005 0600 0800 0000 0000", "02180000 00000002 0008 0002 0a000005 0006 0008 0000 0000"),
		"no address data": bytesOf(t, "02180000 02000000 0400 0200", "02180000 00000002 0004 0002"),
	} {
		if ok, err := new(addressMessage).parse(b); ok || err != errMalformed {
			t.Errorf("%s: %t %v", what, ok, err)
		}
	}
	if ok, err := new(addressMessage).parse(append([]byte{unix.AF_INET6}, make([]byte, 7)...)); ok || err != nil {
		t.Errorf("another family: %t %v", ok, err)
	}
}

var linkRows = []struct {
	name        string
	link        Link
	little, big string
}{
	{
		name:   "ethernet, up, no carrier",
		link:   Link{Index: 2, Name: "eth0", Type: 1, HardwareAddr: HardwareAddr{2, 0, 0, 0, 0, 1}, Up: true},
		little: "00000100 02000000 03100000 00000000  0900 0300 6574683000 000000  0a00 0100 020000000001 0000",
		big:    "00000001 00000002 00001003 00000000  0009 0003 6574683000 000000  000a 0001 020000000001 0000",
	}, {
		name:   "loopback, running",
		link:   Link{Index: 1, Name: "lo", Type: 772, Up: true, Running: true, Carrier: true},
		little: "00000403 01000000 49000100 00000000  0700 0300 6c6f00 00",
		big:    "00000304 00000001 00010049 00000000  0007 0003 6c6f00 00",
	},
}

func appendLink(b []byte, l Link) []byte {
	var flags uint32
	for _, f := range []struct {
		on  bool
		bit uint32
	}{{l.Up, unix.IFF_UP}, {l.Running, unix.IFF_RUNNING}, {l.Carrier, unix.IFF_LOWER_UP}} {
		if f.on {
			flags |= f.bit
		}
	}
	b = order.AppendUint16(append(b, 0, 0), l.Type)
	b = order.AppendUint32(order.AppendUint32(b, uint32(l.Index)), flags)
	b = appendText(append(b, 0, 0, 0, 0), unix.IFLA_IFNAME, []byte(l.Name))
	if l.HardwareAddr != nil {
		b = appendAttribute(b, unix.IFLA_ADDRESS, l.HardwareAddr...)
	}
	return b
}

func TestLinkParse(t *testing.T) {
	for _, row := range linkRows {
		var got, again Link
		if err := got.parse(bytesOf(t, row.little, row.big)); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		if diff := cmp.Diff(row.link, got); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
		if err := again.parse(appendLink(nil, got)); err != nil || !again.equal(got) {
			t.Errorf("%s: %v, %v", row.name, again, err)
		}
	}
}

var neighbourRows = []struct {
	name        string
	neighbour   Neighbour
	ok          bool
	little, big string
}{
	{
		name:      "reachable",
		neighbour: Neighbour{Index: 2, Addr: netip.MustParseAddr("10.0.0.9"), HardwareAddr: [6]byte{2, 0, 0, 0, 0, 9}, State: unix.NUD_REACHABLE},
		ok:        true,
		little:    "02000000 02000000 0200 00 01  0800 0100 0a000009  0a00 0200 020000000009 0000",
		big:       "02000000 00000002 0002 00 01  0008 0001 0a000009  000a 0002 020000000009 0000",
	}, {
		name:      "incomplete",
		neighbour: Neighbour{Index: 2, State: unix.NUD_INCOMPLETE},
		little:    "02000000 02000000 0100 00 01  0800 0100 0a000009",
		big:       "02000000 00000002 0001 00 01  0008 0001 0a000009",
	}, {
		name:      "multicast",
		neighbour: Neighbour{Index: 2, State: unix.NUD_NOARP},
		little:    "02000000 02000000 4000 00 05  0800 0100 e0000016  0a00 0200 01005e000016 0000",
		big:       "02000000 00000002 0040 00 05  0008 0001 e0000016  000a 0002 01005e000016 0000",
	}, {
		name:      "IP over InfiniBand",
		neighbour: Neighbour{Index: 2, Addr: netip.MustParseAddr("10.0.0.9"), State: unix.NUD_STALE},
		little:    "02000000 02000000 0400 00 01  0800 0100 0a000009  0c00 0200 0200000000090000",
		big:       "02000000 00000002 0004 00 01  0008 0001 0a000009  000c 0002 0200000000090000",
	},
}

func TestNeighbourParse(t *testing.T) {
	for _, row := range neighbourRows {
		var got Neighbour
		ok, err := got.parse(bytesOf(t, row.little, row.big))
		if ok != row.ok || err != nil || got != row.neighbour {
			t.Errorf("%s: %v %t %v, want %v %t", row.name, got, ok, err, row.neighbour, row.ok)
		}
	}
}

func TestNext(t *testing.T) {
	b := finish(append(begin(nil, 20, 5, 7), 1, 2, 3), 0)
	want := bytesOf(t, "13000000 1400 0500 07000000 00000000 010203 00", "00000013 0014 0005 00000007 00000000 010203 00")
	if !bytes.Equal(b, want) {
		t.Fatalf("%x, want %x", b, want)
	}
	b = append(b, b...)
	m, rest, err := next(b)
	if err != nil || m.kind != 20 || m.flags != 5 || m.sequence != 7 || !bytes.Equal(m.body, []byte{1, 2, 3}) || len(rest) != 20 {
		t.Errorf("%+v %x %v", m, rest, err)
	}
	for _, length := range []uint32{0, 15, 41, 0xffffffff} {
		order.PutUint32(b, length)
		if _, _, err := next(b); err != errMalformed {
			t.Errorf("length %d: %v", length, err)
		}
	}
	if _, _, err := next(b[:15]); err != errMalformed {
		t.Error(err)
	}
}

func TestErrno(t *testing.T) {
	for _, row := range []struct {
		little, big string
		errno       unix.Errno
		err         error
	}{
		{"00000000", "00000000", 0, nil},
		{"efffffff 00", "ffffffef 00", 17, nil},
		{"11000000", "00000011", 0, errMalformed},
		{"00000080", "80000000", 0, errMalformed},
		{"000000", "000000", 0, errMalformed},
	} {
		errno, err := message{body: bytesOf(t, row.little, row.big)}.errno()
		if errno != row.errno || err != row.err {
			t.Errorf("%s: %d %v", row.little, errno, err)
		}
	}
}

func TestBroadcast(t *testing.T) {
	for _, row := range []struct{ prefix, given, want string }{
		{"10.1.2.3/8", "", "10.255.255.255"},
		{"10.1.2.3/24", "", "10.1.2.255"},
		{"10.1.2.3/30", "", "10.1.2.3"},
		{"10.1.2.3/0", "", "255.255.255.255"},
		{"10.1.2.3/24", "10.1.2.0", "10.1.2.0"},
		{"10.1.2.3/31", "", ""},
		{"10.1.2.3/32", "10.1.2.255", ""},
	} {
		a := Address{Prefix: netip.MustParsePrefix(row.prefix)}
		if row.given != "" {
			a.Broadcast = netip.MustParseAddr(row.given)
		}
		got := ""
		if b, ok := a.broadcast(); ok {
			got = netip.AddrFrom4(b).String()
		}
		if got != row.want {
			t.Errorf("%s %s: %q, want %q", row.prefix, row.given, got, row.want)
		}
	}
}

func TestMask(t *testing.T) {
	for bits := range 33 {
		a := [4]byte{0xff, 0xa5, 0x5a, 0xff}
		want := netip.PrefixFrom(netip.AddrFrom4(a), bits).Masked().Addr().As4()
		if got := mask(a, uint8(bits)); got != want {
			t.Errorf("/%d: %v, want %v", bits, got, want)
		}
	}
}
