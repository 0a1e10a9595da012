package node

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/rtnl"
)

// workingLinks are the interfaces of a host at which all is well.
func workingLinks() map[string]rtnl.Link {
	return map[string]rtnl.Link{
		"eth0": {Index: 2, Name: "eth0", Type: unix.ARPHRD_ETHER, Up: true, Carrier: true, Running: true},
		"eth1": {Index: 3, Name: "eth1", Type: unix.ARPHRD_ETHER, Up: true, Carrier: true, Running: true},
	}
}

// The states of an interface that tests use.
var (
	fine      = rtnl.Link{Up: true, Carrier: true, Running: true}
	unplugged = rtnl.Link{Up: true}
	shut      = rtnl.Link{}
	gone      = rtnl.Link{Index: -1}
)

func (h *host) Links() ([]rtnl.Link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []rtnl.Link
	for _, l := range h.links {
		list = append(list, l)
	}
	return list, nil
}

// setLink changes an interface without telling.
func (h *host) setLink(name string, state rtnl.Link) (e rtnl.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, known := h.links[name]
	if state.Index < 0 {
		delete(h.links, name)
		return rtnl.Event{Kind: rtnl.LinkGone, Link: was}
	}
	state.Index, state.Name, state.Type = 3, name, unix.ARPHRD_ETHER
	h.links[name] = state
	if !known {
		return rtnl.Event{Kind: rtnl.LinkNew, Link: state}
	}
	return rtnl.Event{Kind: rtnl.LinkChanged, Was: was, Link: state}
}

func (m *member) link(name string, state rtnl.Link) {
	m.watch <- m.setLink(name, state)
	synctest.Wait()
}

// status checks what the control socket would say.
func (m *member) status(t *testing.T, state, reason string, failures uint64) {
	t.Helper()
	s, err := m.node.Snapshot(t.Context())
	if err != nil || s.Phase.String() != state || s.Reason != reason || s.Counters.LinkFailures != failures {
		t.Errorf("%v is %v, %q, after %d failures, want %s, %q, %d (%v)\n%s", m.own, s.Phase, s.Reason, s.Counters.LinkFailures,
			state, reason, failures, err, strings.Join(m.log, "\n"))
	}
}

func (m *member) views(t *testing.T) uint64 {
	s, err := m.node.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.Counters.Views
}

// twoLinks needs eth1 for its last virtual interface.
const twoLinks = `Group = g
VirtualInterfaces { eth0:10.0.0.101/32 eth0:10.0.0.102/32 eth0:10.0.0.103/32 { eth0:10.0.0.104/32 eth1:10.0.0.105/32 } }
Mature = 1s
Balance { AcquisitionsPerRound = all }
`

const everything = "101 102 103 104 105"

// pair starts two members and waits until they share.
func pair(t *testing.T, net *network) (a, b *member) {
	a, b = net.start(t, 1, twoLinks), net.start(t, 2, twoLinks)
	time.Sleep(time.Second)
	hold(t, "both well", map[*member]string{a: "101 103", b: "102 104 105"})
	return a, b
}

// A member leaves for an interface that has failed for 3 s, not before, and comes
// back when it has worked for 3 s, not before.
func TestFailedLink(t *testing.T) {
	for _, c := range []struct {
		name         string
		state        rtnl.Link
		reason, said string
	}{
		{"unplugged", unplugged, "interface eth1 has no carrier", "interface eth1 has had no carrier for 3s: leaving the group"},
		{"down", shut, "interface eth1 is down", "interface eth1 has been down for 3s: leaving the group"},
		{"vanished", gone, "interface eth1 is not there", "interface eth1 has not been there for 3s: leaving the group"},
		{"dormant", rtnl.Link{Up: true, Carrier: true}, "interface eth1 is dormant", "interface eth1 has been dormant for 3s: leaving the group"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := newNetwork()
				a, b := pair(t, net)
				b.link("eth1", shut)
				time.Sleep(failTime - time.Second)
				b.link("eth1", c.state) // in another way, but all the same
				time.Sleep(time.Second - time.Millisecond)
				hold(t, "not failed yet", map[*member]string{a: "101 103", b: "102 104 105"})
				time.Sleep(time.Millisecond)
				hold(t, "failed", map[*member]string{a: everything, b: ""})
				b.status(t, "FAILED", c.reason, 1)
				if b.logged(c.said) != 1 {
					t.Errorf("log:\n%s", strings.Join(b.log, "\n"))
				}
				time.Sleep(time.Hour)
				hold(t, "an hour later", map[*member]string{a: everything, b: ""})
				b.link("eth1", fine)
				time.Sleep(backTime - time.Millisecond)
				hold(t, "not back yet", map[*member]string{a: everything, b: ""})
				b.status(t, "FAILED", "interface eth1 is back, but not for long enough", 1)
				time.Sleep(time.Millisecond)
				hold(t, "back", map[*member]string{a: "103 104 105", b: "101 102"})
				b.status(t, "RUN", "", 1)
				if b.logged("interface eth1 has been back for 3s: joining the group again") != 1 {
					t.Errorf("log:\n%s", strings.Join(b.log, "\n"))
				}
				a.end()
				b.end()
				net.server.Close()
			})
		})
	}
}

