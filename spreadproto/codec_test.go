package spreadproto

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unhex returns the bytes of hex digits; spaces are ignored, and "*n" repeats
// the byte in front of it n times.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	for _, word := range strings.Fields(s) {
		digits, times, repeated := strings.Cut(word, "*")
		part, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%q: %v", word, err)
		}
		n := 1
		if repeated {
			n = 0
			for _, c := range times {
				n = n*10 + int(c-'0')
			}
		}
		b = append(b, bytes.Repeat(part, n)...)
	}
	return b
}

func TestHello(t *testing.T) {
	for _, test := range []struct {
		name string
		b    string
		h    Hello
	}{
		{"4.4.0", "04 04 00 01 05 616c696365", Hello{Version: Version{4, 4, 0}, Membership: true, User: "alice"}},
		{"without patch", "03 0e 01 06 6f6c646c6962", Hello{Version: Version{3, 14, 0}, Membership: true, User: "oldlib"}},
		{"priority", "03 11 03 10 07 6c696233313733", Hello{Version: Version{3, 17, 3}, Priority: true, User: "lib3173"}},
		{"no name", "04 04 00 00 00", Hello{Version: Version{4, 4, 0}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.b)
			if got := test.h.AppendBinary(nil); !bytes.Equal(got, b) {
				t.Errorf("encoded to %x, want %x", got, b)
			}
			var h Hello
			code, used, silent := h.Unmarshal(b)
			if h != test.h || code != Accepted || used != len(b) || silent {
				t.Errorf("decoded to %+v, %v, %d, %v", h, code, used, silent)
			}
		})
	}
}

func TestHelloRefused(t *testing.T) {
	for _, test := range []struct {
		name, b string
		code    RejectCode
		silent  bool
	}{
		{"nothing", "", 0, true},
		{"one byte", "04", 0, true},
		{"version only", "04 04 00", 0, true},
		{"flags only", "04 04 00 01", RejectNoName, false},
		{"length, and the name to come", "04 04 00 01 03", 0, true},
		{"version 2.5", "02 05 01 01 61", RejectVersion, false},
		{"version 0.0", "00 00 01 01 61", RejectVersion, false},
		{"version that reads as negative", "84 04 00 01 01 61", RejectVersion, false},
		{"name of 11 bytes", "04 04 00 01 0b 61*11", RejectIllegalName, false},
		{"name in pieces", "04 04 00 01 05 616c", RejectIllegalName, false},
		{"more behind the name", "04 04 00 01 01 61 4e554c4c", RejectIllegalName, false},
		{"name with #", "04 04 00 01 02 6123", RejectIllegalName, false},
		{"name with a space", "04 04 00 01 02 6120", RejectIllegalName, false},
		{"name beyond ASCII", "04 04 00 01 02 61c3", RejectIllegalName, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var h Hello
			code, _, silent := h.Unmarshal(unhex(t, test.b))
			if silent != test.silent || !silent && code != test.code {
				t.Errorf("got %v, silent %v", code, silent)
			}
		})
	}
	// What follows a full name, or no name, is left for what comes next.
	for _, b := range []string{"04 04 00 01 0a 61*10 4e", "04 04 00 01 00 4e"} {
		var h Hello
		if code, used, _ := h.Unmarshal(unhex(t, b)); code != Accepted || used != len(unhex(t, b))-1 {
			t.Errorf("%s: %v, %d bytes used", b, code, used)
		}
	}
}

