package spreadd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"wackamole/spreadproto"
)

// pipeListener hands out one end of a pipe for each dial, so that no network is
// involved and time can be fake.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	here, there := net.Pipe()
	l.conns <- there
	return here
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

// servePipe runs a server in the bubble of a synctest.
func servePipe(t *testing.T, o Options) (*Server, *pipeListener) {
	t.Helper()
	s, l := New(o), newPipeListener()
	done := make(chan error, 1)
	go func() { done <- s.Serve(From(l), "d1") }()
	t.Cleanup(func() {
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, l
}

// hello is what a client named x sends first.
func hello(user string) []byte {
	return spreadproto.Hello{Version: spreadproto.Version{Major: 4, Minor: 4}, Membership: true, User: user}.AppendBinary(nil)
}

func TestFirstBytes(t *testing.T) {
	for _, test := range []struct {
		name   string
		pieces [][]byte
		want   string
		after  time.Duration
	}{
		{"nothing", nil, "", time.Second},
		{"one byte", [][]byte{{4}}, "", 0},
		{"no flags", [][]byte{{4, 4, 0}}, "", 0},
		{"no name", [][]byte{{4, 4, 0, 1, 3}}, "", 0},
		{"name in pieces", [][]byte{{4, 4, 0, 1, 3, 'a'}}, "fb", 0},
		{"choice in pieces", [][]byte{hello("a"), []byte("NULL")}, "05" + "4e554c4c20" + "f7", 0},
		{"no choice", [][]byte{hello("a")}, "05" + "4e554c4c20", 10 * time.Second},
		{"old version", [][]byte{{2, 5, 1, 1, 'a'}}, "f9", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, l := servePipe(t, Options{})
				c, start := l.dial(), time.Now()
				go func() {
					for _, p := range test.pieces {
						c.Write(p)
					}
				}()
				got, err := io.ReadAll(c)
				if fmt.Sprintf("%x", got) != test.want || err != nil || time.Since(start) != test.after {
					t.Errorf("read %x, %v after %v, want %s after %v", got, err, time.Since(start), test.want, test.after)
				}
			})
		})
	}
}

// Daemons before 4.4 have a code for a hello that ends behind the flags.
func TestNoName(t *testing.T) {
	for v, want := range map[spreadproto.Version]string{{Major: 3, Minor: 17}: "fc", {Major: 4}: "fc", {Major: 4, Minor: 4}: "", {Major: 5}: ""} {
		synctest.Test(t, func(t *testing.T) {
			_, l := servePipe(t, Options{Version: v})
			c := l.dial()
			c.Write([]byte{4, 4, 0, 1})
			if got, err := io.ReadAll(c); fmt.Sprintf("%x", got) != want || err != nil {
				t.Errorf("%v: read %x, %v, want %s", v, got, err, want)
			}
		})
	}
}

// Close must not wait for clients that are slow with their handshake, and none
// may slip in behind it.
func TestCloseDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := servePipe(t, Options{})
		c, d := l.dial(), l.dial()
		go io.Copy(io.Discard, d)
		d.Write(hello("d"))
		synctest.Wait()
		start := time.Now()
		s.Close()
		if time.Since(start) != 0 {
			t.Errorf("took %v", time.Since(start))
		}
		if _, err := c.Write(hello("c")); err == nil {
			t.Error("a client could go on")
		}
	})
}

func TestGroupLimit(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	x, y := c.dial("d1", "x"), c.dial("d1", "y")
	for i := range maxGroups + 1 {
		must(t, x.Join(fmt.Sprint("g", i)))
	}
	for i := range maxGroups {
		c.expect(x, fmt.Sprintf("g%d [#x#d1] by join of #x#d1, change 1", i))
	}
	must(t, x.Leave("g0"))
	c.expect(x, "self-leave of g0")
	must(t, x.Join("last"))
	c.expect(x, "last [#x#d1] by join of #x#d1, change 1")
	must(t, y.Join("last"))
	c.expect(x, "last [#x#d1 #y#d1] by join of #y#d1, change 2")
	must(t, x.Close())
	c.expect(y, "last [#x#d1 #y#d1] by join of #y#d1, change 2")
	c.expect(y, "last [#y#d1] by disconnect of #x#d1, change 3")
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	if n := len(c.server.components[0].groups); n != 1 {
		t.Errorf("%d groups are kept", n)
	}
}

// What a client announces costs nothing until it comes.
func TestAnnouncedMemory(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before := m.HeapAlloc
	const clients = 50
	for i := range clients {
		user := fmt.Sprint("c", i)
		conn := c.raw("d1", user)
		h := spreadproto.Header{Type: uint32(spreadproto.Agreed), Name: "#" + user + "#d1", Names: 1, Hint: spreadproto.NewHint(0, 0), Length: 143_000}
		if _, err := conn.Write(h.AppendBinary(nil)); err != nil {
			t.Fatal(err)
		}
	}
	x := c.dial("d1", "x") // all before it are in
	must(t, x.Join("room"))
	c.expect(x, "room [#x#d1] by join of #x#d1, change 1")
	runtime.GC()
	runtime.ReadMemStats(&m)
	if each := (int64(m.HeapAlloc) - int64(before)) / clients; each > 60_000 {
		t.Errorf("%d bytes for each client", each)
	}
}

// raw opens a session and returns its connection.
func (c *cluster) raw(daemon, user string) net.Conn {
	c.t.Helper()
	conn, err := net.Dial("unix", c.dir+"/"+daemon)
	must(c.t, err)
	c.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	_, err = conn.Write(hello(user))
	must(c.t, err)
	_, err = io.ReadFull(conn, make([]byte, len("\x05NULL ")))
	must(c.t, err)
	_, err = conn.Write(spreadproto.AuthChoice{"NULL"}.AppendBinary(nil))
	must(c.t, err)
	_, err = io.ReadFull(conn, make([]byte, 5+len("##")+len(user)+len(daemon)))
	must(c.t, err)
	return conn
}

