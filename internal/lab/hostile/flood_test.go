package hostile

import (
	"context"
	"syscall"
	"testing"
	"time"

	"wackamole/alloc"
	"wackamole/internal/lab"
)

// A flood moves no address, fills neither memory nor log, and does not keep the others from taking over what a
// node that leaves has held. It is as fast as the slowest node: the daemon of the lab would drop that one.
func TestFlood(t *testing.T) {
	t.Run("short", func(t *testing.T) {
		flood(t, 20, func(m *Member, v View, x *target) []Frame { return Small(m, v, lab.HostAddress(1), x.Addresses) })
	})
	t.Run("long", func(t *testing.T) {
		long(t)
		flood(t, 1, func(m *Member, v View, _ *target) []Frame { return Large(m, v, lab.HostAddress(1)) })
	})
}

func flood(t *testing.T, rounds int, frames func(*Member, View, *target) []Frame) {
	x := newTarget(t, balanceAll)
	// Under the name of node 1, to which it is second: it takes part in views and is given nothing.
	m := x.join(nodes, Last)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	x.run(nodes + 1)
	v, _ := m.View()
	list := frames(m, v, x)
	var memory, lines [nodes + 1]int
	for i := 1; i <= nodes; i++ {
		memory[i], lines[i] = x.memory(i), x.logged(i)
	}
	x.watch()
	began := time.Now()
	sent, err := Flood(x.context(1500*time.Millisecond), m, list, rounds*len(list), x.caughtUp(list, 1, 2, 3))
	must(t, err)
	t.Logf("%d messages a second", int(float64(sent)/time.Since(began).Seconds()))
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
	wait := x.caughtUp(list, 1, 3)
	go func() {
		_, err := Flood(ctx, m, list, rounds*len(list), wait)
		ended <- err
	}()
	_, err = x.Node(2).Stop(syscall.SIGTERM)
	must(t, err)
	t.Logf("node 2 has left: settled after %v", x.settleAs(x.Balanced))
	must(t, x.Node(2).Start())
	t.Logf("node 2 is back: settled after %v", x.settleAs(x.Balanced))
	stop()
	must(t, <-ended)
	x.leave(m)
}

// caughtUp returns a function that waits until these nodes have rejected as many messages of unknown types as were
// sent of the frames.
func (x *target) caughtUp(list []Frame, some ...int) func(sent int) {
	unknown := 0
	for _, f := range list {
		if f.Type.String()[0] == 't' { // "type N"
			unknown++
		}
	}
	before := make(map[int]float64)
	for _, i := range some {
		before[i] = x.metrics(i)[rejected(alloc.UnknownType)]
	}
	return func(sent int) {
		want := float64(sent / len(list) * unknown)
		for _, i := range some {
			for x.t.Context().Err() == nil {
				now, err := x.counters(i)
				if err != nil || now[rejected(alloc.UnknownType)]-before[i] >= want {
					break
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// A flood that does not wait for anybody has Spread drop every client, the sender first or last. Whoever is dropped
// releases as soon as it has read what was on its way to it, and joins anew; in the end each address is held.
func TestFloodWithoutPace(t *testing.T) {
	x := newTarget(t, balanceAll)
	m := x.join(nodes, Last)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	x.run(nodes + 1)
	v, _ := m.View()
	before := x.metrics(1)
	x.Prober.Begin()
	list := Small(m, v, lab.HostAddress(1), x.Addresses)
	sent, err := Flood(x.context(500*time.Millisecond), m, list, len(list), nil)
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
