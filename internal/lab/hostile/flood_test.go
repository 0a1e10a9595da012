package hostile

import (
	"context"
	"syscall"
	"testing"
	"time"

	"wackamole/internal/lab"
)

// A flood moves no address, fills neither memory nor log, and does not keep the others from taking over what a
// node that leaves has held.
func TestFlood(t *testing.T) {
	for _, kind := range []struct {
		name string
		make func(m *Member, x *target) []Frame
		rate int // a second
	}{
		{"short", func(m *Member, x *target) []Frame {
			v, _ := m.View()
			return Small(m, v, lab.HostAddress(1), x.Addresses)
		}, 5000},
		{"long", func(m *Member, x *target) []Frame {
			v, _ := m.View()
			return Large(m, v, lab.HostAddress(1))
		}, 50},
	} {
		t.Run(kind.name, func(t *testing.T) {
			if testing.Short() && kind.name == "long" {
				t.Skip("the short messages are enough for a quick look")
			}
			x := newTarget(t, balanceAll)
			// Under the name of node 1, to which it is second: it takes part in views and is given nothing.
			m := x.join(nodes, Last)
			Answer(m, lab.HostAddress(1), x.fingerprint)
			x.settle()
			var memory, lines [nodes + 1]int
			for i := 1; i <= nodes; i++ {
				memory[i], lines[i] = x.memory(i), x.logged(i)
			}
			x.Prober.Begin()
			pace := Pace{kind.rate / slowdown, 200}
			sent, err := Flood(x.context(1500*time.Millisecond), m, kind.make(m, x), pace)
			must(t, err)
			x.untouched("in the flood")
			for i := 1; i <= nodes; i++ {
				more, said := x.memory(i)-memory[i], x.logged(i)-lines[i]
				t.Logf("node %d: %d messages, %d lines, memory %+d KiB from %d KiB", i, sent, said, more, memory[i])
				if more > 16<<10 {
					t.Errorf("node %d: memory grew by %d KiB", i, more)
				}
				// Ten lines at once for each of the reasons there are, one more for each 10 s.
				if said > 120 {
					t.Errorf("node %d: %d lines", i, said)
				}
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				_, err := Flood(ctx, m, kind.make(m, x), pace)
				ended <- err
			}()
			_, err = x.Node(2).Stop(syscall.SIGTERM)
			must(t, err)
			t.Logf("node 2 has left: settled after %v", x.settleAs(x.Balanced))
			must(t, x.Node(2).Start())
			t.Logf("node 2 is back: settled after %v", x.settleAs(x.Balanced))
			stop()
			must(t, <-ended)
			must(t, m.Close())
			x.settle()
		})
	}
}

// A flood that nothing paces has Spread drop every client, the sender first or last. Whoever is dropped releases
// as soon as it has read what was on its way to it, and joins anew; in the end each address is held.
func TestFloodWithoutPace(t *testing.T) {
	x := newTarget(t, balanceAll)
	m := x.join(nodes, Last)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	x.settle()
	v, _ := m.View()
	before := x.metrics(1)
	x.Prober.Begin()
	sent, err := Flood(x.context(500*time.Millisecond), m, Small(m, v, lab.HostAddress(1), x.Addresses), Pace{})
	must(t, m.Close())
	x.answered(lab.PortSet(1, 2, 3))
	var twice time.Duration
	for _, o := range x.Prober.Outcomes() {
		twice = max(twice, o.Twice)
	}
	t.Logf("%d messages, then %v; node 1 was dropped %v times; an address was answered twice for %v at most", sent, err,
		x.metrics(1)["wackamole_spread_reconnects_total"]-before["wackamole_spread_reconnects_total"], twice)
	t.Logf("settled after %v more", x.settleAs(x.Balanced))
}