func TestAuth(t *testing.T) {
	list := AppendAuthList(nil, []string{"NULL", "PWORD"})
	if want := unhex(t, "0b 4e554c4c20 50574f524420"); !bytes.Equal(list, want) {
		t.Errorf("list is %x, want %x", list, want)
	}
	if methods, err := UnmarshalAuthList(list[1:]); err != nil || !cmp.Equal(methods, []string{"NULL", "PWORD"}) {
		t.Errorf("list reads as %q, %v", methods, err)
	}
	if _, err := UnmarshalAuthList(make([]byte, 91)); !errors.Is(err, ErrMalformed) {
		t.Errorf("list of 91 bytes: %v", err)
	}
	choice := AuthChoice{"NULL", "IP"}
	b := choice.AppendBinary(nil)
	if want := unhex(t, "4e554c4c 00*26 4950 00*28 00*30"); !bytes.Equal(b, want) {
		t.Errorf("choice is %x, want %x", b, want)
	}
	var got AuthChoice
	if err := got.Unmarshal(b); err != nil || !cmp.Equal(got, choice) {
		t.Errorf("choice reads as %q, %v", got, err)
	}
	if err := got.Unmarshal(b[1:]); !errors.Is(err, ErrMalformed) {
		t.Errorf("choice of 89 bytes: %v", err)
	}
}

