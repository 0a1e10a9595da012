package hostile

import (
	"testing"
	"time"

	"wackamole/internal/lab"
)

// A member that claims all addresses, and to prefer them, gets them: nothing tells it from an honest one. The
// others release, nobody answers twice, and once it is gone every address is held again.
func TestClaimsEverything(t *testing.T) {
	x := newTarget(t, balanceAll)
	x.Prober.Begin()
	m := x.dial(nodes, Last)
	Claim(m, lab.HostAddress(66), x.Addresses, x.fingerprint)
	began := time.Now()
	must(t, m.Join())
	x.answered(0)
	t.Logf("all released after %v", time.Since(began))
	for _, o := range x.Prober.Outcomes() {
		if o.Twice > 0 {
			t.Errorf("%v answered twice for %v", o.Address, o.Twice)
		}
	}
	before := x.metrics(1)
	began = time.Now()
	must(t, m.Close())
	x.answered(lab.PortSet(1, 2, 3))
	t.Logf("it is gone: all held after %v", time.Since(began))
	x.settle()
	if now := x.metrics(1); now["wackamole_take_overs_total"] != before["wackamole_take_overs_total"]+addresses/nodes {
		t.Errorf("node 1 took %v addresses over, want %d", now["wackamole_take_overs_total"]-before["wackamole_take_overs_total"], addresses/nodes)
	}
}

// A member that answers and holds nothing is given its share, like any: nobody sees from the group that it serves
// none of it. Once it is gone every address is held again.
func TestServesNothing(t *testing.T) {
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
	for _, o := range x.Prober.Outcomes() {
		if o.Twice > 0 {
			t.Errorf("%v answered twice for %v", o.Address, o.Twice)
		}
	}
	must(t, m.Close())
	x.settle()
}

// A member that goes by the real address of node 1 and comes after it in the view is given nothing. One that
// comes before it stands in its place: node 1 releases, since the table cannot tell the two apart.
func TestSameRealAddress(t *testing.T) {
	x := newTarget(t, balanceAll)
	x.Prober.Begin()
	m := x.dial(nodes, Last)
	Claim(m, lab.HostAddress(1), nil, x.fingerprint)
	must(t, m.Join())
	x.until("it is in", func() bool { return x.metrics(1)["wackamole_members"] == nodes+1 })
	x.until("they run", func() bool { return x.metrics(1)[`wackamole_state{state="RUN"}`] == 1 })
	must(t, m.Close())
	x.until("it is gone", func() bool { return x.metrics(1)["wackamole_members"] == nodes })
	x.settle()
	x.untouched("second under an address")

	held := x.holders()
	x.Prober.Begin()
	m = x.dial(1, First)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	must(t, m.Join())
	x.until("node 1 has released", func() bool { return x.metrics(1)["wackamole_virtual_interfaces_held"] == 0 })
	x.others(1, held)
	must(t, m.Close())
	x.settle()
}

// A member that declares at once that the others have not answered makes them join anew: whoever is named
// releases first. Nothing is held twice once it is gone.
func TestExpel(t *testing.T) {
	x := newTarget(t, balanceAll)
	x.Prober.Begin()
	m := x.dial(1, First)
	Expel(m, lab.HostAddress(66), x.fingerprint)
	must(t, m.Join())
	x.until("a node has joined anew", func() bool {
		return x.metrics(1)["wackamole_spread_reconnects_total"]+x.metrics(2)["wackamole_spread_reconnects_total"]+x.metrics(3)["wackamole_spread_reconnects_total"] > 0
	})
	_, views := m.View()
	must(t, m.Close())
	began := time.Now()
	x.settle()
	t.Logf("%d views while it was there; settled %v after it was gone", views, time.Since(began)-steady)
	x.Prober.Begin()
	x.settle()
	x.untouched("afterwards")
}