// A flap shorter than 3 s changes nothing: no view, no address moves, however often
// it comes. Nor does anything that happens to an interface that is not needed.
func TestShortFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		before := a.views(t)
		b.link("eth7", fine)
		b.link("eth7", unplugged)
		for range 20 {
			b.link("eth1", unplugged)
			time.Sleep(failTime - time.Millisecond)
			b.link("eth1", fine)
			time.Sleep(time.Millisecond)
		}
		hold(t, "after flaps", map[*member]string{a: "101 103", b: "102 104 105"})
		if now := a.views(t); now != before || b.logged("DOWN") != 0 {
			t.Errorf("%d views, %d before; log:\n%s", now, before, strings.Join(b.log, "\n"))
		}
		time.Sleep(backTime)
		a.link("eth1", unplugged)
		time.Sleep(failTime)
		hold(t, "the one that flapped is able again", map[*member]string{a: "", b: everything})
		a.end()
		b.end()
		net.server.Close()
	})
}

// An interface that fails again and again must work for longer and longer.
func TestHoldDownGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		for i, want := range []time.Duration{3, 6, 12, 24, 48, 60, 60} {
			want *= time.Second
			b.link("eth1", unplugged)
			time.Sleep(failTime)
			hold(t, "failed", map[*member]string{a: everything, b: ""})
			b.link("eth1", fine)
			time.Sleep(want - time.Millisecond)
			b.status(t, "FAILED", "interface eth1 is back, but not for long enough", uint64(i+1))
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			b.status(t, "RUN", "", uint64(i+1))
		}
		time.Sleep(quietTime)
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		hold(t, "failed after a quiet time", map[*member]string{a: everything, b: ""})
		b.link("eth1", fine)
		time.Sleep(backTime)
		synctest.Wait()
		b.status(t, "RUN", "", 8)
		a.end()
		b.end()
		net.server.Close()
	})
}

// Several interfaces: all must work to come back.
func TestSeveralLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		b.link("eth0", unplugged)
		b.link("eth1", fine)
		time.Sleep(time.Minute)
		hold(t, "the other has failed instead", map[*member]string{a: everything, b: ""})
		b.status(t, "FAILED", "interface eth0 has no carrier", 1)
		b.link("eth0", fine)
		time.Sleep(backTime)
		hold(t, "both are back", map[*member]string{a: "103 104 105", b: "101 102"})
		a.end()
		b.end()
		net.server.Close()
	})
}

// A member that starts with an interface that does not work waits for it. If it
// comes to work soon, the member joins at once and nothing more happens.
func TestSlowLinkAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, twoLinks)
		time.Sleep(time.Second)
		h := newHost(t, "10.0.0.2/24")
		h.setLink("eth1", unplugged)
		b := net.startOn(t, h, 2, twoLinks)
		time.Sleep(2 * time.Second)
		hold(t, "waiting", map[*member]string{a: everything, b: ""})
		b.status(t, "CONNECTING", "", 0)
		if b.logged("interface eth1 has no carrier: waiting up to 3s for it before joining the group") != 1 {
			t.Errorf("log:\n%s", strings.Join(b.log, "\n"))
		}
		b.link("eth1", fine)
		hold(t, "it works", map[*member]string{a: "103 104 105", b: "101 102"})
		time.Sleep(time.Minute)
		b.status(t, "RUN", "", 0)
		a.end()
		b.end()
		net.server.Close()
	})
}

