package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/logger"
	"wackamole/rtnl"
	"wackamole/spreadproto"
	"wackamole/spreadproto/spreadd"
)

// network is a Spread daemon in memory: in a bubble of fake time nothing may come
// from outside.
type network struct {
	server *spreadd.Server
	conns  chan net.Conn
	closed chan struct{}
}

func newNetwork() *network {
	n := &network{server: spreadd.New(spreadd.Options{}), conns: make(chan net.Conn), closed: make(chan struct{})}
	go n.server.Serve(spreadd.From(n), "d1")
	return n
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case c := <-n.conns:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error {
	select {
	case <-n.closed:
	default:
		close(n.closed)
	}
	return nil
}

func (n *network) dial(ctx context.Context, _, user string) (Conn, error) {
	here, there := net.Pipe()
	select {
	case n.conns <- there:
	case <-n.closed:
		return nil, errors.New("no daemon")
	}
	return spreadproto.NewConn(ctx, here, "memory", spreadproto.Options{User: user, Membership: true})
}

// stranger opens a session of somebody who reads whatever comes and heeds none of it.
func (n *network) stranger(t *testing.T) *spreadproto.Conn {
	conn, err := n.dial(t.Context(), "", "stranger")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			if _, err := conn.Receive(); err != nil {
				return
			}
		}
	}()
	return conn.(*spreadproto.Conn)
}

// host is everything that a node reaches, and prints it as text.
type host struct {
	t     *testing.T
	mu    sync.Mutex
	there map[netip.Prefix]string // addresses with their labels
	own   netip.Prefix
	fails int // how many of the next additions fail
	told  []string
	drops int // withdrawn
	log   []string
	// onLine, if set, is called with each line about an address that has come.
	onLine func()
	rests  atomic.Int32
	guard  struct {
		held    map[rtnl.Key]bool
		expired bool
		starts  int
	}
	links map[string]rtnl.Link
	watch chan rtnl.Event
	lost  chan bool
}

func newHost(t *testing.T, own string) *host {
	h := &host{t: t, there: make(map[netip.Prefix]string), own: netip.MustParsePrefix(own),
		links: workingLinks(), watch: make(chan rtnl.Event), lost: make(chan bool)}
	h.guard.held = make(map[rtnl.Key]bool)
	h.there[h.own] = "eth0"
	return h
}

func keyOf(a rtnl.Address) rtnl.Key {
	return rtnl.Key{Index: 2, Addr: a.Prefix.Addr().As4(), Bits: uint8(a.Prefix.Bits())}
}

func (h *host) Add(list []rtnl.Address, before func([]rtnl.Key), acked func([]rtnl.Address, []rtnl.Result)) []rtnl.Result {
	keys := make([]rtnl.Key, len(list))
	for i, a := range list {
		keys[i] = keyOf(a)
	}
	before(keys)
	results := make([]rtnl.Result, len(list))
	h.mu.Lock()
	for i, a := range list {
		results[i] = rtnl.Result{Outcome: rtnl.Added, Key: keys[i]}
		switch {
		case !h.guard.held[keys[i]]:
			h.t.Errorf("%v reached the kernel before the guard", a)
		case h.fails > 0:
			h.fails--
			results[i] = rtnl.Result{Err: fmt.Errorf("add %v: %w", a.Prefix, rtnl.ErrNoInterface)}
		default:
			h.there[a.Prefix] = a.Label
		}
	}
	h.mu.Unlock()
	// One at a time, as the smallest chunks that there can be.
	for i := range list {
		acked(list[i:i+1], results[i:i+1])
	}
	return results
}

func (h *host) Delete(list []rtnl.Address) []rtnl.Result {
	h.mu.Lock()
	defer h.mu.Unlock()
	results := make([]rtnl.Result, len(list))
	for i, a := range list {
		results[i] = rtnl.Result{Outcome: rtnl.AlreadyGone, Key: keyOf(a)}
		if _, ok := h.there[a.Prefix]; ok {
			results[i].Outcome = rtnl.Removed
			delete(h.there, a.Prefix)
			continue
		}
		for p := range h.there {
			if p.Addr() == a.Prefix.Addr() {
				results[i] = rtnl.Result{Err: fmt.Errorf("delete %v: %w", a.Prefix, rtnl.ErrExistsOtherPrefix)}
			}
		}
	}
	return results
}

