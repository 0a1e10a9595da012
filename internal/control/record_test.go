package control

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wackamole/conf"
)

// address makes an address from "eth0:10.0.0.1/24".
func address(t testing.TB, text string) conf.Address {
	t.Helper()
	name, prefix, ok := bytes.Cut([]byte(text), []byte(":"))
	if !ok {
		t.Fatalf("address %q", text)
	}
	return conf.Address{Interface: string(name), Prefix: netip.MustParsePrefix(string(prefix)), Network: 24}
}

func virtualInterface(t testing.TB, owner string, claim int32, held bool, addresses ...string) VirtualInterface {
	t.Helper()
	v := VirtualInterface{Claim: claim, Held: held}
	if owner != "" {
		v.Owner = netip.MustParseAddr(owner)
	}
	for _, a := range addresses {
		v.Addresses = append(v.Addresses, address(t, a))
	}
	return v
}

// record lays a record out by hand: what is given at each offset, zeros elsewhere.
func record(parts map[int]string) []byte {
	b := make([]byte, 900)
	for offset, text := range parts {
		copy(b[offset:], text)
	}
	return b
}

func TestRecord(t *testing.T) {
	tests := []struct {
		name  string
		v     VirtualInterface
		bytes []byte
		back  Record
	}{
		{
			name: "nobody's",
			v:    virtualInterface(t, "", 0, false, "eth0:10.77.0.101/32"),
			bytes: record(map[int]string{
				32: "eth0", 48: "\x0a\x4d\x00\x65", 52: "\x0a\x4d\x00\x65", 56: "\xff\xff\xff\xff",
			}),
			back: Record{Addresses: []RecordAddress{
				{"eth0", [4]byte{10, 77, 0, 101}, [4]byte{10, 77, 0, 101}, [4]byte{255, 255, 255, 255}},
			}},
		},
		{
			name: "owned set",
			v:    virtualInterface(t, "10.77.0.2", 5, true, "eth0:10.77.0.101/24", "eth1.100:192.0.2.101/25"),
			bytes: record(map[int]string{
				0: "\x00\x00\x00\x05", 20: "\x0a\x4d\x00\x02",
				32: "eth0", 48: "\x0a\x4d\x00\x65", 52: "\x0a\x4d\x00\xff", 56: "\xff\xff\xff\x00",
				60: "eth1.100", 76: "\xc0\x00\x02\x65", 80: "\xc0\x00\x02\x7f", 84: "\xff\xff\xff\x80",
			}),
			back: Record{Claim: 5, Owner: netip.MustParseAddr("10.77.0.2"), Addresses: []RecordAddress{
				{"eth0", [4]byte{10, 77, 0, 101}, [4]byte{10, 77, 0, 255}, [4]byte{255, 255, 255, 0}},
				{"eth1.100", [4]byte{192, 0, 2, 101}, [4]byte{192, 0, 2, 127}, [4]byte{255, 255, 255, 128}},
			}},
		},
		{
			name: "name of 15 and one that is too long, no prefix",
			v:    virtualInterface(t, "", 2, false, "abcdefghijklmno:1.2.3.4/0", "abcdefghijklmnopq:1.2.3.5/31"),
			bytes: record(map[int]string{
				0:  "\x00\x00\x00\x02",
				32: "abcdefghijklmno", 48: "\x01\x02\x03\x04", 52: "\xff\xff\xff\xff",
				60: "abcdefghijklmno", 76: "\x01\x02\x03\x05", 80: "\x01\x02\x03\x05", 84: "\xff\xff\xff\xfe",
			}),
			back: Record{Claim: 2, Addresses: []RecordAddress{
				{"abcdefghijklmno", [4]byte{1, 2, 3, 4}, [4]byte{255, 255, 255, 255}, [4]byte{}},
				{"abcdefghijklmno", [4]byte{1, 2, 3, 5}, [4]byte{1, 2, 3, 5}, [4]byte{255, 255, 255, 254}},
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.bytes, appendRecord(nil, &tt.v)); diff != "" {
				t.Errorf("bytes (-want +got):\n%s", diff)
			}
			var back Record
			if err := back.UnmarshalBinary(tt.bytes); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.back, back, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordOfManyAddresses(t *testing.T) {
	v := virtualInterface(t, "", 0, false)
	for i := range 40 {
		v.Addresses = append(v.Addresses, conf.Address{
			Interface: "eth0", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 24),
		})
	}
	b := appendRecord(nil, &v)
	var back Record
	if err := back.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	if n := len(back.Addresses); n != MaxRecordAddresses || back.Addresses[n-1].IP != [4]byte{10, 0, 0, 31} {
		t.Errorf("%d addresses came back, the last one %v", n, back.Addresses[n-1])
	}
}

func TestRecordLength(t *testing.T) {
	for _, n := range []int{0, 899, 901} {
		if err := new(Record).UnmarshalBinary(make([]byte, n)); err == nil {
			t.Errorf("%d bytes are taken for a record", n)
		}
	}
}

func TestBits(t *testing.T) {
	for mask, want := range map[[4]byte]int{
		{}: 0, {128}: 1, {255, 255, 255}: 24, {255, 255, 255, 255}: 32, {255, 0, 255}: 8,
	} {
		if got := (RecordAddress{Netmask: mask}).Bits(); got != want {
			t.Errorf("%v: %d, want %d", mask, got, want)
		}
	}
}

// FuzzRecord: what a record says, written again, says the same.
func FuzzRecord(f *testing.F) {
	v := virtualInterface(f, "10.77.0.2", 5, true, "eth0:10.77.0.101/24", "eth1:192.0.2.101/25")
	f.Add(appendRecord(nil, &v))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Record
		if err := r.UnmarshalBinary(data); err != nil {
			if len(data) == RecordSize {
				t.Fatal(err)
			}
			return
		}
		if n := len(r.Addresses); n < 1 || n > MaxRecordAddresses {
			t.Fatalf("%d addresses", n)
		}
		again := make([]byte, RecordSize)
		copy(again, data[:4])
		putSlot(again[4:], RecordAddress{IP: ip4(r.Owner)})
		for i := range r.Addresses {
			a := &r.Addresses[i]
			a.Interface = a.Interface[:min(len(a.Interface), nameSize-1)]
			putSlot(again[4+(1+i)*slotSize:], *a)
		}
		var back Record
		if err := back.UnmarshalBinary(again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, back, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Fatalf("(-first +again):\n%s", diff)
		}
	})
}
