package spreadd

import (
	"fmt"
	"testing"
	"time"

	"wackamole/spreadproto"
)

// joined opens sessions named daemon/user, and has all of them join the room.
func (c *cluster) joined(daemons ...string) []*spreadproto.Conn {
	c.t.Helper()
	var conns []*spreadproto.Conn
	for _, d := range daemons {
		x := c.dial(d, "m")
		must(c.t, x.Join("room"))
		conns = append(conns, x)
		for _, y := range conns {
			if _, err := y.Receive(); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return conns
}

// receiveID receives a membership message or a transition and returns its id.
func receiveID(t *testing.T, conn *spreadproto.Conn) spreadproto.GroupID {
	t.Helper()
	m, err := conn.Receive()
	must(t, err)
	switch m := m.(type) {
	case *spreadproto.Membership:
		return m.ID
	case *spreadproto.Transition:
		return m.ID
	}
	t.Fatalf("received %s", describe(m))
	return spreadproto.GroupID{}
}

// Each component has an id of its own; the transition has that of the view that
// ends.
func TestGroupIDs(t *testing.T) {
	c := newCluster(t, Options{}, "d1", "d2")
	conns := c.joined("d1", "d2")
	a, b := conns[0], conns[1]
	probe := func(x *spreadproto.Conn) spreadproto.GroupID {
		t.Helper()
		must(t, x.Leave("room"))
		c.expect(x, "self-leave of room")
		must(t, x.Join("room"))
		return receiveID(t, x)
	}
	ids := map[spreadproto.GroupID]string{}
	note := func(what string, id spreadproto.GroupID) {
		t.Helper()
		if ids[id] != "" {
			t.Errorf("id %v stands for %s and %s", id, ids[id], what)
		}
		ids[id] = what
	}
	c.server.Partition([]string{"d1"}, []string{"d2"})
	before := receiveID(t, a)
	if id := receiveID(t, b); id != before {
		t.Errorf("transitions of %v and %v", before, id)
	}
	note("all", before)
	note("a alone", receiveID(t, a))
	note("b alone", receiveID(t, b))
	// A group that comes into being in both components at once is two.
	must(t, a.Join("new"))
	must(t, b.Join("new"))
	if ours, theirs := receiveID(t, a), receiveID(t, b); ours == theirs {
		t.Errorf("a group of that name has id %v in both components", ours)
	}
	c.server.Merge()
	for _, what := range []string{"new", "room"} {
		merged := receiveID(t, a)
		if id := receiveID(t, b); id != merged {
			t.Errorf("%s merged to %v and %v", what, merged, id)
		}
		if what == "room" {
			note("merged", merged)
		}
	}
	// A group without members is forgotten, and its next life starts like the
	// first, with the same id: clients must not take ids for unique.
	c.server.Partition([]string{"d1"}, []string{"d2"})
	for range 4 {
		receiveID(t, a)
	}
	if first, second := probe(a), probe(a); first != second {
		t.Errorf("the first life has id %v and the second %v", first, second)
	}
}

func TestMemberOrder(t *testing.T) {
	for v, want := range map[spreadproto.Version]string{
		{Major: 3, Minor: 17}: "[#a#z1 #b#a2 #c#z1]", // by name
		{Major: 4, Minor: 4}:  "[#a#z1 #c#z1 #b#a2]", // by daemon in the order of the configuration
	} {
		c := newCluster(t, Options{Version: v, Daemons: []string{"z1", "a2"}}, "a2", "z1")
		c1, b2, a1 := c.dial("z1", "c"), c.dial("a2", "b"), c.dial("z1", "a")
		for _, x := range []*spreadproto.Conn{c1, b2} {
			must(t, x.Join("room"))
			_, err := x.Receive()
			must(t, err)
		}
		must(t, a1.Join("room"))
		c.expect(a1, fmt.Sprintf("room %s by join of #a#z1, change 3", want))
	}
}

// Components may be cut further and mixed before they are merged.
func TestCascade(t *testing.T) {
	c := newCluster(t, Options{}, "d1", "d2", "d3")
	conns := c.joined("d1", "d2", "d3")
	a, b, d := conns[0], conns[1], conns[2]

	c.server.Partition([]string{"d1", "d2"}, []string{"d3"})
	for _, x := range []*spreadproto.Conn{a, b} {
		c.expect(x, "transition of room")
		c.expect(x, "room [#m#d1 #m#d2] by network, sets [[#m#d1 #m#d2]] own 0")
	}
	c.expect(d, "transition of room")
	c.expect(d, "room [#m#d3] by network, sets [[#m#d3]] own 0")

	// d2 changes sides: d1 loses it, d3 gains it, and it does both.
	c.server.Partition([]string{"d1"}, []string{"d3", "d2"})
	c.expect(a, "transition of room")
	c.expect(a, "room [#m#d1] by network, sets [[#m#d1]] own 0")
	c.expect(b, "transition of room")
	c.expect(b, "room [#m#d2 #m#d3] by network, sets [[#m#d2] [#m#d3]] own 0")
	c.expect(d, "room [#m#d2 #m#d3] by network, sets [[#m#d2] [#m#d3]] own 1")

	// The same again changes nothing for anybody.
	c.server.Partition([]string{"d1"}, []string{"d3", "d2"})
	must(t, a.Multicast(spreadproto.Agreed, 0, []byte("still"), "room"))
	c.expect(a, `"still" from #m#d1 type 0`)

	c.server.Merge()
	const merged = "room [#m#d1 #m#d2 #m#d3] by network, sets [[#m#d1] [#m#d2 #m#d3]] own "
	c.expect(a, merged+"0")
	c.expect(b, merged+"1")
	c.expect(d, merged+"1")
}

// Sessions of one daemon can be split too; later ones are with their daemon.
func TestPartitionSessions(t *testing.T) {
	c := newCluster(t, Options{}, "d1", "d2")
	conns := c.joined("d1", "d2")
	x := c.dial("d1", "x")
	must(t, x.Join("room"))
	for _, y := range append(conns, x) {
		c.expect(y, "room [#m#d1 #x#d1 #m#d2] by join of #x#d1, change 3")
	}
	c.server.Partition([]string{"d1"}, []string{"d2", "#x#d1"})
	c.expect(conns[0], "transition of room")
	c.expect(conns[0], "room [#m#d1] by network, sets [[#m#d1]] own 0")
	for _, y := range []*spreadproto.Conn{conns[1], x} {
		c.expect(y, "transition of room")
		c.expect(y, "room [#x#d1 #m#d2] by network, sets [[#x#d1 #m#d2]] own 0")
	}
	late := c.dial("d1", "late")
	must(t, late.Join("room"))
	for _, y := range []*spreadproto.Conn{conns[0], late} {
		c.expect(y, "room [#late#d1 #m#d1] by join of #late#d1, change 2")
	}
	// A private message does not cross either.
	must(t, late.Multicast(spreadproto.Agreed, 0, []byte("lost"), "#x#d1"))
	must(t, late.Multicast(spreadproto.Agreed, 0, []byte("here"), "#m#d1"))
	c.expect(conns[0], `"here" from #late#d1 type 0`)
	must(t, late.Close())
	c.expect(conns[0], "room [#m#d1] by disconnect of #late#d1, change 3")
	c.server.Merge()
	c.expect(x, "room [#m#d1 #x#d1 #m#d2] by network, sets [[#m#d1] [#x#d1 #m#d2]] own 1")
}

// All groups are told that their views end before any gets a new one.
func TestPartitionOfTwoGroups(t *testing.T) {
	c := newCluster(t, Options{}, "d1", "d2")
	conns := c.joined("d1", "d2")
	for i, x := range conns {
		must(t, x.Join("hall"))
		for _, y := range conns[:i+1] {
			_, err := y.Receive()
			must(t, err)
		}
	}
	c.server.Partition([]string{"d1"}, []string{"d2"})
	for _, want := range []string{
		"transition of hall", "transition of room",
		"hall [#m#d1] by network, sets [[#m#d1]] own 0", "room [#m#d1] by network, sets [[#m#d1]] own 0",
	} {
		c.expect(conns[0], want)
	}
}

// A daemon that stands still is cut off by the others. When it goes on, it learns
// that its view has ended; whether it forms a view alone before it is merged
// depends on what comes first.
func TestPausedDaemon(t *testing.T) {
	for _, mergedFirst := range []bool{true, false} {
		c := newCluster(t, Options{}, "d1", "d2")
		conns := c.joined("d1", "d2")
		c.server.Pause("d2")
		c.server.Partition([]string{"d1"}, []string{"d2"})
		c.expect(conns[0], "transition of room")
		c.expect(conns[0], "room [#m#d1] by network, sets [[#m#d1]] own 0")
		must(t, conns[1].Multicast(spreadproto.Agreed, 0, []byte("said while it stood still"), "#m#d2"))
		if mergedFirst {
			c.server.Merge()
			c.server.Resume()
		} else {
			c.server.Resume()
			c.expect(conns[1], "transition of room")
			c.expect(conns[1], "room [#m#d2] by network, sets [[#m#d2]] own 0")
			c.expect(conns[1], `"said while it stood still" from #m#d2 type 0`)
			c.server.Merge()
		}
		const merged = "room [#m#d1 #m#d2] by network, sets [[#m#d1] [#m#d2]] own "
		c.expect(conns[0], merged+"0")
		if mergedFirst {
			c.expect(conns[1], "transition of room")
		}
		c.expect(conns[1], merged+"1")
		if mergedFirst {
			c.expect(conns[1], `"said while it stood still" from #m#d2 type 0`)
		}
	}
}

// The client's side of a daemon that stands still: a probe stays unanswered until
// the daemon goes on.
func TestLivenessOfPausedDaemon(t *testing.T) {
	c := newCluster(t, Options{}, "d1")
	x := c.dial("d1", "x")
	now := time.Now()
	var l spreadproto.Liveness
	l.Heard(now)
	probe := func() {
		t.Helper()
		now = now.Add(spreadproto.ProbeAfter)
		if action, _ := l.Next(now); action != spreadproto.LivenessProbe {
			t.Fatalf("action %v instead of a probe", action)
		}
		must(t, x.Multicast(spreadproto.Agreed, 0, nil, x.PrivateGroup()))
	}
	probe()
	c.expect(x, `"" from #x#d1 type 0`)
	l.Heard(now)
	c.server.Pause()
	probe()
	now = now.Add(spreadproto.SilentAfter)
	if action, _ := l.Next(now); action != spreadproto.LivenessDead {
		t.Errorf("action %v for a silent daemon", action)
	}
	c.server.Resume()
	c.expect(x, `"" from #x#d1 type 0`)
}
