package alloc

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// unhex joins the fields of a message, one on each line with what it is.
func unhex(t *testing.T, fields ...string) []byte {
	t.Helper()
	var b []byte
	for _, f := range fields {
		digits, _, _ := strings.Cut(f, " ")
		v, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(f, err)
		}
		b = append(b, v...)
	}
	return b
}

func TestStateBody(t *testing.T) {
	for _, test := range []struct {
		name  string
		order ByteOrder
		bytes []string
		want  StateBody
	}{
		{
			name: "original, little-endian", order: binary.LittleEndian,
			bytes: []string{
				"1f044d0a view id: 10.77.4.31",
				"67036b02 time",
				"01000000 index",
				"0a4d0002 real address",
				"01000000 index",
				"01000000 mature",
				"02000000 claims",
				"0a4d0065 key",
				"02000000 claimed",
				"0a4d0066 key",
				"05000000 preferred and claimed",
				"01000000 preferences",
				"00000000 Prefer None",
			},
			want: StateBody{
				View: ViewID{0x0a4d041f, 0x026b0367, 1}, Address: short("2"), Index: 1, Mature: true,
				Claims:  []ClaimOf{{short("101"), Claimed}, {short("102"), PreferredClaimed}},
				Prefers: []netip.Addr{netip.IPv4Unspecified()},
			},
		},
		{
			name: "ours, big-endian", order: binary.BigEndian,
			bytes: []string{
				"0a4d041f view id: 10.77.4.31",
				"026b0367 time",
				"00000001 index",
				"0a4d0003 real address",
				"00000002 index",
				"00000000 not mature",
				"00000000 claims",
				"00000002 preferences",
				"0a4d0065 key",
				"0a4d0067 key",
				"574b6d31 trailer",
				"000a its length",
				"0001 abilities: goes on without silent members",
				"0123456789abcdef fingerprint",
			},
			want: StateBody{
				View: ViewID{0x0a4d041f, 0x026b0367, 1}, Address: short("3"), Index: 2,
				Claims: []ClaimOf{}, Prefers: []netip.Addr{short("101"), short("103")},
				Trailer: &Trailer{CanGoOn, 0x0123456789abcdef},
			},
		},
		{
			// The trailer is big-endian, whatever the order of the rest.
			name: "ours, little-endian, holds and prefers nothing", order: binary.LittleEndian,
			bytes: []string{
				"01000000", "02000000", "03000000",
				"0a4d0003 real address",
				"ff000000 index",
				"01000000 mature",
				"00000000 claims",
				"00000000 preferences",
				"574b6d31 trailer",
				"000a its length",
				"8000 abilities that this version does not know",
				"0123456789abcdef fingerprint",
			},
			want: StateBody{
				View: ViewID{1, 2, 3}, Address: short("3"), Index: 255, Mature: true,
				Claims: []ClaimOf{}, Prefers: []netip.Addr{},
				Trailer: &Trailer{0x8000, 0x0123456789abcdef},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.bytes...)
			got, err := ParseState(b, test.order)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&test.want, got, compareAddrs); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			if back := test.want.Append(nil, test.order); !bytes.Equal(back, b) {
				t.Errorf("encoded:\n got %x\nwant %x", back, b)
			}
		})
	}
}

