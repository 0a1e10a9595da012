package alloc

import (
	"encoding/binary"
	"reflect"
	"testing"
)

// Each decoder's fuzz target asserts that what decodes is what was encoded
// (decode, encode and decode again give the same) and that a message makes it
// allocate no more entries than its length has room for.

func FuzzParseState(f *testing.F) {
	for _, o := range []ByteOrder{binary.LittleEndian, binary.BigEndian} {
		s := StateBody{
			View: ViewID{0x0a4d041f, 0x026b0367, 1}, Address: short("2"), Index: 1, Mature: true,
			Claims: []ClaimOf{{short("101"), Claimed}, {short("102"), PreferredClaimed}}, Prefers: shorts("0,101"),
		}
		f.Add(s.Append(nil, o), o == ByteOrder(binary.BigEndian))
		s.Trailer = &Trailer{CanGoOn, 0x0123456789abcdef}
		f.Add(s.Append(nil, o), o == ByteOrder(binary.BigEndian))
	}
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		o := orderOf(big)
		s, err := ParseState(b, o)
		if err != nil {
			return
		}
		if room := (len(b) - 32) / 4; cap(s.Claims)*2+cap(s.Prefers) > room {
			t.Errorf("%d claims and %d preferences from %d bytes", cap(s.Claims), cap(s.Prefers), len(b))
		}
		again, err := ParseState(s.Append(nil, o), o)
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Errorf("decoded %+v, then %+v, %v", s, again, err)
		}
	})
}

func FuzzParseBalance(f *testing.F) {
	f.Add(AppendBalance(nil, binary.BigEndian, []Move{{short("2"), short("101")}}), true)
	f.Add(AppendBalance(nil, binary.LittleEndian, []Move{{short("2"), short("101")}, {short("1"), short("102")}}), false)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, true)
	f.Fuzz(func(t *testing.T, b []byte, big bool) {
		o := orderOf(big)
		moves, err := ParseBalance(b, o)
		if err != nil {
			return
		}
		if cap(moves) > len(b)/8 {
			t.Errorf("%d moves from %d bytes", cap(moves), len(b))
		}
		again, err := ParseBalance(AppendBalance(nil, o, moves), o)
		if err != nil || !reflect.DeepEqual(moves, again) {
			t.Errorf("decoded %v, then %v, %v", moves, again, err)
		}
	})
}

func FuzzParseNeighbours(f *testing.F) {
	f.Add(AppendNeighbours(nil, []Neighbour{{short("2"), [6]byte{2, 0, 0, 0, 0, 2}}, {short("3"), [6]byte{}}}))
	f.Add([]byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseNeighbours(b)
		if err != nil {
			return
		}
		if cap(list) > len(b)/neighbourSize {
			t.Errorf("%d entries from %d bytes", cap(list), len(b))
		}
		again, err := ParseNeighbours(AppendNeighbours(nil, list))
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Errorf("decoded %v, then %v, %v", list, again, err)
		}
	})
}

func FuzzParseWithout(f *testing.F) {
	f.Add((&WithoutBody{ViewID{1, 2, 3}, []int{0, 7}}).Append(nil))
	f.Add((&WithoutBody{ViewID{1, 2, 3}, nil}).Append(nil))
	f.Add([]byte(withoutMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseWithout(b)
		if err != nil {
			return
		}
		if cap(w.Silent) > (len(b)-20)/4 {
			t.Errorf("%d members from %d bytes", cap(w.Silent), len(b))
		}
		again, err := ParseWithout(w.Append(nil))
		if err != nil || !reflect.DeepEqual(w, again) {
			t.Errorf("decoded %v, then %v, %v", w, again, err)
		}
	})
}

func orderOf(big bool) ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
