package hostile

import (
	"syscall"
	"testing"
	"time"

	"wackamole/alloc"
	"wackamole/internal/guard"
	"wackamole/internal/lab"
)

// A process that has joined and is silent: all keep what they hold. What a node that leaves has held is taken over
// when the others go on without the silent one, after 20 s; it is given nothing, and its late STATE does not count.
func TestSilent(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	m := x.join(nodes, Last)
	x.watch()
	_, err := x.Node(2).Stop(syscall.SIGTERM)
	must(t, err)
	_, err = m.AwaitJoined(x.context(patience), nodes)
	must(t, err)
	began := time.Now()
	x.until("the others have gone on", func() bool { return by(lab.PortSet(1, 3))(x.Prober.Snapshot()) })
	t.Logf("gone on after %v", time.Since(began))
	x.others(2, "meanwhile")
	x.watch()
	before := x.metrics(1)
	v, _ := m.View()
	must(t, m.SendState(m.State(v, lab.HostAddress(66))))
	x.rejections(1, before, []Lie{{Reason: alloc.OutOfPhase}})
	x.untouched("a late STATE")
	must(t, m.Close())
	x.until("it is gone", func() bool { return x.metrics(1)["wackamole_members"] == nodes-1 })
	x.untouched("the silent one goes")
}

// A node of ours that stands still: its guard releases after 10 s and then ends its session with Spread, so that the
// others take over at once and nothing is ever answered twice. When the node goes on it joins anew.
func TestHung(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	x.watch()
	began := time.Now()
	must(t, x.Node(2).Signal(syscall.SIGSTOP))
	x.until("node 2 stands still", func() bool { return x.status(2, "State:") == "T" })
	x.until("the others have taken over", func() bool { return by(lab.PortSet(1, 3))(x.Prober.Snapshot()) })
	var dark time.Duration
	for _, o := range x.Prober.Outcomes() {
		dark = max(dark, o.Unanswered)
	}
	t.Logf("taken over after %v, %v of it unanswered", time.Since(began), dark)
	x.others(2, "meanwhile")
	list, err := x.Node(2).Host.Namespace.Addresses("eth0")
	must(t, err)
	if len(list) != 1 {
		t.Errorf("node 2 stands still and has %v", list)
	}
	if dark > guard.Limit/2 {
		t.Errorf("addresses of node 2 were unanswered for %v: the others were not told", dark)
	}
	before := x.metrics(1)["wackamole_views_total"]
	must(t, x.Node(2).Signal(syscall.SIGCONT))
	x.until("node 2 is back", func() bool { return x.metrics(1)["wackamole_views_total"] > before })
	t.Logf("node 2 goes on: settled after %v", x.settleAs(x.Balanced))
}
