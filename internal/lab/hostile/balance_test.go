package hostile

import (
	"net/netip"
	"testing"

	"wackamole/alloc"
	"wackamole/internal/lab"
)

// BALANCE moves nothing unless the leader of the view sends it, and in RUN.
func TestBalance(t *testing.T) {
	x := newTarget(t, balanceNone)
	x.watch()
	m := x.join(nodes, Last)
	v, _ := m.View()
	// Before it has answered there is no RUN, and none of it counts, but for what cannot be understood.
	before := x.metrics(1)
	lies := WrongBalances(v, lab.HostAddress(66), x.Addresses)
	for i := range lies {
		lies[i].Frame.Service = 0
	}
	must(t, Tell(m, lies))
	x.rejections(1, before, []Lie{{Reason: alloc.Malformed}})

	Answer(m, lab.HostAddress(66), x.fingerprint)
	x.run(nodes + 1)
	before = x.metrics(1)
	lies = WrongBalances(v, lab.HostAddress(66), x.Addresses)
	must(t, Tell(m, lies))
	x.rejections(1, before, lies)
	must(t, m.Close())
	x.run(nodes)
	x.untouched("BALANCE of one that does not lead")
}

// A member that leads the view can move what it likes to where it likes: what it says is done as far as it can be,
// and whatever was moved to and fro, each address ends with one node.
func TestLeader(t *testing.T) {
	long(t)
	x := newTarget(t, balanceNone)
	x.watch()
	m := x.join(1, First)
	Answer(m, lab.HostAddress(66), x.fingerprint)
	x.run(nodes + 1)
	held := x.holders()
	owner := func(key netip.Addr) netip.Addr { return lab.HostAddress(held[key].List()[0]) }
	before := x.metrics(1)
	lies := UselessBalances(owner, x.Addresses)
	must(t, Tell(m, lies))
	x.rejections(1, before, lies)
	x.untouched("BALANCE that cannot be")

	// What can be is done, also 100 times in a row.
	for range 100 {
		for node := 1; node <= nodes; node++ {
			must(t, m.Send(Moves(lab.HostAddress(node), x.Addresses)))
		}
	}
	must(t, m.Send(Moves(lab.HostAddress(2), x.Addresses)))
	t.Logf("moved to and fro: settled after %v", x.settleAs(by(lab.PortSet(2))))
	for i := 1; i <= nodes; i++ {
		now := x.metrics(i)
		for _, name := range []string{"wackamole_address_failures_total", "wackamole_addresses_put_back_total"} {
			if now[name] != 0 {
				t.Errorf("node %d: %s is %v", i, name, now[name])
			}
		}
	}
	// To itself: nobody answers until it is gone.
	must(t, m.Send(Moves(lab.HostAddress(66), x.Addresses)))
	x.answered(0)
	x.leave(m)
}