func (h *host) Addresses() ([]rtnl.Assigned, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []rtnl.Assigned
	for p, label := range h.there {
		list = append(list, rtnl.Assigned{Address: rtnl.Address{Interface: "eth0", Prefix: p, Label: label}, Index: 2})
	}
	return list, nil
}

func (h *host) Neighbours() ([]rtnl.Neighbour, error) { return nil, nil }

func (h *host) Announce(list []garp.VirtualInterface, _ bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range list {
		for _, a := range v.Addresses {
			h.told = append(h.told, a.Addr.String())
		}
	}
}

func (h *host) Withdraw(keys []netip.Addr)     { h.mu.Lock(); h.drops += len(keys); h.mu.Unlock() }
func (h *host) MergePool([]garp.Neighbour) int { return 0 }
func (h *host) Configure(garp.Config)          {}
func (h *host) Stats() garp.Stats              { return garp.Stats{} }
func (h *host) Close()                         {}

func (h *host) Hold(keys []rtnl.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		h.guard.held[k] = true
	}
}

func (h *host) Drop(keys []rtnl.Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range keys {
		delete(h.guard.held, k)
	}
}

func (h *host) Beat()                      {}
func (h *host) Done()                      {}
func (h *host) Expired() bool              { h.mu.Lock(); defer h.mu.Unlock(); return h.guard.expired }
func (h *host) Session(syscall.Conn)       {}
func (h *host) Restart(k []rtnl.Key) error { h.guard.starts++; h.Hold(k); return nil }

// Log is a sink for the log.
func (h *host) Log(_ logger.Level, line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log = append(h.log, line)
	if h.onLine != nil && strings.HasPrefix(line, "  UP:") {
		h.onLine()
	}
}

// virtual lists the last bytes of the addresses that the host has beside its own.
func (h *host) virtual() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []string
	for p := range h.there {
		if p != h.own {
			b := p.Addr().As4()
			list = append(list, fmt.Sprint(b[3]))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func (h *host) logged(text string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, line := range h.log {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

const settings = `Group = g
VirtualInterfaces { eth0:10.0.0.101/32 eth0:10.0.0.102/32 eth0:10.0.0.103/32 { eth0:10.0.0.104/32 eth0:10.0.0.105/32 } }
Mature = 1s
Balance { AcquisitionsPerRound = all }
`

func parse(t *testing.T, text string) *conf.Config {
	c, _, err := conf.Parse("test.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// member is a running node.
type member struct {
	*host
	node *Node
	stop context.CancelFunc
	done chan struct{}
}

func (n *network) start(t *testing.T, number int, text string) *member {
	return n.startOn(t, newHost(t, fmt.Sprintf("10.0.0.%d/24", number)), number, text)
}

func (n *network) startOn(t *testing.T, h *host, number int, text string) *member {
	ctx, cancel := context.WithCancel(t.Context())
	m := &member{host: h, stop: cancel, done: make(chan struct{})}
	m.node = New(Options{
		Config: parse(t, text), Spread: "4803", User: fmt.Sprintf("m%d", number), Log: logger.New(h),
		Doors: Doors{Rest: func() { h.rests.Add(1) },
			Dial: n.dial, Kernel: h, Watch: h.watch, Announcer: h, Guard: h, GuardLost: h.lost,
			Lookup: func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") },
		},
	})
	go func() { defer close(m.done); m.node.Run(ctx) }()
	return m
}

func (m *member) end() { m.stop(); <-m.done }

// hold checks who holds what once everything is quiet.
func hold(t *testing.T, when string, want map[*member]string) {
	t.Helper()
	synctest.Wait()
	for m, list := range want {
		if got := m.virtual(); got != list {
			t.Errorf("%s: %v holds %q, want %q\n%s", when, m.own, got, list, strings.Join(m.log, "\n"))
		}
	}
}

func TestShareAndTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := net.start(t, 1, settings), net.start(t, 2, settings)
		hold(t, "before maturing", map[*member]string{a: "", b: ""})
		time.Sleep(time.Second)
		hold(t, "matured", map[*member]string{a: "101 103", b: "102 104 105"})
		if got := strings.Join(b.told, " "); got != "10.0.0.102 10.0.0.104 10.0.0.105" {
			t.Errorf("announced: %s", got)
		}
		if n := b.logged("  UP:"); n != 0 {
			t.Errorf("%d lines about addresses before the take-over is over", n)
		}
		time.Sleep(lineTime)
		synctest.Wait()
		if b.logged("  UP: eth0:2:10.0.0.104/255.255.255.255") != 1 {
			t.Errorf("log:\n%s", strings.Join(b.log, "\n"))
		}
		if text := strings.Join(b.log, "\n"); strings.LastIndex(text, "  UP:") > strings.Index(text, "running: ") {
			t.Errorf("what the machine says comes before the addresses that came first:\n%s", text)
		}
		b.end()
		if n := b.logged("DOWN: "); n != 3 {
			t.Errorf("%d lines about addresses that are released, at the end", n)
		}
		hold(t, "one has left", map[*member]string{a: "101 102 103 104 105", b: ""})
		if b.logged("DOWN: eth0:2:10.0.0.104/255.255.255.255") != 1 || len(b.guard.held) != 0 {
			t.Errorf("guard still has %v; log:\n%s", b.guard.held, strings.Join(b.log, "\n"))
		}
		net.server.Close()
		hold(t, "Spread is gone", map[*member]string{a: ""})
		a.end()
	})
}

// The lines of a large change do not keep the loop from what is more important.
func TestLinesGiveWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 40 * linesAtOnce
		var many strings.Builder
		for i := range count {
			fmt.Fprintf(&many, "{ eth0:10.1.%d.%d/32 }\n", i/256, i%256)
		}
		net := newNetwork()
		a := net.start(t, 1, "Group = g\nMature = 1s\nVirtualInterfaces {\n"+many.String()+"}\n")
		time.Sleep(time.Second)
		synctest.Wait()
		answered := make(chan int)
		a.mu.Lock()
		a.onLine = sync.OnceFunc(func() {
			go func() {
				if _, err := a.node.Snapshot(t.Context()); err != nil {
					t.Error(err)
				}
				answered <- a.logged("  UP:")
			}()
		})
		a.mu.Unlock()
		if n := <-answered; n == 0 || n == count {
			t.Errorf("%d lines of %d before a request was answered", n, count)
		}
		time.Sleep(time.Second)
		if n := a.logged("  UP:"); n != count {
			t.Errorf("%d lines of %d", n, count)
		}
		a.end()
		net.server.Close()
	})
}

