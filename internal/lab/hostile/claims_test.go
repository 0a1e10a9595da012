package hostile

import (
	"testing"

	"wackamole/internal/lab"
)

// A member that claims all addresses, and to prefer them, gets them: nothing tells it from an honest one. The
// others release, nobody answers twice, and once it is gone every address is held again.
func TestClaimsEverything(t *testing.T) {
	x := newTarget(t, balanceAll)
	x.Prober.Begin()
	m := x.dial(nodes, Last)
	Claim(m, lab.HostAddress(66), x.Addresses, x.fingerprint)
	must(t, m.Join())
	x.answered(0)
	x.once()
	before := x.metrics(1)
	x.leave(m)
	if now := x.metrics(1); now["wackamole_take_overs_total"] != before["wackamole_take_overs_total"]+addresses/nodes {
		t.Errorf("node 1 took %v addresses over, want %d", now["wackamole_take_overs_total"]-before["wackamole_take_overs_total"], addresses/nodes)
	}
}

// A member that answers and holds nothing is given its share, like any: nobody sees from the group that it serves
// none of it. Once it is gone every address is held again.
func TestServesNothing(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	x.Prober.Begin()
	m := x.dial(nodes, Last)
	Answer(m, lab.HostAddress(66), x.fingerprint)
	must(t, m.Join())
	x.until("it has its share", func() bool {
		unanswered := 0
		for _, holders := range x.Prober.Snapshot().Holders {
			if holders == 0 {
				unanswered++
			}
		}
		return unanswered == addresses/(nodes+1)
	})
	x.once()
	x.leave(m)
}

// A member that goes by the real address of node 1 and comes after it in the view is given nothing. One that
// comes before it stands in its place: node 1 releases, since the table cannot tell the two apart.
func TestSameRealAddress(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	x.watch()
	m := x.dial(nodes, Last)
	Claim(m, lab.HostAddress(1), nil, x.fingerprint)
	must(t, m.Join())
	x.run(nodes + 1)
	must(t, m.Close())
	x.run(nodes)
	x.untouched("second under an address")

	x.watch()
	m = x.dial(1, First)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	must(t, m.Join())
	x.until("node 1 has released", func() bool { return x.metrics(1)["wackamole_virtual_interfaces_held"] == 0 })
	x.others(1, "first under an address")
	x.leave(m)
}

// A member that declares, before the others have answered, that all go on without them makes them join anew:
// whoever is named releases first. Once it is gone each address is held again, if nobody was left then after the
// time of Mature.
func TestExpel(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	before := x.metrics(2)
	m := x.dial(1, First)
	Expel(m, lab.HostAddress(66), x.fingerprint)
	// The daemons of nodes 2 and 3 are late, so that they cannot win the race.
	x.Spread.Pause("node2", "node3")
	must(t, m.Join())
	must(t, m.await(x.context(patience), func() bool { return m.returned >= 2 }))
	x.Spread.Resume()
	x.until("node 2 has joined anew", func() bool {
		return x.metrics(2)["wackamole_spread_reconnects_total"] > before["wackamole_spread_reconnects_total"]
	})
	_, views := m.View()
	t.Logf("%d views", views)
	x.leave(m)
}
