package node

import (
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wackamole/spreadproto"
	"wackamole/spreadproto/spreadd"
)

// What has failed for all is no reason for any to leave: the addresses on the
// other interfaces stay served, by all. The first whose interface is back for long
// enough serves for the others until theirs are.
func TestAllFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		before := a.views(t)
		a.link("eth1", unplugged)
		time.Sleep(failTime - tellTime - 100*time.Millisecond) // drivers do not notice at the same time
		b.link("eth1", unplugged)
		time.Sleep(time.Hour)
		hold(t, "both have failed", map[*member]string{a: "101 103", b: "102 104 105"})
		for _, m := range []*member{a, b} {
			m.status(t, "RUN", "", 0)
			if m.logged("but no other member could serve its addresses: staying in the group") != 1 {
				t.Errorf("log:\n%s", strings.Join(m.log, "\n"))
			}
		}
		if now := a.views(t); now != before {
			t.Errorf("%d views, %d before", now, before)
		}
		a.link("eth1", fine)
		time.Sleep(backTime - time.Millisecond)
		a.link("eth1", unplugged)
		time.Sleep(tellTime / 2)
		a.link("eth1", fine)
		time.Sleep(backTime - time.Millisecond)
		hold(t, "one is back, not for long enough", map[*member]string{a: "101 103", b: "102 104 105"})
		time.Sleep(time.Millisecond)
		hold(t, "one is back", map[*member]string{a: everything, b: ""})
		b.link("eth1", fine)
		time.Sleep(backTime)
		hold(t, "both are back", map[*member]string{a: "103 104 105", b: "101 102"})
		a.end()
		b.end()
		net.server.Close()
	})
}

// A switch that comes back before the addresses move leaves them where they are.
func TestAllFailAndComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		a.link("eth1", unplugged)
		b.link("eth1", unplugged)
		time.Sleep(time.Minute)
		a.link("eth1", fine)
		time.Sleep(time.Second)
		b.link("eth1", fine)
		time.Sleep(time.Minute)
		hold(t, "a switch was started again", map[*member]string{a: "101 103", b: "102 104 105"})
		if a.logged("DOWN") != 0 || b.logged("DOWN") != 0 {
			t.Errorf("an address moved:\n%s\n%s", strings.Join(a.log, "\n"), strings.Join(b.log, "\n"))
		}
		// Nothing of it is left: a failure of one alone is one.
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		hold(t, "one fails", map[*member]string{a: everything, b: ""})
		a.end()
		b.end()
		net.server.Close()
	})
}

// Two that fail at any distance in time never both leave, and the one that is left
// goes when somebody comes who can serve.
func TestLastOneStays(t *testing.T) {
	for _, apart := range []time.Duration{0, 1, 999, 1000, 1999, 2000, 2001, 2500, 2999, 3000, 3001, 10000} {
		synctest.Test(t, func(t *testing.T) {
			net := newNetwork()
			a, b := pair(t, net)
			a.link("eth1", unplugged)
			time.Sleep(apart * time.Millisecond)
			b.link("eth1", unplugged)
			time.Sleep(time.Minute)
			synctest.Wait()
			list := strings.Fields(a.virtual() + " " + b.virtual())
			slices.Sort(list)
			if got := strings.Join(list, " "); got != everything {
				t.Errorf("%d ms apart: held are %q\n%s\n%s", apart, got, strings.Join(a.log, "\n"), strings.Join(b.log, "\n"))
			}
			c := net.start(t, 3, twoLinks)
			time.Sleep(time.Second)
			hold(t, "somebody comes", map[*member]string{a: "", b: "", c: everything})
			for _, m := range []*member{a, b, c} {
				m.end()
			}
			net.server.Close()
		})
	}
}

// The operator's word counts more than the interfaces, in both directions.
func TestOperatorAndLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		do := func(f func() error) {
			t.Helper()
			if err := f(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		fail := func() error { return b.node.Fail(t.Context()) }
		recover := func() error { return b.node.Recover(t.Context()) }

		// Away already when the operator says so: the link coming back changes nothing.
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		synctest.Wait()
		do(fail)
		b.status(t, "FAILED", "told to stay away (wackatrl -f)", 1)
		b.link("eth1", fine)
		time.Sleep(time.Hour)
		hold(t, "told to stay away", map[*member]string{a: everything, b: ""})
		do(recover)
		hold(t, "told to come back", map[*member]string{a: "103 104 105", b: "101 102"})

		// Told to come back while away: the first word ends the operator's own.
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		synctest.Wait()
		do(fail)
		do(recover)
		hold(t, "the interface still does not work", map[*member]string{a: everything, b: ""})
		b.status(t, "FAILED", "interface eth1 has no carrier", 2)
		if b.logged("interface eth1 has no carrier: staying away until it is back; wackatrl -s once more joins all the same") != 1 {
			t.Errorf("log:\n%s", strings.Join(b.log, "\n"))
		}
		do(recover)
		time.Sleep(time.Hour)
		hold(t, "told so twice", map[*member]string{a: "103 104 105", b: "101 102"})
		b.status(t, "RUN", "", 2)

		// Excused while another fails and comes back, until it has worked.
		b.link("eth0", unplugged)
		time.Sleep(failTime)
		synctest.Wait()
		b.status(t, "FAILED", "interface eth0 has no carrier", 3)
		b.link("eth0", fine)
		time.Sleep(time.Minute)
		b.status(t, "RUN", "", 3)
		b.link("eth1", fine)
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		hold(t, "a new failure", map[*member]string{a: everything, b: ""})
		b.link("eth1", fine)
		time.Sleep(time.Minute)
		b.status(t, "RUN", "", 4)

		// Failed while the operator keeps the member away.
		do(fail)
		b.link("eth1", unplugged)
		time.Sleep(time.Minute)
		b.status(t, "FAILED", "told to stay away (wackatrl -f)", 4)
		do(recover)
		hold(t, "back with a failed interface", map[*member]string{a: everything, b: ""})
		b.status(t, "FAILED", "interface eth1 has no carrier", 5)
		a.end()
		b.end()
		net.server.Close()
	})
}