// Garbage is collected when a large change is over, and not for small ones.
func TestCollectsGarbageAfterAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var many strings.Builder
		for i := range collectAfter {
			fmt.Fprintf(&many, "{ eth0:10.1.0.%d/32 }\n", i+1)
		}
		forced := func() uint32 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.NumForcedGC
		}
		for _, c := range []struct {
			interfaces string
			want       uint32
		}{{many.String(), 1}, {"{ eth0:10.1.0.1/32 }", 0}} {
			net := newNetwork()
			before := forced()
			a := net.start(t, 1, "Group = g\nMature = 1s\nVirtualInterfaces {\n"+c.interfaces+"}\n")
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if n := a.logged("  UP:"); n != strings.Count(c.interfaces, "eth0") {
				t.Fatalf("%d lines of addresses:\n%s", n, strings.Join(a.log, "\n"))
			}
			if got := forced() - before; got != c.want {
				t.Errorf("%d collections after %d addresses, want %d", got, strings.Count(c.interfaces, "eth0"), c.want)
			}
			a.end()
			net.server.Close()
		}
	})
}

// A crash's leftover goes at the start, an address of somebody else stays, also
// in the network of a virtual one.
func TestLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		h := net.start(t, 1, settings)
		h.mu.Lock()
		h.there[netip.MustParsePrefix("10.0.0.77/32")] = "eth0:1"
		h.mu.Unlock()
		h.end()
		h.mu.Lock()
		h.there[netip.MustParsePrefix("10.0.0.101/24")] = "eth0:2" // with another prefix
		h.mu.Unlock()
		if err := Sweep(parse(t, settings).Interfaces, nil, h, logger.New(h)); err != nil {
			t.Error(err)
		}
		hold(t, "swept", map[*member]string{h: "77"})
		net.server.Close()
	})
}