func TestAccept(t *testing.T) {
	a := Accept{Version: Version{4, 4, 0}, PrivateGroup: "#alice#d1"}
	b := a.AppendBinary(nil, libraryVersion)
	if want := unhex(t, "01 04 04 00 09 23616c696365236431"); !bytes.Equal(b, want) {
		t.Errorf("encoded to %x, want %x", b, want)
	}
	old := a.AppendBinary(nil, Version{3, 14, 0})
	if want := unhex(t, "01 04 04 09 23616c696365236431"); !bytes.Equal(old, want) {
		t.Errorf("encoded for an old library to %x, want %x", old, want)
	}
	for n := range len(b) {
		var got Accept
		if need, err := got.Unmarshal(b[:n]); err != nil || need <= n || need > len(b) {
			t.Errorf("%d of %d bytes: needs %d, %v", n, len(b), need, err)
		}
	}
	var got Accept
	if need, err := got.Unmarshal(b); err != nil || need != len(b) || got != a {
		t.Errorf("decoded to %+v, %d, %v", got, need, err)
	}
	for _, bad := range []string{"02", "01 04 04 00 20", "01 04 04 00 03 616263", "01 04 04 00 03 236123", "01 04 04 00 05 23c3236431"} {
		if _, err := got.Unmarshal(unhex(t, bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestHint(t *testing.T) {
	for _, test := range []struct {
		messageType int16
		little, big string
	}{
		{messageType: 0, little: "80 00 00 80", big: "00 00 00 00"},
		{messageType: 7, little: "80 07 00 80", big: "00 00 07 00"},
		{messageType: 0x1234, little: "80 34 12 80", big: "00 12 34 00"},
		{messageType: -2, little: "80 fe ff 80", big: "00 ff fe 00"},
	} {
		for order, want := range map[Order]string{LittleEndian: test.little, BigEndian: test.big} {
			h := NewHint(test.messageType, order)
			if !bytes.Equal(h[:], unhex(t, want)) {
				t.Errorf("%d %v: %x, want %s", test.messageType, order, h, want)
			}
			if h.Order() != order || h.MessageType() != test.messageType || !h.Valid() {
				t.Errorf("%x reads as %v %d, valid %v", h, h.Order(), h.MessageType(), h.Valid())
			}
		}
	}
	if (Hint{0x81, 0, 0, 0x80}).Valid() {
		t.Error("a hint with a bit of its own is valid")
	}
}

// Messages and their bytes, from the documentation of the protocol.
var frames = []struct {
	name, b string
	h       Header
	names   []string
	kind    Kind
}{
	{
		"join",
		"80000180 23616c696365236431 00*23 01000000 80000080 00000000 726f6f6d 00*28",
		Header{Order: LittleEndian, Type: TypeJoin, Name: "#alice#d1", Names: 1, Hint: Hint{0x80, 0, 0, 0x80}},
		[]string{"room"}, KindUnknown,
	},
	{
		"regular, from a big-endian sender through a little-endian daemon",
		"90000080 236265617374236431 00*23 01000000 00010200 04000000 726f6f6d 00*28 0000002a",
		Header{Order: LittleEndian, Type: uint32(Agreed), Name: "#beast#d1", Names: 1, Hint: Hint{0, 1, 2, 0}, Length: 4},
		[]string{"room"}, KindRegular,
	},
	{
		"regular, as a big-endian writer has it",
		"00000010 236265617374236431 00*23 00000001 00010200 00000004 726f6f6d 00*28 0000002a",
		Header{Order: BigEndian, Type: uint32(Agreed), Name: "#beast#d1", Names: 1, Hint: Hint{0, 1, 2, 0}, Length: 4},
		[]string{"room"}, KindRegular,
	},
	{
		"self-leave",
		"80020080 726f6f6d 00*28 00000000 80000080 00000000",
		Header{Order: LittleEndian, Type: uint32(CauseLeave), Name: "room", Hint: Hint{0x80, 0, 0, 0x80}},
		nil, KindSelfLeave,
	},
	{
		"transition",
		"80200080 726f6f6d 00*28 00000000 80000080 0c000000 0100007f 591a036b 03000000",
		Header{Order: LittleEndian, Type: TypeTransition, Name: "room", Hint: Hint{0x80, 0, 0, 0x80}, Length: 12},
		nil, KindTransition,
	},
}

func TestHeader(t *testing.T) {
	for _, test := range frames {
		t.Run(test.name, func(t *testing.T) {
			b := unhex(t, test.b)
			head := b[:HeaderSize+NameSize*len(test.names)]
			if got := AppendNames(test.h.AppendBinary(nil), test.names); !bytes.Equal(got, head) {
				t.Errorf("encoded to\n%x, want\n%x", got, head)
			}
			var h Header
			if err := h.Unmarshal(b); err != nil || h != test.h {
				t.Errorf("decoded to %+v, %v, want %+v", h, err, test.h)
			}
			if h.Kind() != test.kind {
				t.Errorf("kind %d, want %d", h.Kind(), test.kind)
			}
			for n := range HeaderSize {
				if err := h.Unmarshal(b[:n]); !errors.Is(err, ErrMalformed) {
					t.Errorf("%d bytes: %v", n, err)
				}
			}
		})
	}
}

func TestHeaderMalformed(t *testing.T) {
	good := unhex(t, frames[1].b)
	for _, test := range []struct {
		name string
		at   int
		b    byte
	}{
		{"half a mark", 0, 0x10},
		{"the other half of a mark", 3, 0x00},
		{"negative number of names", 39, 0x80},
		{"negative length", 47, 0xff},
	} {
		b := bytes.Clone(good)
		b[test.at] = test.b
		var h Header
		if err := h.Unmarshal(b); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A message with service bits is data, whatever else its sender wrote there:
// daemons relay what clients make up.
func TestKindOfForgery(t *testing.T) {
	h := Header{Type: uint32(Agreed) | TypeMembership | uint32(CauseNetwork)}
	if h.Kind() != KindRegular {
		t.Errorf("a relayed message counts as kind %d", h.Kind())
	}
	h = Header{Type: TypeMembership | uint32(CauseLeave)}
	if h.Kind() != KindMembership {
		t.Errorf("somebody else's leave counts as kind %d", h.Kind())
	}
}

func TestMembershipBody(t *testing.T) {
	merged := MembershipBody{
		ID:   GroupID{0x7f000001, 0x6b031acc, 1},
		Sets: [][]string{{"#amy#d1", "#zed#d1"}, {"#bob#d2"}},
		Own:  1,
	}
	long := merged.AppendBinary(nil, LittleEndian, LongForm)
	want := unhex(t, `0100007f cc1a036b 01000000 02000000 44000000
		02000000 23616d79236431 00*25 237a6564236431 00*25 01000000 23626f62236432 00*25`)
	if !bytes.Equal(long, want) {
		t.Errorf("long form is\n%x, want\n%x", long, want)
	}
	short := merged.AppendBinary(nil, LittleEndian, ShortForm)
	if want := unhex(t, "0100007f cc1a036b 01000000 01000000 23626f62236432 00*25"); !bytes.Equal(short, want) {
		t.Errorf("short form is\n%x, want\n%x", short, want)
	}
	own := MembershipBody{ID: merged.ID, Sets: merged.Sets[1:]}
	for _, order := range []Order{LittleEndian, BigEndian} {
		for form, want := range map[Form]MembershipBody{LongForm: merged, ShortForm: own} {
			b := merged.AppendBinary(nil, order, form)
			var got MembershipBody
			if err := got.Unmarshal(b, order, form); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v, form %d:\n%s", order, form, diff)
			}
			for n := range b {
				if err := got.Unmarshal(b[:n], order, form); !errors.Is(err, ErrMalformed) {
					t.Errorf("%v, form %d, %d of %d bytes: %v", order, form, n, len(b), err)
				}
			}
		}
	}
}

// Numbers that a hostile daemon can choose must not be believed.
func TestMembershipBodyHostile(t *testing.T) {
	for _, test := range []struct {
		name, b string
		form    Form
	}{
		{"sets beyond the body", "00*12 ffffffff 00*4", LongForm},
		{"as many sets as would overflow", "00*12 00000040 00*4 00*16", LongForm},
		{"members beyond the body", "00*12 01000000 00*4 ffffffff", LongForm},
		{"as many members as would overflow", "00*12 01000000 00*4 00000008 00*32", LongForm},
		{"members beyond a short body", "00*12 ffffff7f", ShortForm},
	} {
		var m MembershipBody
		if err := m.Unmarshal(unhex(t, test.b), LittleEndian, test.form); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	for _, offset := range []string{"ffffffff", "01000000", "00000080", "ffffff7f", "28000000"} {
		var m MembershipBody
		b := unhex(t, "00*12 01000000 "+offset+" 01000000 2361236431 00*27")
		if err := m.Unmarshal(b, LittleEndian, LongForm); err != nil || m.Own != -1 {
			t.Errorf("offset %s: own set %d, %v", offset, m.Own, err)
		}
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"room": true, "$": true, "~": true, strings.Repeat("a", 31): true,
		"": false, "#a#d1": false, "a b": false, "a\x7f": false, "ä": false, strings.Repeat("a", 32): false,
	} {
		if err := CheckGroupName(name); (err == nil) != want {
			t.Errorf("group %q: %v", name, err)
		}
	}
	for name, want := range map[string][2]string{
		"#alice#d1": {"alice", "d1"}, "#a#d": {"a", "d"},
		"room": {}, "#a": {}, "##d1": {}, "#a#": {}, "#a#b#c": {}, "a#b": {}, "": {}, "#" + strings.Repeat("a", 29) + "#d": {},
	} {
		private, daemon, ok := SplitPrivateGroup(name)
		if got := [2]string{private, daemon}; got != want || ok != (want != [2]string{}) {
			t.Errorf("%q splits to %q, %v", name, got, ok)
		}
	}
	// Garbage behind the first NUL is ignored; a field without NUL is cut.
	names, err := UnmarshalNames(unhex(t, "726f6f6d 00 ff*27 61*32"))
	if err != nil || !cmp.Equal(names, []string{"room", strings.Repeat("a", 31)}) {
		t.Errorf("%q, %v", names, err)
	}
	if got := AppendName(nil, strings.Repeat("a", 40)); len(got) != NameSize || got[31] != 0 {
		t.Errorf("a long name becomes %x", got)
	}
}

func TestRejectError(t *testing.T) {
	for code, want := range map[RejectCode]string{
		RejectQuota:       "as many clients",
		RejectNoName:      "no user name",
		RejectIllegalName: "not legal",
		RejectNotUnique:   "in use",
		RejectVersion:     "version",
		RejectAuth:        "spread.access_ip",
		-42:               "does not define",
	} {
		err := error(&RejectError{Code: code, User: "wack1", Daemon: "4803@router"})
		if s := err.Error(); !strings.Contains(s, want) || !strings.Contains(s, "4803@router") {
			t.Errorf("%d: %s", code, s)
		}
		if errors.Is(err, ErrNotUnique) != (code == RejectNotUnique) {
			t.Errorf("%v: matches ErrNotUnique: %v", code, errors.Is(err, ErrNotUnique))
		}
	}
}
