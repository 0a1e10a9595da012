package hosts

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nameOf is the name in a query.
func nameOf(query []byte) string {
	var labels []string
	for b := query[headerSize:]; b[0] != 0; b = b[1+b[0]:] {
		labels = append(labels, string(b[1:1+b[0]]))
	}
	return strings.Join(labels, ".")
}

// reply makes the answer to query.
func reply(query []byte, code byte, records ...[]byte) []byte {
	b := bytes.Clone(query)
	b[2] |= flagResponse >> 8
	b[3] |= code
	b[7] = byte(len(records))
	return append(b, bytes.Join(records, nil)...)
}

// resource makes a record of the name that was asked for.
func resource(kind, class byte, data []byte) []byte {
	b := append([]byte{0xc0, headerSize, 0, kind, 0, class, 0, 0, 0, 60, 0}, byte(len(data)))
	return append(b, data...)
}

func a(address string) []byte {
	ip := netip.MustParseAddr(address).As4()
	return resource(typeA, classIN, ip[:])
}

func alias(label string) []byte {
	return resource(5, classIN, append(append([]byte{byte(len(label))}, label...), 0xc0, headerSize))
}

func TestQuery(t *testing.T) {
	got, err := appendQuery(nil, 0x1234, "n1.example.")
	if want := "\x124\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02n1\x07example\x00\x00\x01\x00\x01"; err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	longest := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 61)
	if _, err := appendQuery(nil, 0, longest); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", ".", "a..b", ".a", strings.Repeat("a", 64), longest + "b"} {
		if got, err := appendQuery(nil, 0, name); err == nil {
			t.Errorf("%q: %q", name, got)
		}
	}
}

func TestAnswer(t *testing.T) {
	query, _ := appendQuery(nil, 7, "n1.example")
	change := func(b []byte, at int, to byte) []byte { b[at] = to; return b }
	one := func() []byte { return reply(query, 0, a("10.0.0.1")) }
	upper := one()
	copy(upper[headerSize:], bytes.ToUpper(upper[headerSize:headerSize+11]))
	two := reply(query, 0, a("10.0.0.1"), a("10.0.0.2"))
	tests := []struct {
		name    string
		message []byte
		want    []string
		err     error
	}{
		{"address", one(), []string{"10.0.0.1"}, nil},
		{"other case", upper, []string{"10.0.0.1"}, nil},
		{"alias and other records", reply(query, 0, alias("x"), resource(typeA, 3, make([]byte, 4)), resource(28, classIN, make([]byte, 16)), a("10.0.0.2")), []string{"10.0.0.2"}, nil},
		{"cut", change(bytes.Clone(two[:len(two)-1]), 2, 0x83), []string{"10.0.0.1"}, nil},
		{"cut and empty", change(one()[:len(one())-1], 2, 0x83), nil, errMalformed},
		{"short", two[:len(two)-1], nil, errMalformed},
		{"no name", reply(query, codeNoName), nil, errNoName},
		{"no address", reply(query, 0, alias("x")), nil, errNoName},
		{"six bytes of address", reply(query, 0, resource(typeA, classIN, make([]byte, 6))), nil, errNoName},
		{"query", query, nil, errNotOurs},
		{"other number", change(one(), 1, 8), nil, errNotOurs},
		{"other name", change(one(), headerSize+1, 'm'), nil, errNotOurs},
		{"other type", change(one(), len(query)-3, 2), nil, errNotOurs},
		{"two questions", change(one(), 5, 2), nil, errNotOurs},
		{"nothing", nil, nil, errNotOurs},
		{"more announced", change(one(), 7, 2), nil, errMalformed},
	}
	for _, tt := range tests {
		got, err := parseAnswer(tt.message, query)
		if err != tt.err || !cmp.Equal(got, addresses(tt.want...), compare) {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
}

// Whatever a name is, its query answers to it and to no other.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{"n1", "n1.example.", "a..b", ".", strings.Repeat("a", 64)} {
		f.Add(s, uint16(1))
	}
	f.Fuzz(func(t *testing.T, name string, id uint16) {
		query, err := appendQuery(nil, id, name)
		if err != nil {
			return
		}
		if got := nameOf(query); got != strings.TrimSuffix(name, ".") || binary.BigEndian.Uint16(query) != id {
			t.Errorf("%q, %d: asks for %q", name, id, got)
		}
		if got, err := parseAnswer(reply(query, 0, a("10.0.0.1")), query); err != nil || !cmp.Equal(got, addresses("10.0.0.1"), compare) {
			t.Errorf("%q: %v, %v", name, got, err)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	query, _ := appendQuery(nil, 7, "n1.example")
	for _, s := range [][]byte{query, reply(query, 0, alias("x"), a("10.0.0.1")), reply(query, codeNoName), reply(query, 2)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		got, err := parseAnswer(message, query)
		if (err == nil) != (len(got) > 0) {
			t.Fatalf("%v, %v", got, err)
		}
		// Each address takes at least 15 bytes: name, record, data.
		if room := max(0, len(message)-len(query)) / (1 + recordSize + 4); len(got) > room {
			t.Errorf("%d addresses in %d bytes", len(got), len(message))
		}
		for _, a := range got {
			if !a.Is4() {
				t.Errorf("%v", a)
			}
		}
	})
}