// TestStateTrailers: what follows an original's part and is not a whole trailer
// makes the sender an original, never an error.
func TestStateTrailers(t *testing.T) {
	body := (&StateBody{Address: short("1")}).Append(nil, binary.LittleEndian)
	for _, test := range []struct {
		name    string
		trailer []string
		want    *Trailer
	}{
		{"none", nil, nil},
		{"rubbish", []string{"00", "000a0001000000000000000000000000"}, nil},
		{"another magic", []string{"574b6d32", "000a", "0001", "0000000000000007"}, nil},
		{"cut", []string{"574b6d31", "000a", "0001", "00000000000000"}, nil},
		{"length too small", []string{"574b6d31", "0009", "0001", "0000000000000007"}, nil},
		{"length beyond the body", []string{"574b6d31", "000b", "0001", "0000000000000007"}, nil},
		{"whole", []string{"574b6d31", "000a", "0001", "0000000000000007"}, &Trailer{1, 7}},
		{"of a later version", []string{"574b6d31", "000c", "0003", "0000000000000007", "0102"}, &Trailer{3, 7}},
		{"followed by more", []string{"574b6d31", "000a", "0001", "0000000000000007", "010203"}, &Trailer{1, 7}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := ParseState(append(bytes.Clone(body), unhex(t, test.trailer...)...), binary.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, s.Trailer); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStateMalformed(t *testing.T) {
	head := []string{"000000000000000000000000", "0a4d0001", "00000000", "00000001"}
	for _, test := range []struct {
		name  string
		bytes []string
	}{
		{"empty", nil},
		{"half a view", []string{"0000000000000000"}},
		{"no count of claims", head},
		{"claims beyond the body", append(head[:4:4], "00000002", "0a4d0065", "00000002", "00000000")},
		{"claims that would wrap an int", append(head[:4:4], "ffffffff", "00000000")},
		{"claims times eight that would wrap", append(head[:4:4], "20000000", "00000000")},
		{"no count of preferences", append(head[:4:4], "00000000")},
		{"preferences beyond the body", append(head[:4:4], "00000000", "00000001")},
		{"preferences that would wrap an int", append(head[:4:4], "00000000", "80000000", "0a4d0065")},
		{"claimed with 0", append(head[:4:4], "00000001", "0a4d0065", "00000000", "00000000")},
		{"claimed with 3", append(head[:4:4], "00000001", "0a4d0065", "00000003", "00000000")},
		{"claimed with 4", append(head[:4:4], "00000001", "0a4d0065", "00000004", "00000000")},
		{"claimed with 258", append(head[:4:4], "00000001", "0a4d0065", "00000102", "00000000")},
		{"nobody's", []string{"000000000000000000000000", "00000000", "00000000", "00000001", "00000000", "00000000"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if s, err := ParseState(unhex(t, test.bytes...), binary.BigEndian); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %+v, %v", s, err)
			}
		})
	}
}

func TestBalance(t *testing.T) {
	moves := []Move{{short("2"), short("101")}, {short("3"), short("102")}}
	pairs := []string{"0a4d0002 owner", "0a4d0065 key", "0a4d0003 owner", "0a4d0066 key"}
	for _, test := range []struct {
		name  string
		order ByteOrder
		bytes []string
		want  []Move
		whole bool // encodes to the same bytes
	}{
		{"little-endian", binary.LittleEndian, append([]string{"02000000"}, pairs...), moves, true},
		{"big-endian", binary.BigEndian, append([]string{"00000002"}, pairs...), moves, true},
		{"empty", binary.BigEndian, []string{"00000000"}, []Move{}, true},
		{"announces more than follow", binary.LittleEndian, append([]string{"05000000"}, pairs...), moves, false},
		{"announces 4 billion", binary.LittleEndian, append([]string{"ffffffff"}, pairs...), moves, false},
		{"announces fewer", binary.LittleEndian, append([]string{"01000000"}, pairs...), moves[:1], false},
		{"half a pair", binary.BigEndian, []string{"00000002", pairs[0], pairs[1], pairs[2]}, moves[:1], false},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.bytes...)
			got, err := ParseBalance(b, test.order)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, compareAddrs); diff != "" {
				t.Error(diff)
			}
			if back := AppendBalance(nil, test.order, got); test.whole && !bytes.Equal(back, b) {
				t.Errorf("encoded %x, want %x", back, b)
			}
		})
	}
	if got, err := ParseBalance([]byte{0, 0, 0}, binary.BigEndian); !errors.Is(err, ErrMalformed) {
		t.Errorf("three bytes: %v, %v", got, err)
	}
}

