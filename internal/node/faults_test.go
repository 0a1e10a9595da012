package node

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/garp"
	"wackamole/internal/logger"
	"wackamole/rtnl"
)

// faulty is a host whose kernel lists nothing for a while.
type faulty struct {
	*host
	mu   sync.Mutex
	mute bool
}

func (f *faulty) setMute(on bool) { f.mu.Lock(); f.mute = on; f.mu.Unlock() }

func (f *faulty) refuse() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mute {
		return unix.ENOBUFS
	}
	return nil
}

func (f *faulty) Addresses() ([]rtnl.Assigned, error) {
	if err := f.refuse(); err != nil {
		return nil, err
	}
	return f.host.Addresses()
}

func (f *faulty) Links() ([]rtnl.Link, error) {
	if err := f.refuse(); err != nil {
		return nil, err
	}
	return f.host.Links()
}

func (f *faulty) Neighbours() ([]rtnl.Neighbour, error) { return nil, f.refuse() }

// startWith starts a member with doors of its own. The real address is given, since
// finding it takes a listing.
func (n *network) startWith(t *testing.T, h *host, text string, change func(*Doors)) *member {
	ctx, cancel := context.WithCancel(t.Context())
	m := &member{host: h, stop: cancel, done: make(chan struct{})}
	doors := Doors{
		Dial: n.dial, Kernel: h, Watch: h.watch, Announcer: h, Guard: h, GuardLost: h.lost,
		Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") },
	}
	change(&doors)
	m.node = New(Options{Config: parse(t, text), Spread: "4803", User: "m1", Address: h.own.Addr(), Log: logger.New(h), Doors: doors})
	go func() { defer close(m.done); m.node.Run(ctx) }()
	return m
}

// A kernel that lists nothing, as with a full neighbour table or without memory,
// keeps no address from being held and announced; what could not be looked at is
// looked at again, at growing intervals.
func TestKernelThatListsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		h := newHost(t, "10.0.0.1/24")
		f := &faulty{host: h, mute: true}
		h.there[netip.MustParsePrefix("10.0.0.104/24")] = "eth0:4" // left by a predecessor, with another prefix
		a := net.startWith(t, h, settings, func(d *Doors) { d.Kernel = f })
		synctest.Wait()
		if a.logged("addresses may be left behind: list the addresses of this host: ") == 0 || a.logged("whether the interfaces work is not known: ") != 1 {
			t.Errorf("log:\n%s", strings.Join(a.log, "\n"))
		}
		time.Sleep(time.Second / 2)
		f.setMute(false)
		time.Sleep(time.Second / 2)
		synctest.Wait()
		if a.logged("DOWN: eth0:4:10.0.0.104/255.255.255.0") != 1 {
			t.Errorf("a leftover stays; log:\n%s", strings.Join(a.log, "\n"))
		}
		time.Sleep(time.Second)
		hold(t, "nothing is wrong any more", map[*member]string{a: "101 102 103 104 105"})

		// Somebody removes an address, nobody hears of it, and the kernel does not list.
		f.setMute(true)
		a.mu.Lock()
		delete(a.there, netip.MustParsePrefix("10.0.0.102/32"))
		a.told = nil
		a.mu.Unlock()
		a.setLink("eth0", unplugged)
		a.watch <- rtnl.Event{Kind: rtnl.Lost}
		time.Sleep(time.Hour)
		hold(t, "not seen", map[*member]string{a: "101 103 104 105"})
		if n := a.logged("what somebody else removed is not known"); n < 30 || n > 70 {
			t.Errorf("%d looks in an hour, want about one a minute", n)
		}
		f.setMute(false)
		time.Sleep(longPause + failTime)
		hold(t, "seen", map[*member]string{a: "101 102 103 104 105"})
		if strings.Join(a.told, " ") != "10.0.0.102" || a.logged("interface eth0 has had no carrier for 3s") != 1 {
			t.Errorf("announced %v; log:\n%s", a.told, strings.Join(a.log, "\n"))
		}
		a.end()
		net.server.Close()
	})
}

// wire is a network interface whose queue is full for a while.
type wire struct {
	mu    sync.Mutex
	full  bool
	heard map[netip.Addr]int
}

func (w *wire) Link(string) (garp.LinkAddr, error) { return garp.LinkAddr{2, 0, 0, 0, 0, 1}, nil }

func (w *wire) Send(_ string, frames [][]byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full {
		return 0, garp.ErrBusy
	}
	for _, b := range frames {
		if p, err := garp.ParseARP(b); err == nil {
			w.heard[netip.AddrFrom4(p.Sender)]++
		}
	}
	return len(frames), nil
}

// A packet socket that takes nothing (ENOBUFS) delays no acquisition and no message,
// and every address is announced as soon as it takes frames again.
func TestFullPacketSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		h, w := newHost(t, "10.0.0.1/24"), &wire{full: true, heard: make(map[netip.Addr]int)}
		announcer := garp.New(w, logger.New(h).Warningf)
		a := net.startWith(t, h, settings, func(d *Doors) { d.Announcer = announcer })
		time.Sleep(time.Second)
		hold(t, "the queue is full", map[*member]string{a: "101 102 103 104 105"})
		time.Sleep(100 * time.Millisecond)
		w.mu.Lock()
		if len(w.heard) != 0 {
			t.Errorf("heard %v", w.heard)
		}
		w.full = false
		w.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		w.mu.Lock()
		if len(w.heard) != 5 {
			t.Errorf("heard %v, want all five", w.heard)
		}
		w.mu.Unlock()
		s, err := a.node.Snapshot(t.Context())
		if err != nil || s.Phase.String() != "RUN" || s.Counters.Announcements != 10 {
			t.Errorf("state %+v, %v", s, err)
		}
		a.end()
		net.server.Close()
	})
}