// One that starts with a cable that is not plugged in is given nothing where others
// can serve, and serves what it can where there is nobody else.
func TestDeadLinkAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		dead := func(number int) *member {
			h := newHost(t, fmt.Sprintf("10.0.0.%d/24", number))
			h.setLink("eth1", unplugged)
			return net.startOn(t, h, number, twoLinks)
		}
		a := net.start(t, 1, twoLinks)
		time.Sleep(time.Second)
		b := dead(2)
		time.Sleep(failTime + time.Second)
		hold(t, "joined and left", map[*member]string{a: everything, b: ""})
		b.status(t, "FAILED", "interface eth1 has no carrier", 1)
		if b.logged("UP:") != 0 {
			t.Errorf("it was given an address:\n%s", strings.Join(b.log, "\n"))
		}
		a.end()
		b.end()

		c, d := dead(3), dead(4)
		time.Sleep(failTime + time.Second)
		hold(t, "no other could", map[*member]string{c: "101 103", d: "102 104 105"})
		e := dead(5)
		time.Sleep(failTime)
		hold(t, "nor can a third", map[*member]string{c: "103", d: "102 104 105", e: "101"})
		for _, m := range []*member{c, d, e} {
			m.status(t, "RUN", "", 0)
		}
		for _, m := range []*member{c, d, e} {
			m.end()
		}
		net.server.Close()
	})
}

// What cannot be heard of is looked up, and what cannot be seen any more keeps
// nobody away.
func TestLinksUnheardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		b.setLink("eth1", unplugged)
		time.Sleep(time.Minute)
		hold(t, "nobody has said so", map[*member]string{a: "101 103", b: "102 104 105"})
		b.watch <- rtnl.Event{Kind: rtnl.Lost}
		time.Sleep(failTime)
		hold(t, "looked up", map[*member]string{a: everything, b: ""})
		close(b.watch)
		hold(t, "blind", map[*member]string{a: "103 104 105", b: "101 102"})
		b.status(t, "RUN", "", 1)
		a.end()
		b.end()
		net.server.Close()
	})
}

// An interface that is given another name is not there any more, and one that is
// given a needed name is.
func TestRenamedLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		rename := func(from, to string) {
			b.mu.Lock()
			was := b.links[from]
			is := was
			is.Name = to
			delete(b.links, from)
			b.links[to] = is
			b.mu.Unlock()
			b.watch <- rtnl.Event{Kind: rtnl.LinkChanged, Was: was, Link: is}
		}
		rename("eth1", "wan")
		time.Sleep(failTime)
		hold(t, "renamed", map[*member]string{a: everything, b: ""})
		b.status(t, "FAILED", "interface eth1 is not there", 1)
		rename("wan", "eth1")
		time.Sleep(backTime)
		hold(t, "and back", map[*member]string{a: "103 104 105", b: "101 102"})
		a.end()
		b.end()
		net.server.Close()
	})
}

func TestTroubleOf(t *testing.T) {
	for _, c := range []struct {
		link rtnl.Link
		want trouble
	}{
		{rtnl.Link{Type: unix.ARPHRD_ETHER, Up: true, Running: true, Carrier: true}, working},
		{rtnl.Link{Type: unix.ARPHRD_ETHER, Up: true}, noCarrier},
		{rtnl.Link{Type: unix.ARPHRD_ETHER, Up: true, Running: true}, noCarrier}, // the kernel's RFC 2863 state follows the carrier a little later
		{rtnl.Link{Type: unix.ARPHRD_ETHER, Up: true, Carrier: true}, dormant},
		{rtnl.Link{Type: unix.ARPHRD_ETHER}, down},
		{rtnl.Link{Type: unix.ARPHRD_LOOPBACK, Up: true, Running: true, Carrier: true}, working},
		{rtnl.Link{Type: unix.ARPHRD_LOOPBACK, Up: true}, working},
		{rtnl.Link{Type: unix.ARPHRD_LOOPBACK}, down},
		{rtnl.Link{Type: unix.ARPHRD_NONE, Up: true, Running: true, Carrier: true}, working}, // a tunnel
	} {
		if got := troubleOf(c.link); got != c.want {
			t.Errorf("troubleOf(%v) = %v, want %v", c.link, got, c.want)
		}
	}
}
