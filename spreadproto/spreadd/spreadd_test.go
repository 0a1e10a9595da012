package spreadd

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wackamole/spreadproto"
)

// cluster is a server that pretends to be one daemon for each name, on unix
// sockets, and clients of it.
type cluster struct {
	t      *testing.T
	server *Server
	dir    string
}

func newCluster(t *testing.T, o Options, daemons ...string) *cluster {
	if o.Daemons == nil {
		o.Daemons = daemons // or their order is that in which they start
	}
	c := &cluster{t, New(o), t.TempDir()}
	ended := make(chan error, len(daemons))
	for _, d := range daemons {
		l, err := net.Listen("unix", filepath.Join(c.dir, d))
		if err != nil {
			t.Fatal(err)
		}
		go func() { ended <- c.server.Serve(From(l), d) }()
	}
	t.Cleanup(func() {
		c.server.Close()
		for range daemons {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
	return c
}

func (c *cluster) dial(daemon, user string) *spreadproto.Conn {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := spreadproto.Dial(ctx, filepath.Join(c.dir, daemon), spreadproto.Options{User: user, Membership: true})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.Close() })
	return conn
}

// expect receives one message and compares its description.
func (c *cluster) expect(conn *spreadproto.Conn, want string) {
	c.t.Helper()
	m, err := conn.Receive()
	if err != nil {
		c.t.Fatalf("%s: %v, want %s", conn.PrivateGroup(), err, want)
	}
	if got := describe(m); got != want {
		c.t.Fatalf("%s received\n\t%s, want\n\t%s", conn.PrivateGroup(), got, want)
	}
}

func describe(m spreadproto.Message) string {
	switch m := m.(type) {
	case *spreadproto.Regular:
		return fmt.Sprintf("%q from %s type %d", m.Body, m.Sender, m.Type)
	case *spreadproto.Membership:
		if m.Cause == spreadproto.CauseNetwork {
			return fmt.Sprintf("%s %v by network, sets %v own %d", m.Group, m.Members, m.Sets, m.OwnSet)
		}
		return fmt.Sprintf("%s %v by %v of %s, change %d", m.Group, m.Members, m.Cause, m.Changed, m.ID[2])
	case *spreadproto.Transition:
		return "transition of " + m.Group
	case *spreadproto.SelfLeave:
		return "self-leave of " + m.Group
	}
	return fmt.Sprintf("%T", m)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGroup(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	bob := c.dial("d1", "bob")
	must(t, bob.Join("room"))
	c.expect(bob, "room [#bob#d1] by join of #bob#d1, change 1")
	alice := c.dial("d1", "alice")
	must(t, alice.Join("room"))
	c.expect(bob, "room [#alice#d1 #bob#d1] by join of #alice#d1, change 2")
	c.expect(alice, "room [#alice#d1 #bob#d1] by join of #alice#d1, change 2")
	must(t, alice.Multicast(spreadproto.Agreed, 7, []byte("hello"), "room"))
	c.expect(alice, `"hello" from #alice#d1 type 7`)
	c.expect(bob, `"hello" from #alice#d1 type 7`)
	must(t, bob.Multicast(spreadproto.Agreed|spreadproto.SelfDiscard, -2, nil, "room", "#alice#d1"))
	c.expect(alice, `"" from #bob#d1 type -2`)
	must(t, alice.Leave("room"))
	c.expect(alice, "self-leave of room")
	c.expect(bob, "room [#bob#d1] by leave of #alice#d1, change 3")
	must(t, alice.Join("room"))
	c.expect(bob, "room [#alice#d1 #bob#d1] by join of #alice#d1, change 4")
	must(t, alice.Close())
	c.expect(bob, "room [#bob#d1] by disconnect of #alice#d1, change 5")
	// The name is free at once.
	c.dial("d1", "alice")
}

func TestPartitionAndMerge(t *testing.T) {
	c := newCluster(t, Options{Daemons: []string{"d1", "d2"}}, "d1", "d2")
	amy, zed, bob := c.dial("d1", "amy"), c.dial("d1", "zed"), c.dial("d2", "bob")
	all := []*spreadproto.Conn{amy, zed, bob}
	for i, x := range all {
		must(t, x.Join("room"))
		for _, y := range all[:i+1] {
			m, err := y.Receive()
			must(t, err)
			if v := m.(*spreadproto.Membership); len(v.Members) != i+1 {
				t.Fatalf("%s sees %v", y.PrivateGroup(), v.Members)
			}
		}
	}
	must(t, amy.Join("alone"))
	c.expect(amy, "alone [#amy#d1] by join of #amy#d1, change 1")

	c.server.Partition([]string{"d1"}, []string{"d2"})
	for _, x := range []*spreadproto.Conn{amy, zed} {
		c.expect(x, "transition of room")
		c.expect(x, "room [#amy#d1 #zed#d1] by network, sets [[#amy#d1 #zed#d1]] own 0")
	}
	c.expect(bob, "transition of room")
	c.expect(bob, "room [#bob#d2] by network, sets [[#bob#d2]] own 0")
	must(t, bob.Multicast(spreadproto.Agreed, 1, []byte("nobody else hears"), "room"))
	c.expect(bob, `"nobody else hears" from #bob#d2 type 1`)

	c.server.Merge()
	const merged = "room [#amy#d1 #zed#d1 #bob#d2] by network, sets [[#amy#d1 #zed#d1] [#bob#d2]] own "
	c.expect(amy, merged+"0")
	c.expect(zed, merged+"0")
	c.expect(bob, merged+"1")
	must(t, bob.Multicast(spreadproto.Agreed, 1, []byte("hello"), "room"))
	for _, x := range all {
		c.expect(x, `"hello" from #bob#d2 type 1`)
	}
}

// Every member must receive everything of a group in one order, whoever sends.
func TestAgreedOrder(t *testing.T) {
	c := newCluster(t, Options{}, "d1", "d2", "d3")
	const each = 100
	var conns []*spreadproto.Conn
	for _, d := range []string{"d1", "d2", "d3"} {
		conn := c.dial(d, "m")
		must(t, conn.Join("room"))
		if _, err := conn.Receive(); err != nil { // all are in from here on, for the last
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	for _, conn := range conns {
		go func() {
			for i := range each {
				conn.Multicast(spreadproto.Agreed, int16(i), nil, "room")
			}
		}()
	}
	var orders [][]string
	for _, conn := range conns {
		var order []string
		for len(order) < 3*each {
			m, err := conn.Receive()
			must(t, err)
			if r, ok := m.(*spreadproto.Regular); ok {
				order = append(order, fmt.Sprint(r.Sender, r.Type))
			}
		}
		orders = append(orders, order)
	}
	if !slices.Equal(orders[0], orders[1]) || !slices.Equal(orders[1], orders[2]) {
		t.Error("members received the same messages in different orders")
	}
}

// A member that does not read is dropped, and the others go on.
func TestSlowReader(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	slow, fast := c.dial("d1", "slow"), c.dial("d1", "fast")
	for _, x := range []*spreadproto.Conn{slow, fast} {
		must(t, x.Join("room"))
		_, err := x.Receive()
		must(t, err)
	}
	body := make([]byte, 8<<10)
	for range 4 * maxQueue {
		must(t, fast.Multicast(spreadproto.Agreed, 0, body, "room"))
		m, err := fast.Receive()
		must(t, err)
		if v, ok := m.(*spreadproto.Membership); ok && v.Cause == spreadproto.CauseDisconnect {
			return
		}
	}
	t.Error("the reader that does not read is still a member")
}

func TestPause(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	x := c.dial("d1", "x")
	must(t, x.Join("room"))
	_, err := x.Receive()
	must(t, err)
	c.server.Pause()
	must(t, x.Multicast(spreadproto.Agreed, 0, []byte("late"), "room"))
	got := make(chan string, 1)
	go func() {
		m, err := x.Receive()
		got <- fmt.Sprint(describe(m), err)
	}()
	select {
	case m := <-got:
		t.Errorf("received %s from a daemon that stands still", m)
	case <-time.After(50 * time.Millisecond):
	}
	c.server.Resume()
	if m := <-got; !strings.Contains(m, "late") {
		t.Errorf("received %s", m)
	}
}