// A virtual address that somebody has put there in another way goes as well when
// it is to be let go, and nothing that is still held goes with it.
func TestReleaseWithAnotherPrefix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		time.Sleep(time.Second)
		synctest.Wait()
		a.mu.Lock()
		delete(a.there, netip.MustParsePrefix("10.0.0.103/32"))
		a.there[netip.MustParsePrefix("10.0.0.103/24")] = "eth0"
		a.mu.Unlock()
		fewer := strings.Replace(settings, "eth0:10.0.0.103/32", "", 1)
		if err := a.node.ask(t.Context(), func() { a.node.release([]netip.Addr{netip.MustParseAddr("10.0.0.103")}) }); err != nil {
			t.Fatal(err)
		}
		hold(t, "released", map[*member]string{a: "101 102 104 105"})
		if err := a.node.Reload(t.Context(), parse(t, fewer), "4803"); err != nil {
			t.Fatal(err)
		}
		hold(t, "reloaded", map[*member]string{a: "101 102 104 105"})
		a.end()
		net.server.Close()
	})
}

func TestFailedAddressIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		a.mu.Lock()
		a.fails = 2
		a.mu.Unlock()
		time.Sleep(time.Second)
		hold(t, "two failed", map[*member]string{a: "103 104 105"})
		time.Sleep(5 * time.Second)
		hold(t, "tried again", map[*member]string{a: "101 102 103 104 105"})
		a.end()
		net.server.Close()
	})
}

// An address that could not be added because it was there with another prefix
// does not wait for the next attempt once that is gone.
func TestObstacleGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		a.mu.Lock()
		a.fails = 1
		a.mu.Unlock()
		time.Sleep(time.Second)
		hold(t, "one failed", map[*member]string{a: "102 103 104 105"})
		a.watch <- rtnl.Event{Kind: rtnl.AddressGone, Address: rtnl.Assigned{
			Address: rtnl.Address{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.101/24")}, Index: 2}}
		synctest.Wait()
		hold(t, "its obstacle is gone", map[*member]string{a: "101 102 103 104 105"})
		a.end()
		net.server.Close()
	})
}

// Rest comes once, some time after the last change, and not again while nothing
// happens.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		time.Sleep(restTime)
		if n := a.rests.Load(); n != 0 {
			t.Errorf("%d rests before the last change is %v ago", n, restTime)
		}
		time.Sleep(10 * time.Minute)
		if n := a.rests.Load(); n != 1 {
			t.Errorf("%d rests in ten minutes", n)
		}
		a.end()
		net.server.Close()
	})
}

// What somebody else removes comes back at once, and after a pause if it keeps
// being removed; it is announced again.
func TestRemovedAddressComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		time.Sleep(time.Second)
		steal := func() {
			synctest.Wait()
			p := netip.MustParsePrefix("10.0.0.103/32")
			a.mu.Lock()
			label := a.there[p]
			delete(a.there, p)
			a.told = nil
			a.mu.Unlock()
			a.watch <- rtnl.Event{Kind: rtnl.AddressGone, Address: rtnl.Assigned{Address: rtnl.Address{Interface: "eth0", Prefix: p, Label: label}, Index: 2}}
		}
		steal()
		hold(t, "put back", map[*member]string{a: "101 102 103 104 105"})
		if strings.Join(a.told, " ") != "10.0.0.103" {
			t.Errorf("announced %v", a.told)
		}
		steal()
		hold(t, "stolen again", map[*member]string{a: "101 102 104 105"})
		time.Sleep(firstPause)
		hold(t, "put back after a pause", map[*member]string{a: "101 102 103 104 105"})
		a.end()
		net.server.Close()
	})
}

// A link that has its carrier back may be at another switch: what is held on it is
// announced again.
func TestCarrierBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		time.Sleep(time.Second)
		synctest.Wait()
		a.mu.Lock()
		a.told = nil
		a.mu.Unlock()
		for _, name := range []string{"eth1", "eth0"} {
			a.watch <- rtnl.Event{Kind: rtnl.LinkChanged, Was: rtnl.Link{Name: name, Up: true}, Link: rtnl.Link{Name: name, Up: true, Carrier: true}}
		}
		synctest.Wait()
		if got := strings.Join(a.told, " "); got != "10.0.0.101 10.0.0.102 10.0.0.103 10.0.0.104 10.0.0.105" {
			t.Errorf("announced %q", got)
		}
		a.end()
		net.server.Close()
	})
}

