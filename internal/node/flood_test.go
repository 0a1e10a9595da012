package node

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"wackamole/internal/logger"
	"wackamole/rtnl"
)

// sampled counts how often the ARP cache is read.
type sampled struct {
	*host
	times int
}

func (s *sampled) Neighbours() ([]rtnl.Neighbour, error) {
	s.times++
	return []rtnl.Neighbour{{Addr: netip.MustParseAddr("10.0.0.9"), HardwareAddr: [6]byte{2, 0, 0, 0, 0, 9}}}, nil
}

// A process that joins and leaves in a loop makes a thousand views: few lines of log,
// few samples of the ARP cache, nothing that moves.
func TestManyViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		h := &sampled{host: newHost(t, "10.0.0.1/24")}
		ctx, stop := context.WithCancel(t.Context())
		n := New(Options{
			Config: parse(t, settings), Spread: "4803", User: "m1", Log: logger.New(h.host),
			Doors: Doors{
				Dial: net.dial, Kernel: h, Watch: h.watch, Announcer: h, Guard: h, GuardLost: h.lost,
				Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") },
			},
		})
		a := &member{host: h.host, node: n, stop: stop, done: make(chan struct{})}
		go func() { defer close(a.done); n.Run(ctx) }()
		time.Sleep(5 * time.Second)
		hold(t, "alone", map[*member]string{a: "101 102 103 104 105"})
		if h.times != 1 {
			t.Errorf("the ARP cache was sampled %d times for one view", h.times)
		}
		lines, drops := len(h.log), h.drops

		loop := net.stranger(t)
		for range 500 {
			loop.Join("g")
			time.Sleep(5 * time.Millisecond)
			loop.Leave("g")
			time.Sleep(5 * time.Millisecond)
		}
		synctest.Wait()
		if views := n.counters.Views; views != 1001 {
			t.Errorf("%d views, want 1001: this test shows nothing", views)
		}
		if more := len(h.log) - lines; more > journalBurst+10 {
			t.Errorf("%d lines of log:\n%s", more, strings.Join(h.log[lines:], "\n"))
		}
		if h.times > 1+6 {
			t.Errorf("the ARP cache was sampled %d times in 5 s", h.times)
		}
		if h.drops != drops {
			t.Errorf("%d virtual interfaces withdrawn", h.drops-drops)
		}
		hold(t, "afterwards", map[*member]string{a: "101 102 103 104 105"})

		// What was put off is done, and the next line says how many are missing.
		before := h.times
		time.Sleep(2 * time.Second)
		loop.Join("g")
		time.Sleep(time.Second)
		synctest.Wait()
		if h.times == before {
			t.Error("the ARP cache is not shared any more")
		}
		if h.logged("more like this suppressed") == 0 {
			t.Error("the log does not say that lines are missing")
		}
		loop.Close()
		a.end()
		net.server.Close()
	})
}