func TestNeighbours(t *testing.T) {
	b := unhex(t,
		"0a4d0002 address", "26ae6f12aafd link layer", "0000 padding",
		"0a4d0009 incomplete entry", "000000000000", "0000",
		"0a4d0003 address", "26bbaabfad82 link layer", "beef padding that an original left unset",
	)
	want := []Neighbour{
		{short("2"), [6]byte{0x26, 0xae, 0x6f, 0x12, 0xaa, 0xfd}},
		{short("3"), [6]byte{0x26, 0xbb, 0xaa, 0xbf, 0xad, 0x82}},
	}
	got, err := ParseNeighbours(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
		t.Error(diff)
	}
	if back := AppendNeighbours(nil, got[:1]); !bytes.Equal(back, b[:12]) {
		t.Errorf("encoded %x, want %x", back, b[:12])
	}
	if got := want[0].String(); got != "10.77.0.2 at 26:ae:6f:12:aa:fd" {
		t.Error(got)
	}
	for _, n := range []int{1, 11, 13, MaxBody + 8} {
		if _, err := ParseNeighbours(make([]byte, n)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	full := AppendNeighbours(nil, make([]Neighbour, 0))
	if full != nil {
		t.Errorf("nothing encodes to %x", full)
	}
	if n := NeighboursPerMessage * neighbourSize; n > MaxBody {
		t.Errorf("%d bytes are more than an original takes", n)
	}
}

func TestWithoutBody(t *testing.T) {
	b := unhex(t,
		"574b7731", "0a4d041f view id", "026b0367", "00000001",
		"00000002 two are silent", "00000000 the first", "00000007 the eighth",
	)
	want := &WithoutBody{ViewID{0x0a4d041f, 0x026b0367, 1}, []int{0, 7}}
	got, err := ParseWithout(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if back := want.Append(nil); !bytes.Equal(back, b) {
		t.Errorf("encoded %x, want %x", back, b)
	}
	view := "0a4d041f026b036700000001"
	for _, test := range []struct {
		name  string
		bytes []string
	}{
		{"empty", nil},
		{"no count", []string{"574b7731", view}},
		{"another magic", []string{"574b7732", view, "00000000"}},
		{"more than the body holds", []string{"574b7731", view, "00000002", "00000001"}},
		{"a count that would wrap", []string{"574b7731", view, "40000001", "00000001"}},
		{"twice the same", []string{"574b7731", view, "00000002", "00000001", "00000001"}},
		{"descending", []string{"574b7731", view, "00000002", "00000002", "00000001"}},
		{"negative", []string{"574b7731", view, "00000001", "ffffffff"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if w, err := ParseWithout(unhex(t, test.bytes...)); !errors.Is(err, ErrMalformed) {
				t.Errorf("got %+v, %v", w, err)
			}
		})
	}
}

// TestFingerprint holds the value fixed: members of different versions have to
// come to the same. The numbers are FNV-1a 64 of the text in the comment.
func TestFingerprint(t *testing.T) {
	for _, test := range []struct {
		list string
		want uint64
	}{
		{"", 0xcbf29ce484222325},        // the empty string: the offset basis
		{"101", fnv1a("10.77.0.101\n")}, //
		{"101,102", fnv1a("10.77.0.101\n10.77.0.102\n")},
		{"101+102", fnv1a("10.77.0.101 10.77.0.102\n")},
		{"102,101", fnv1a("10.77.0.102\n10.77.0.101\n")},
	} {
		if got := Fingerprint(parseInterfaces(test.list)); got != test.want {
			t.Errorf("%q: %#x, want %#x", test.list, got, test.want)
		}
	}
	if a, b := Fingerprint(parseInterfaces("101,102")), Fingerprint(parseInterfaces("101+102")); a == b {
		t.Error("one interface of two addresses is not two of one")
	}
}

// fnv1a is written out from the definition.
func fnv1a(s string) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range []byte(s) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func TestStateSize(t *testing.T) {
	for _, n := range []int{0, 1, 254, 12000} {
		s := StateBody{Address: short("1"), Trailer: &Trailer{}}
		for range n {
			s.Claims = append(s.Claims, ClaimOf{short("101"), Claimed})
		}
		for range n / 2 {
			s.Prefers = append(s.Prefers, short("101"))
		}
		if got, want := len(s.Append(nil, binary.BigEndian)), StateSize(n, n/2); got != want {
			t.Errorf("%d claims: %d bytes, StateSize says %d", n, got, want)
		}
	}
}

// TestBalanceSplit: more moves than an original can receive in one message are
// sent as several, and carried out as one.
func TestBalanceSplit(t *testing.T) {
	c := scriptConfig()
	c.PerRound = 0
	c.Interfaces = nil
	const n = 40000
	for i := range n {
		c.Interfaces = append(c.Interfaces, VirtualInterface{[]netip.Addr{
			netip.AddrFrom4([4]byte{10, 80, byte(i >> 8), byte(i)})}})
	}
	m := New(c, binary.BigEndian)
	m.Step(Connected{"a"})
	m.Step(View{ViewID{1, 1, 1}, []string{"a"}})
	own := StateBody{View: ViewID{1, 1, 1}, Address: short("1"), Mature: true}
	m.Step(message("a", StateMessage, own.Append(nil, binary.BigEndian)))
	if m.State() != Run {
		t.Fatal("not in RUN")
	}
	m.Step(View{ViewID{1, 2, 1}, []string{"a", "b"}})
	own.View = ViewID{1, 2, 1}
	for _, v := range c.Interfaces {
		own.Claims = append(own.Claims, ClaimOf{v.Key(), Claimed})
	}
	m.Step(message("a", StateMessage, own.Append(nil, binary.BigEndian)))
	other := StateBody{View: ViewID{1, 2, 1}, Address: short("2"), Index: 1, Mature: true}
	var bodies [][]byte
	for _, a := range m.Step(message("b", StateMessage, other.Append(nil, binary.BigEndian))) {
		if c, ok := a.(Multicast); ok && c.Type == BalanceMessage {
			bodies = append(bodies, c.Body)
		}
	}
	if len(bodies) != 2 {
		t.Fatalf("%d BALANCE messages, want 2", len(bodies))
	}
	for _, b := range bodies {
		if len(b) > MaxBody {
			t.Errorf("a BALANCE of %d bytes", len(b))
		}
		m.Step(message("a", BalanceMessage, b))
	}
	held := 0
	for _, r := range m.Status().Rows {
		if r.Held {
			held++
		}
	}
	if held != n/2 {
		t.Errorf("holds %d of %d after balancing", held, n)
	}
}

// message is an agreed message to the group of scriptConfig, big-endian.
func message(sender string, t MessageType, body []byte) Message {
	return Message{Sender: sender, Groups: []string{"wack"}, Ordered: true, Type: t, Order: binary.BigEndian, Body: body}
}