// A daemon that stands still keeps its connection; the member notices and lets
// everything go.
func TestSilentSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		time.Sleep(time.Second)
		hold(t, "before", map[*member]string{a: "101 102 103 104 105"})
		time.Sleep(time.Minute)
		hold(t, "a healthy daemon", map[*member]string{a: "101 102 103 104 105"})
		net.server.Pause()
		time.Sleep(spreadproto.ProbeAfter + spreadproto.SilentAfter + spreadproto.ProbeAfter)
		hold(t, "silent", map[*member]string{a: ""})
		net.server.Resume()
		time.Sleep(time.Minute)
		hold(t, "back", map[*member]string{a: "101 102 103 104 105"})
		a.end()
		net.server.Close()
	})
}

// A process that stood still finds that out before it does anything else.
func TestStoodStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a := net.start(t, 1, settings)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		a.mu.Lock()
		a.guard.expired = true
		a.mu.Unlock()
		for a.logged("DOWN:") == 0 {
			time.Sleep(time.Millisecond)
		}
		hold(t, "expired", map[*member]string{a: ""})
		a.mu.Lock()
		a.guard.expired = false
		a.mu.Unlock()
		time.Sleep(10 * time.Second)
		hold(t, "joined anew", map[*member]string{a: "101 102 103 104 105"})

		a.lost <- false
		hold(t, "the guard was killed", map[*member]string{a: "101 102 103 104 105"})
		a.lost <- true
		hold(t, "the guard gave up", map[*member]string{a: ""})
		if a.guard.starts != 2 {
			t.Errorf("%d guards started", a.guard.starts)
		}
		a.end()
		net.server.Close()
	})
}

// Without a daemon the member tries for ever, at the configured pace.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		net.server.Close()
		a := net.start(t, 1, settings)
		time.Sleep(time.Minute + time.Second)
		if n := a.logged("Spread connect failed [-2]."); n != 13 {
			t.Errorf("%d attempts in a minute at one each 5 s", n)
		}
		a.end()
	})
}

// A new list of virtual interfaces keeps what is on both lists where it is,
// releases what left at once, and has what is new agreed in a view that nobody
// leaves.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := net.start(t, 1, settings), net.start(t, 2, settings)
		time.Sleep(time.Second)
		hold(t, "before", map[*member]string{a: "101 103", b: "102 104 105"})
		changed := strings.NewReplacer("eth0:10.0.0.102/32", "", "104/32 eth0:10.0.0.105/32 }", "104/32 eth0:10.0.0.106/32 } eth0:10.0.0.107/32").Replace(settings)
		a.told, b.told = nil, nil
		for _, m := range []*member{b, a} {
			if err := m.node.Reload(t.Context(), parse(t, changed), "4803"); err != nil {
				t.Fatal(err)
			}
		}
		hold(t, "reloaded", map[*member]string{a: "101 103", b: "104 106 107"})
		for _, m := range []*member{a, b} {
			for _, kept := range []string{"101", "103", "104"} {
				if n := m.logged("DOWN: eth0:1:10.0.0." + kept); n != 0 {
					t.Errorf("%v let %s go %d times", m.own, kept, n)
				}
			}
		}
		a.end()
		hold(t, "one has left", map[*member]string{b: "101 103 104 106 107"})
		b.end()
		net.server.Close()
	})
}

// wackatrl -f and -s.
func TestFailAndRecover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		a, b := net.start(t, 1, settings), net.start(t, 2, settings)
		time.Sleep(time.Second)
		if err := b.node.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		hold(t, "recovered while healthy", map[*member]string{a: "101 103", b: "102 104 105"})
		if err := b.node.Fail(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		hold(t, "failed", map[*member]string{a: "101 102 103 104 105", b: ""})
		s, err := b.node.Snapshot(t.Context())
		if err != nil || s.Phase.String() != "FAILED" || s.View != nil {
			t.Errorf("state %+v, %v", s, err)
		}
		if err := b.node.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		s, err = b.node.Snapshot(t.Context())
		if err != nil || s.Phase.String() != "RUN" || len(s.View.Members) != 2 || s.Counters.Reconnects != 1 {
			t.Errorf("state %+v, %v", s, err)
		}
		a.end()
		b.end()
		net.server.Close()
	})
}