// A configuration that does not need the interface any more brings the member
// back; one that needs another judges that.
func TestReloadChangesLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		reload := func(text string) {
			t.Helper()
			for _, m := range []*member{a, b} {
				if err := m.node.Reload(t.Context(), parse(t, text), "4803"); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
		}
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		hold(t, "failed", map[*member]string{a: everything, b: ""})
		reload(settings)
		hold(t, "not needed", map[*member]string{a: "103 104 105", b: "101 102"})
		if b.logged("interface eth1 is not needed any more: joining the group again") != 1 {
			t.Errorf("log:\n%s", strings.Join(b.log, "\n"))
		}
		reload(twoLinks)
		time.Sleep(failTime - time.Millisecond)
		synctest.Wait()
		b.status(t, "RUN", "", 1)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		b.status(t, "FAILED", "interface eth1 has no carrier", 2)
		reload(strings.ReplaceAll(twoLinks, "eth1", "eth5"))
		time.Sleep(failTime)
		synctest.Wait()
		for _, m := range []*member{a, b} { // no host has it: it is a mistake, and nobody leaves for it
			m.status(t, "RUN", "", uint64(2*strings.Count(m.own.String(), ".2/")))
		}
		a.end()
		b.end()
		net.server.Close()
	})
}

// Where Spread goes over the same interface, leaving would help nobody: the member
// is alone soon, and holds its addresses as one that is cut off does.
func TestSpreadOverTheSameLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := spreadd.New(spreadd.Options{Daemons: []string{"d1", "d2"}})
		var nets []*network
		for _, name := range []string{"d1", "d2"} {
			n := &network{server: server, conns: make(chan net.Conn), closed: make(chan struct{})}
			go server.Serve(spreadd.From(n), name)
			nets = append(nets, n)
		}
		a, b := nets[0].start(t, 1, twoLinks), nets[1].start(t, 2, twoLinks)
		time.Sleep(time.Second)
		hold(t, "both well", map[*member]string{a: "101 103", b: "102 104 105"})

		// The ring is broken and its daemons have not noticed: nothing is delivered.
		server.Pause()
		b.link("eth1", unplugged)
		time.Sleep(10 * time.Second)
		hold(t, "the ring does not move", map[*member]string{a: "101 103", b: "102 104 105"})
		server.Partition([]string{"d1"}, []string{"d2"})
		server.Resume()
		time.Sleep(time.Minute)
		hold(t, "cut off", map[*member]string{a: everything, b: everything})
		b.status(t, "RUN", "", 0)
		b.link("eth1", fine)
		server.Merge()
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, m := range []*member{a, b} {
			m.status(t, "RUN", "", 0)
		}

		// A switch that is away for a moment, and a ring that outlives it.
		server.Pause()
		a.link("eth1", unplugged)
		b.link("eth1", unplugged)
		time.Sleep(9 * time.Second)
		a.link("eth1", fine)
		b.link("eth1", fine)
		server.Resume()
		before := a.virtual()
		time.Sleep(time.Minute)
		hold(t, "a short outage", map[*member]string{a: before})
		b.status(t, "RUN", "", 0)
		a.end()
		b.end()
		server.Close()
	})
}

// A process that can serve nothing keeps nobody in the group and drives nobody out,
// whatever it says.
func TestUnableFromStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := pair(t, net)
		conn := net.stranger(t)
		say := func(body string) {
			t.Helper()
			if err := conn.Multicast(spreadproto.Agreed, 4, []byte(body), "g"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		say("WKu1\x01")
		say("WKu1\x00")
		say("WKu1")
		say("WKu1\x01\x01")
		s, err := b.node.Snapshot(t.Context())
		var rejected uint64
		for _, r := range s.Counters.Rejected {
			rejected += r.Count
		}
		if err != nil || rejected != 4 {
			t.Errorf("%d rejected, want 4: %+v, %v", rejected, s.Counters, err)
		}
		b.link("eth1", unplugged)
		time.Sleep(failTime)
		hold(t, "not a member", map[*member]string{a: everything, b: ""})
		b.end()

		// A member that sends no STATE is nobody who could serve.
		a.link("eth1", unplugged)
		time.Sleep(failTime)
		if err := conn.Join("g"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		hold(t, "a silent member", map[*member]string{a: everything})
		for range 100 {
			say("WKu1\x01")
			say("WKu1\x00")
		}
		hold(t, "it says that it is able", map[*member]string{a: everything})
		a.status(t, "RUN", "", 0)
		conn.Close()
		a.end()
		net.server.Close()
	})
}