// Messages of many bytes count for more than their number.
func TestQueueBytes(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	slow, fast := c.dial("d1", "slow"), c.dial("d1", "fast")
	must(t, slow.Join("room"))
	c.expect(slow, "room [#slow#d1] by join of #slow#d1, change 1")
	must(t, fast.Join("room"))
	c.expect(fast, "room [#fast#d1 #slow#d1] by join of #fast#d1, change 2")
	body := make([]byte, 100_000)
	for n := 0; ; n++ {
		if n > 2*maxQueueBytes/len(body) {
			t.Fatal("the reader that does not read is still a member")
		}
		must(t, fast.Multicast(spreadproto.Agreed, 0, body, "room"))
		m, err := fast.Receive()
		must(t, err)
		if v, ok := m.(*spreadproto.Membership); ok && v.Cause == spreadproto.CauseDisconnect {
			break
		}
	}
	var err error
	for err == nil {
		_, err = slow.Receive()
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the slow reader's stream ended with %v", err)
	}
}

// Bits of a real daemon's inner life close the session, and a message that claims
// to be refused comes back, as from real daemons.
func TestForgedTypes(t *testing.T) {
	c := newCluster(t, Options{Order: spreadproto.LittleEndian}, "d1")
	x := c.dial("d1", "x")
	must(t, x.Join("room"))
	c.expect(x, "room [#x#d1] by join of #x#d1, change 1")
	send := func(user string, typeWord uint32) net.Conn {
		conn := c.raw("d1", user)
		h := spreadproto.Header{Order: spreadproto.LittleEndian, Type: typeWord, Name: "#" + user + "#d1", Names: 1, Hint: spreadproto.NewHint(5, spreadproto.LittleEndian)}
		_, err := conn.Write(spreadproto.AppendName(h.AppendBinary(nil), "room"))
		must(t, err)
		return conn
	}
	for i, bit := range []uint32{0x4000, 0x8000, 0x80000, 0x100000, 0x200000} {
		if n, err := send(fmt.Sprint("bad", i), uint32(spreadproto.Agreed)|bit).Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("bit %#x: read %d, %v", bit, n, err)
		}
	}
	b := make([]byte, spreadproto.HeaderSize)
	if _, err := io.ReadFull(send("rejecting", uint32(spreadproto.Agreed)|spreadproto.TypeReject), b); err != nil || b[2] != 0x40 {
		t.Errorf("message that claims to be refused: %x, %v", b, err)
	}
	// What looks like a membership message is relayed as data.
	send("forging", uint32(spreadproto.Agreed)|spreadproto.TypeMembership|uint32(spreadproto.CauseNetwork))
	c.expect(x, `"" from #forging#d1 type 5`)
}

func TestQuota(t *testing.T) {
	c := newCluster(t, Options{MaxSessions: 2}, "d1")
	c.dial("d1", "a")
	b := c.dial("d1", "b")
	_, err := spreadproto.Dial(context.Background(), c.dir+"/d1", spreadproto.Options{User: "c"})
	var reject *spreadproto.RejectError
	if !errors.As(err, &reject) || reject.Code != spreadproto.RejectQuota {
		t.Errorf("got %v", err)
	}
	must(t, b.Close())
	for err != nil { // until the server has noticed
		var again *spreadproto.Conn
		if again, err = spreadproto.Dial(context.Background(), c.dir+"/d1", spreadproto.Options{User: "c"}); err == nil {
			again.Close()
		}
	}
}

// FuzzClient has a hostile client talk to a server on which an honest one lives.
func FuzzClient(f *testing.F) {
	join := spreadproto.Header{Type: spreadproto.TypeJoin, Name: "#x#d1", Names: 1, Hint: spreadproto.NewHint(0, 0)}
	open := append(hello("x"), spreadproto.AuthChoice{"NULL"}.AppendBinary(nil)...)
	f.Add(open, uint8(len(hello("x"))))
	f.Add(spreadproto.AppendName(join.AppendBinary(bytes.Clone(open)), "room"), uint8(len(hello("x"))))
	f.Add([]byte{3, 14, 1, 1, 'x'}, uint8(0))
	f.Fuzz(func(t *testing.T, stream []byte, first uint8) {
		l := newPipeListener()
		s := New(Options{Order: spreadproto.LittleEndian})
		done := make(chan error, 1)
		go func() { done <- s.Serve(From(l), "d1") }()
		honest, err := spreadproto.NewConn(context.Background(), l.dial(), "pipe", spreadproto.Options{User: "honest", Membership: true})
		if err != nil {
			t.Fatal(err)
		}
		hostile := l.dial()
		go io.Copy(io.Discard, hostile)
		hostile.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		cut := min(int(first), len(stream))
		hostile.Write(stream[:cut])
		hostile.Write(stream[cut:])
		hostile.Close()
		// The honest one is served, and nobody impersonates it.
		if err := honest.Multicast(spreadproto.Agreed, 7, []byte("probe"), honest.PrivateGroup()); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := honest.Receive()
			if err != nil {
				t.Fatal(err)
			}
			r, ok := m.(*spreadproto.Regular)
			if ok && r.Sender == honest.PrivateGroup() {
				break
			}
			if ok && r.Sender == "" {
				t.Errorf("message of nobody: %+v", r)
			}
		}
		honest.Close()
		s.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.sessions) != 0 || len(s.components[0].groups) != 0 {
			t.Errorf("%d sessions and %d groups are left", len(s.sessions), len(s.components[0].groups))
		}
	})
}
