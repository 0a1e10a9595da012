package hostile

import (
	"net/netip"
	"testing"

	"wackamole/alloc"
	"wackamole/internal/lab"
)

// BALANCE moves nothing unless the leader of the view sends it, in RUN, and to a member. As the leader, a member
// can move what it likes to where it likes; what it says is done, as far as it can be.
func TestBalance(t *testing.T) {
	x := newTarget(t, balanceNone)
	x.Prober.Begin()
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
	x.until("they run", func() bool { return x.metrics(1)[`wackamole_state{state="RUN"}`] == 1 })
	before = x.metrics(1)
	lies = WrongBalances(v, lab.HostAddress(66), x.Addresses)
	must(t, Tell(m, lies))
	x.rejections(1, before, lies)
	must(t, m.Close())
	x.until("it is gone", func() bool { return x.metrics(1)["wackamole_members"] == nodes })
	x.settleAs(nil)
	x.untouched("BALANCE of one that does not lead")
}

// TestLeader is about a member that leads the view.
func TestLeader(t *testing.T) {
	x := newTarget(t, balanceNone)
	x.Prober.Begin()
	m := x.join(1, First)
	Answer(m, lab.HostAddress(66), x.fingerprint)
	x.until("they run", func() bool { return x.metrics(1)[`wackamole_state{state="RUN"}`] == 1 })
	holders := x.Prober.Snapshot().Holders
	owner := func(key netip.Addr) netip.Addr {
		for i, a := range x.Addresses {
			if a == key {
				return lab.HostAddress(holders[i].List()[0])
			}
		}
		return netip.Addr{}
	}
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
	// To itself: nobody answers until it is gone.
	must(t, m.Send(Moves(lab.HostAddress(66), x.Addresses)))
	x.answered(0)
	must(t, m.Close())
	x.settle()
}
