package hostile

import (
	"syscall"
	"testing"
	"time"

	"wackamole/alloc"
	"wackamole/internal/guard"
	"wackamole/internal/lab"
)

// A view with two members that do not answer: a process that has joined and is silent, and node 2, which stands
// still. After 20 s the others go on. By then the guard of node 2 has released what it held, so that no address
// is ever answered twice. When node 2 goes on it joins anew.
func TestSilentAndHung(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	held := x.holders()
	x.Prober.Begin()
	began := time.Now()
	must(t, x.Node(2).Signal(syscall.SIGSTOP))
	x.until("node 2 stands still", func() bool { return x.status(2, "State:") == "T" })
	m := x.join(nodes, Last)
	others := lab.PortSet(1, 3)
	x.until("node 2's guard has released", func() bool {
		for _, holders := range x.Prober.Snapshot().Holders {
			if holders.Has(2) {
				return false
			}
		}
		return true
	})
	released := time.Since(began)
	x.until("the others have gone on", func() bool { return by(others)(x.Prober.Snapshot()) })
	t.Logf("released after %v, taken over after %v", released, time.Since(began))
	if released > 2*guard.Limit {
		t.Errorf("node 2's guard released after %v, the others go on after 20 s", released)
	}
	x.others(2, held)
	list, err := x.Node(2).Host.Namespace.Addresses("eth0")
	must(t, err)
	if len(list) != 1 {
		t.Errorf("node 2 stands still and has %v", list)
	}
	x.Prober.Begin()
	before := x.metrics(1)
	v, _ := m.View()
	must(t, m.SendState(m.State(v, lab.HostAddress(66))))
	x.rejections(1, before, []Lie{{Reason: alloc.OutOfPhase}})
	x.untouched("a late STATE")

	must(t, m.Close())
	x.until("it is gone", func() bool { return x.metrics(1)["wackamole_members"] == nodes })
	x.Prober.Begin()
	must(t, x.Node(2).Signal(syscall.SIGCONT))
	t.Logf("node 2 goes on: settled after %v", x.settleAs(x.Balanced))
	if n := x.metrics(2)["wackamole_spread_reconnects_total"]; n != 1 {
		t.Errorf("node 2 connected %v times more, want once", n)
	}
}
