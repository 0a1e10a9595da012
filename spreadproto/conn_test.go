package spreadproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
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

func TestTruncatedHandshake(t *testing.T) {
	whole := welcome(daemon44)
	for n := range whole {
		if _, err := handshakeWith(Options{}, whole[:n]); !isEnd(err) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestHandshakeRefused(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"not unique", "fa", "in use"},
		{"quota", "fd", "as many clients"},
		{"password only", "06 50574f524420", `offers "PWORD" only`},
		{"address only", "03 495020", `offers "IP" only`},
		{"no method", "00 f7", "offers no method"},
		{"after the choice", "05 4e554c4c20 f7", "spread.access_ip"},
		{"list too long", "5b 41*91", "authentication methods"},
		{"some other server", "48 54", "closed the connection"},
		{"private group of somebody's", "05 4e554c4c20 01040400 03 616263", "private group name"},
		{"daemon too old", "05 4e554c4c20 01030000 06 236d65236431", "3.1 or later"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := handshakeWith(Options{User: "me"}, unhex(t, test.answer))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
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

// openPair opens a session, and returns the daemon's end of its connection.
func openPair(t *testing.T, o Options) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		there, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		there.Read(make([]byte, 64))
		there.Write(welcome(daemon44))
		io.ReadFull(there, make([]byte, AuthChoiceSize))
		accepted <- there
	}()
	c, err := Dial(context.Background(), l.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	there, ok := <-accepted
	if !ok {
		t.Fatal("nobody connected")
	}
	t.Cleanup(func() { c.Close(); there.Close() })
	there.SetDeadline(time.Now().Add(time.Minute))
	return c, there
}

func TestSendChecks(t *testing.T) {
	c, there := openPair(t, Options{})
	many := slices.Repeat([]string{"room"}, MaxDestinations+1)
	for name, err := range map[string]error{
		"no service":             c.Multicast(0, 0, nil, "room"),
		"two services":           c.Multicast(Agreed|Safe, 0, nil, "room"),
		"bits beyond services":   c.Multicast(Agreed|0x400000, 0, nil, "room"),
		"no destination":         c.Multicast(Agreed, 0, nil),
		"44 destinations":        c.Multicast(Agreed, 0, nil, many...),
		"no name":                c.Multicast(Agreed, 0, nil, "a b"),
		"too long":               c.Multicast(Agreed, 0, make([]byte, DefaultMaxMessage-HeaderSize-NameSize+1), "room"),
		"join of a private name": c.Join("#a#d1"),
		"leave of no name":       c.Leave(""),
	} {
		if err == nil {
			t.Errorf("%s: sent", name)
		}
		if errors.Is(err, ErrTooLong) != (name == "too long") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing of that was sent, and the largest message is.
	go c.Multicast(Agreed, 1, make([]byte, DefaultMaxMessage-HeaderSize-NameSize), "room")
	b := make([]byte, DefaultMaxMessage)
	if _, err := io.ReadFull(there, b); err != nil {
		t.Fatal(err)
	}
	var h Header
	if err := h.Unmarshal(b); err != nil || h.Type != uint32(Agreed) || h.Length != DefaultMaxMessage-HeaderSize-NameSize {
		t.Errorf("%+v, %v", h, err)
	}
}

// Messages of several goroutines must not mix.
func TestConcurrentSenders(t *testing.T) {
	c, there := openPair(t, Options{})
	const senders, each = 8, 20
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				size := (i*7919 + j*104729) % 60_000
				if err := c.Multicast(Agreed, int16(i), bytes.Repeat([]byte{byte(i)}, size), "room"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range senders * each {
		b := make([]byte, HeaderSize+NameSize)
		if _, err := io.ReadFull(there, b); err != nil {
			t.Fatal(err)
		}
		var h Header
		if err := h.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(there, body); err != nil {
			t.Fatal(err)
		}
		if want := byte(h.Hint.MessageType()); bytes.ContainsFunc(body, func(r rune) bool { return byte(r) != want }) {
			t.Fatalf("body of sender %d has other bytes", want)
		}
	}
	wg.Wait()
}

// A daemon that reads nothing must not hold up its clients for ever, and the end
// of a session not at all.
func TestBlockedDaemon(t *testing.T) {
	body := make([]byte, 100_000)
	t.Run("write timeout", func(t *testing.T) {
		c, _ := openPair(t, Options{WriteTimeout: 10 * time.Millisecond})
		var err error
		for err == nil {
			err = c.Multicast(Agreed, 0, body, "room")
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// The stream ends in the middle of a message, so the session is over.
		if err := c.Join("room"); err == nil {
			t.Error("went on behind half a message")
		}
		if _, err := c.Receive(); err == nil {
			t.Error("received from a session that is over")
		}
	})
	t.Run("close", func(t *testing.T) {
		c, _ := openPair(t, Options{WriteTimeout: time.Hour})
		sent, received := make(chan error), make(chan error)
		started := make(chan bool)
		go func() {
			for i := 0; ; i++ {
				if i == 1 {
					close(started)
				}
				if err := c.Multicast(Agreed, 0, body, "room"); err != nil {
					sent <- err
					return
				}
			}
		}()
		go func() {
			_, err := c.Receive()
			received <- err
		}()
		<-started
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for _, err := range []error{<-sent, <-received, c.Join("room")} {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v, want that the session is closed", err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseSendsKill(t *testing.T) {
	c, there := openPair(t, Options{Order: LittleEndian})
	c.Close()
	got, err := io.ReadAll(there)
	want := unhex(t, "80000480 236d65236431 00*26 01000000 80000080 00000000 236d65236431 00*26")
	if !bytes.Equal(got, want) || err != nil {
		t.Errorf("read %x, %v, want %x", got, err, want)
	}
}

func TestUserIsCut(t *testing.T) {
	var logged []string
	o := Options{User: "elevenchars", Logf: func(format string, args ...any) { logged = append(logged, fmt.Sprintf(format, args...)) }}
	here, there := net.Pipe()
	hello := make(chan []byte, 1)
	go func() {
		b := make([]byte, 64)
		n, _ := there.Read(b)
		hello <- b[:n]
		there.Close()
	}()
	NewConn(context.Background(), here, "fake", o)
	if got, want := <-hello, unhex(t, "04 04 00 00 0a 656c6576656e636861 72"); !bytes.Equal(got, want) {
		t.Errorf("sent %x, want %x", got, want)
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "elevenchar") {
		t.Errorf("logged %q", logged)
	}
	if _, err := Dial(context.Background(), "4803", Options{User: "a b"}); err == nil || !strings.Contains(err.Error(), "printable") {
		t.Errorf("illegal name: %v", err)
	}
}

// A daemon that is stopped lets its kernel accept, and says nothing.
func TestSilentDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "4803")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Dial(context.Background(), path, Options{ConnectTimeout: 20 * time.Millisecond}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("own limit: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Dial(ctx, path, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	if _, err := Dial(context.Background(), address, Options{}); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

func TestSocketOptions(t *testing.T) {
	c, _ := openPair(t, Options{})
	raw, err := c.nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for _, test := range []struct {
			name          string
			level, option int
			want          int
		}{
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 5},
			{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 2},
			{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
			{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 15_000},
		} {
			if got, err := unix.GetsockoptInt(int(fd), test.level, test.option); got != test.want || err != nil {
				t.Errorf("%s is %d, %v, want %d", test.name, got, err, test.want)
			}
		}
		// How much is given depends on the system; the default is 128 KiB.
		if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); got < 200_000 || err != nil {
			t.Errorf("SO_RCVBUF is %d, %v", got, err)
		}
	})
}

// A daemon that has no room says so before it reads anything, and on a unix
// socket writing then fails. What it said must get through.
func TestRefusedUnread(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		where := "127.0.0.1:0"
		if network == "unix" {
			where = filepath.Join(t.TempDir(), "4803")
		}
		l, err := net.Listen(network, where)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				quota := RejectQuota
				c.Write([]byte{byte(quota)})
				c.Close()
			}
		}()
		for range 100 {
			_, err := Dial(context.Background(), l.Addr().String(), Options{User: "me"})
			var reject *RejectError
			if !errors.As(err, &reject) || reject.Code != RejectQuota {
				t.Fatalf("%s: %v", network, err)
			}
		}
	}
}
