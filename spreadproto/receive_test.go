package spreadproto

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// welcome is what a daemon of that version says to open a session.
func welcome(v Version) []byte {
	b := AppendAuthList(nil, []string{MethodNULL})
	return Accept{Version: v, PrivateGroup: "#me#d1"}.AppendBinary(b, libraryVersion)
}

// streamOf opens a session with a daemon that says just this, and then closes
// the connection.
func streamOf(t testing.TB, v Version, stream []byte) *Conn {
	t.Helper()
	c, err := handshakeWith(Options{}, append(welcome(v), stream...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.nc.Close() })
	return c
}

// receiveAll receives until an error.
func receiveAll(c *Conn) ([]Message, error) {
	var all []Message
	for {
		m, err := c.Receive()
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
}

var (
	daemon44  = Version{4, 4, 0}
	daemon317 = Version{3, 17, 3}
)

// sample is one message of each kind, and what they mean.
func sample(o Order, v Version) (stream []byte, want []Message) {
	frame := func(typeWord uint32, name string, names []string, hint Hint, extra, body []byte) {
		h := Header{Order: o, Type: typeWord, Name: name, Names: len(names), Hint: hint, Length: len(body)}
		stream = h.AppendBinary(stream)
		stream = append(stream, extra...)
		stream = append(AppendNames(stream, names), body...)
	}
	id := GroupID{0x7f000001, 1000, 3}
	mark := NewHint(0, o)
	join := MembershipBody{ID: id, Sets: [][]string{{"#me#d1"}}}
	merge := MembershipBody{ID: id, Sets: [][]string{{"#a#d1", "#b#d1"}, {"#me#d1"}}, Own: 1}
	sets, own := merge.Sets, 1
	if v.MembershipForm() == ShortForm {
		sets, own = merge.Sets[1:], 0
	}
	members := []string{"#a#d1", "#b#d1", "#me#d1"}

	frame(TypeMembership|uint32(CauseJoin), "room", members, mark, nil, join.AppendBinary(nil, o, v.MembershipForm()))
	want = append(want, &Membership{Group: "room", Members: members, ID: id, Cause: CauseJoin, Changed: "#me#d1", OwnSet: -1})
	// The hint is the sender's, and tells the order of the payload, whatever
	// order the daemon has.
	frame(uint32(Agreed), "#a#d1", []string{"room"}, NewHint(0x0102, BigEndian), nil, []byte("body"))
	want = append(want, &Regular{Service: Agreed, Sender: "#a#d1", Groups: []string{"room"}, Type: 0x0102, Body: []byte("body"), BigEndian: true})
	frame(uint32(Safe|SelfDiscard), "#a#d1", []string{"room", "#me#d1"}, NewHint(-2, LittleEndian), nil, nil)
	want = append(want, &Regular{Service: Safe | SelfDiscard, Sender: "#a#d1", Groups: []string{"room", "#me#d1"}, Type: -2})
	frame(0, "unknown", []string{"x"}, mark, nil, []byte("to be skipped"))
	frame(TypeTransition, "room", nil, mark, nil, TransitionBody{ID: id}.AppendBinary(nil, o))
	want = append(want, &Transition{Group: "room", ID: id})
	frame(TypeMembership|uint32(CauseNetwork), "room", members, mark, nil, merge.AppendBinary(nil, o, v.MembershipForm()))
	want = append(want, &Membership{Group: "room", Members: members, ID: id, Cause: CauseNetwork, Sets: sets, OwnSet: own})
	frame(TypeReject, "#me#d1", []string{"room", "#me#d1"}, mark, o.AppendUint32(nil, uint32(CauseJoin)|o.mark()), nil)
	want = append(want, &Rejected{Request: uint32(CauseJoin), Groups: []string{"room", "#me#d1"}, BigEndian: o.IsBig()})
	frame(uint32(CauseLeave), "room", nil, mark, nil, nil)
	want = append(want, &SelfLeave{Group: "room"})
	return stream, want
}

var diffOptions = cmp.Options{cmp.Transformer("NilIsEmpty", func(b []byte) string { return string(b) }), cmp.Transformer("nilNames", func(s []string) string { return strings.Join(s, " ") })}

func TestReceive(t *testing.T) {
	for _, o := range []Order{LittleEndian, BigEndian} {
		for _, v := range []Version{daemon44, daemon317, {5, 0, 1}} {
			t.Run(fmt.Sprintf("%v/%v", o, v), func(t *testing.T) {
				stream, want := sample(o, v)
				got, err := receiveAll(streamOf(t, v, stream))
				if !errors.Is(err, io.EOF) {
					t.Errorf("ended with %v", err)
				}
				if diff := cmp.Diff(want, got, diffOptions); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// A stream may end anywhere: a daemon that drops a slow client closes within a
// message.
func TestTruncated(t *testing.T) {
	for _, v := range []Version{daemon44, daemon317} {
		stream, want := sample(LittleEndian, v)
		for n := range stream {
			got, err := receiveAll(streamOf(t, v, stream[:n]))
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%v, cut at %d: %v", v, n, err)
			}
			if diff := cmp.Diff(want[:len(got)], got, diffOptions); diff != "" && len(got) > 0 {
				t.Fatalf("%v, cut at %d:\n%s", v, n, diff)
			}
		}
	}
}

// A stream that can't be followed ends the session.
func TestMalformedStream(t *testing.T) {
	sane, _ := sample(LittleEndian, daemon44)
	for _, test := range []struct {
		name string
		h    Header
		body []byte
	}{
		{"more members than are believed", Header{Order: LittleEndian, Type: TypeMembership, Names: MaxMembers + 1}, nil},
		{"negative length", Header{Order: LittleEndian, Type: uint32(Agreed), Length: -1}, nil},
		{"negative number of groups", Header{Order: LittleEndian, Type: uint32(Agreed), Names: -1}, nil},
		{"short transition", Header{Order: LittleEndian, Type: TypeTransition, Length: 11}, make([]byte, 11)},
		{"membership without cause", Header{Order: LittleEndian, Type: TypeMembership, Length: 20}, make([]byte, 20)},
		{"join of nobody", Header{Order: LittleEndian, Type: TypeMembership | uint32(CauseJoin), Length: 20}, make([]byte, 20)},
		{"join and leave at once", Header{Order: LittleEndian, Type: TypeMembership | uint32(CauseJoin|CauseLeave), Length: 20}, make([]byte, 20)},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := append(test.h.AppendBinary(slices.Clone(sane)), test.body...)
			got, err := receiveAll(streamOf(t, daemon44, stream))
			if !errors.Is(err, ErrMalformed) || len(got) != 7 {
				t.Errorf("%d messages, then %v", len(got), err)
			}
		})
	}
}

// Bodies larger than we take are dropped in small pieces, and the stream goes
// on behind them.
func TestOversized(t *testing.T) {
	h := Header{Order: LittleEndian, Type: uint32(Agreed), Name: "#a#d1", Names: 1, Hint: NewHint(9, BigEndian), Length: MaxBody + 1}
	stream := AppendName(h.AppendBinary(nil), "room")
	stream = append(stream, make([]byte, h.Length)...)
	h.Length = MaxBody
	stream = AppendName(h.AppendBinary(stream), "room")
	stream = append(stream, bytes.Repeat([]byte{7}, MaxBody)...)
	got, err := receiveAll(streamOf(t, daemon44, stream))
	if !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(got) != 2 {
		t.Fatalf("%d messages", len(got))
	}
	// The comparison below would take long over so many bytes.
	if r := got[1].(*Regular); !bytes.Equal(r.Body, bytes.Repeat([]byte{7}, MaxBody)) {
		t.Errorf("body of %d bytes is another", len(r.Body))
	} else {
		r.Body = nil
	}
	want := []Message{
		&Oversized{Service: Agreed, Sender: "#a#d1", Groups: []string{"room"}, Type: 9, Length: MaxBody + 1, BigEndian: true},
		&Regular{Service: Agreed, Sender: "#a#d1", Groups: []string{"room"}, Type: 9, BigEndian: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a header announces costs nothing until it comes.
func TestAnnouncedMemory(t *testing.T) {
	for _, h := range []Header{
		{Order: LittleEndian, Type: TypeMembership | uint32(CauseNetwork), Names: MaxMembers},
		{Order: LittleEndian, Type: uint32(Agreed), Length: MaxBody},
		{Order: LittleEndian, Type: uint32(Agreed), Length: 1<<31 - 1},
	} {
		stream := h.AppendBinary(nil)
		var before, after runtime.MemStats
		const runs = 50
		runtime.ReadMemStats(&before)
		for range runs {
			if _, err := streamOf(t, daemon44, stream).Receive(); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if perRun := (after.TotalAlloc - before.TotalAlloc) / runs; perRun > 96<<10 {
			t.Errorf("%d names and %d bytes announced: %d bytes allocated", h.Names, h.Length, perRun)
		}
	}
}

// A view of very many members is still understood.
func TestManyMembers(t *testing.T) {
	members := make([]string, 20_000)
	for i := range members {
		members[i] = fmt.Sprintf("#m%d#d1", i)
	}
	body := MembershipBody{Sets: [][]string{members}}.AppendBinary(nil, BigEndian, LongForm)
	h := Header{Order: BigEndian, Type: TypeMembership | uint32(CauseNetwork), Name: "room", Names: len(members), Length: len(body)}
	stream := append(AppendNames(h.AppendBinary(nil), members), body...)
	m, err := streamOf(t, daemon44, stream).Receive()
	if err != nil {
		t.Fatal(err)
	}
	v := m.(*Membership)
	if !slices.Equal(v.Members, members) || len(v.Sets) != 1 || !slices.Equal(v.Sets[0], members) || v.Index("#m19999#d1") != 19_999 {
		t.Errorf("%d members, %d sets", len(v.Members), len(v.Sets))
	}
}

// Bodies belong to the receiver: later messages must not change them.
func TestBodiesAreOwned(t *testing.T) {
	var stream []byte
	for i := range 100 {
		h := Header{Order: LittleEndian, Type: uint32(Agreed), Name: "#a#d1", Names: 1, Length: 50}
		stream = AppendName(h.AppendBinary(stream), fmt.Sprint("g", i))
		stream = append(stream, bytes.Repeat([]byte{byte(i)}, 50)...)
	}
	got, _ := receiveAll(streamOf(t, daemon44, stream))
	if len(got) != 100 {
		t.Fatalf("%d messages", len(got))
	}
	for i, m := range got {
		r := m.(*Regular)
		if !bytes.Equal(r.Body, bytes.Repeat([]byte{byte(i)}, 50)) || r.Groups[0] != fmt.Sprint("g", i) {
			t.Errorf("message %d became %x to %q", i, r.Body, r.Groups)
		}
	}
}
