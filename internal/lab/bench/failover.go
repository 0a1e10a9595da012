package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/lab"
	"wackamole/internal/lab/cluster"
)

// A failover measures whole failovers in a lab of three nodes: one is killed or told to end, and its addresses
// answer again. The Spread of the lab tells the others at once when the connection of a node ends; what a real one
// needs to miss a machine (its token loss timeout, a second or more) comes on top where a whole machine dies.
type failover struct {
	cluster *cluster.Cluster
	stamps  []*stamps          // of node I at I-1
	events  []*addressListener // likewise

	mu       sync.Mutex
	changed  sync.Cond
	virtual  map[netip.Addr]bool
	answer   map[netip.Addr]sighting // first answer to the prober by another than the victim
	announce map[netip.Addr]sighting // first announcement likewise
	victim   int
}

// A sighting is what was seen of an address on a port of the switch.
type sighting struct {
	port int
	at   time.Duration
}

// failoverResult is the parts of many failovers, in seconds, for each address.
type failoverResult struct {
	detection, agreement, kernel, announcement, prober, total sample
	gone, gap                                                 sample // on the old node; from there to the new one
	addresses                                                 int    // that moved, each time
	twice                                                     sample // how long two answered, the longest
}

const (
	failoverNodes = 3
	// steadyTime is how long nothing may change before the next round.
	steadyTime = 300 * time.Millisecond
)

func newFailover(binary string, addresses int, interval time.Duration) (f *failover, err error) {
	f = &failover{virtual: make(map[netip.Addr]bool)}
	f.changed.L = &f.mu
	for range failoverNodes {
		f.stamps = append(f.stamps, &stamps{})
	}
	f.cluster, err = cluster.New(cluster.Options{
		Binary: binary, Nodes: failoverNodes, Addresses: addresses, Mature: time.Second,
		Settings: "Balance {\n\tAcquisitionsPerRound = all\n\tInterval = 1s\n}\nPrefer None",
		Interval: interval, Tap: f.tap,
		Listener: func(h *lab.Host, l net.Listener) net.Listener { return stampingListener{l, f.stamps[h.Number-1]} },
	})
	if err != nil {
		return nil, err
	}
	for _, a := range f.cluster.Addresses {
		f.virtual[a] = true
	}
	for _, n := range f.cluster.Nodes {
		l, err := listenAddresses(n.Host.Namespace)
		if err == nil {
			f.events = append(f.events, l)
			err = n.Start()
		}
		if err != nil {
			f.close()
			return nil, err
		}
	}
	return f, f.settle()
}

func (f *failover) close() {
	for _, l := range f.events {
		l.close()
	}
	f.cluster.Close()
}

// settle waits until all nodes run and share the addresses evenly.
func (f *failover) settle() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	f.cluster.Prober.Begin()
	if err := f.cluster.Prober.WaitSteady(ctx, steadyTime, f.cluster.Balanced); err != nil {
		return fmt.Errorf("the addresses are not shared out: %w", err)
	}
	return nil
}

// tap sees each frame that a node sends.
func (f *failover) tap(port int, _ time.Time, frame []byte) bool {
	const operation, targetAddress, end = 20, 38, 42
	if len(frame) < end || binary.BigEndian.Uint16(frame[12:]) != unix.ETH_P_ARP {
		return false
	}
	at := now()
	a := netip.AddrFrom4([4]byte(frame[arpAddress:]))
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.virtual[a] || port == f.victim {
		return false
	}
	seen := f.answer
	if a.As4() == [4]byte(frame[targetAddress:]) {
		seen = f.announce
	} else if binary.BigEndian.Uint16(frame[operation:]) != 2 {
		return false
	}
	if _, known := seen[a]; seen != nil && !known {
		seen[a] = sighting{port, at}
		f.changed.Broadcast()
	}
	return false
}

// round ends node 1 by the signal, waits for the others to answer for all that it held, and starts it again.
func (f *failover) round(s syscall.Signal, r *failoverResult) error {
	var moved []netip.Addr
	for i, holders := range f.cluster.Prober.Snapshot().Holders {
		if holders == lab.PortSet(1) {
			moved = append(moved, f.cluster.Addresses[i])
		}
	}
	for _, l := range f.events {
		if err := l.watch(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	f.victim, f.answer, f.announce = 1, make(map[netip.Addr]sighting), make(map[netip.Addr]sighting)
	f.mu.Unlock()
	f.cluster.Prober.Begin()

	began := now()
	if _, err := f.cluster.Node(1).Stop(s); err != nil {
		return err
	}
	if err := f.await(moved); err != nil {
		return err
	}
	if err := f.account(r, moved, began); err != nil {
		return err
	}
	var twice time.Duration
	for _, o := range f.cluster.Prober.Outcomes() {
		twice = max(twice, o.Twice)
	}
	r.twice.add(twice)
	if err := f.cluster.Node(1).Start(); err != nil {
		return err
	}
	return f.settle()
}

// await waits until all that have moved have been announced and answer.
func (f *failover) await(moved []netip.Addr) error {
	timer := time.AfterFunc(patience, f.changed.Broadcast)
	defer timer.Stop()
	end := now() + patience
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		missing := len(moved)
		for _, a := range moved {
			_, answered := f.answer[a]
			if _, announced := f.announce[a]; answered && announced {
				missing--
			}
		}
		if missing == 0 {
			return nil
		}
		if now() > end {
			return fmt.Errorf("%d of %d addresses do not answer", missing, len(moved))
		}
		f.changed.Wait()
	}
}

// account adds one failover to the result.
func (f *failover) account(r *failoverResult, moved []netip.Addr, began time.Duration) error {
	old, err := f.events[0].wait(patience, complete(len(moved), netip.Addr{}, true))
	if err != nil {
		return fmt.Errorf("wait for the addresses to go: %w", err)
	}
	r.addresses = len(moved)
	f.mu.Lock()
	answers, announcements := f.answer, f.announce
	f.answer, f.announce = nil, nil // tap leaves them alone from here on
	f.mu.Unlock()
	for _, a := range moved {
		answer, announce := answers[a], announcements[a]
		view := time.Duration(f.stamps[answer.port-1].view.Load())
		state := time.Duration(f.stamps[answer.port-1].state.Load())
		var came time.Duration
		events, err := f.events[answer.port-1].wait(patience, func(list []addressEvent) (ok bool) {
			came, ok = find(list, a, false)
			return ok
		})
		if err != nil {
			return fmt.Errorf("wait for %v to come, %d events so far: %w", a, len(events), err)
		}
		went, ok := find(old, a, true)
		if !ok || view < began || state < view {
			return errors.New("what happened did not happen in order")
		}
		r.detection.add(view - began)
		r.agreement.add(state - view)
		r.kernel.add(came - state)
		r.announcement.add(max(0, announce.at-came))
		r.prober.add(max(0, answer.at-came))
		r.total.add(answer.at - began)
		r.gone.add(went - began)
		r.gap.add(came - went)
	}
	return nil
}

// A failoverSize is how many addresses three nodes share, and how often each is asked for.
type failoverSize struct {
	addresses int
	interval  time.Duration
}

// failovers measures both ways in which a node can end.
func failovers(binary string, runs int, sizes []failoverSize, log func(string)) ([]*table, error) {
	total := &table{
		title: "Whole failover, three nodes in a lab, for each address",
		head:  []string{"ms", "detection", "agreement", "kernel", "(announcement)", "prober", "until it answers"},
	}
	total.note("Each address of node 1: from the signal to Spread's view, to the last STATE, to the address in the kernel of the new")
	total.note("holder, to its first answer; the announcement leaves meanwhile. The prober's share is that it asks only now and then.")
	total.note("The lab's Spread sees the end of a connection at once; a real one needs its own timeouts where a whole machine dies.")
	gap := &table{
		title: "Hand-over, for each address: how long nobody held it (negative: two did)",
		head:  []string{"ms", "gone from node 1", "nobody held it", "agreement", "longest answered twice"},
	}
	gap.note("On SIGTERM addresses are released, then Spread is told: the gap is an agreement and the batches of both kernels.")
	gap.note("On SIGKILL the guard does the same: it releases, and then the connection with Spread ends.")
	bare := func(v float64) string { return digits(v * 1e3) }
	for _, size := range sizes {
		f, err := newFailover(binary, size.addresses, size.interval)
		if err != nil {
			return []*table{total, gap}, err
		}
		for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
			log(fmt.Sprintf("whole failover, %d addresses, %v", size.addresses, unix.SignalName(s)))
			var r failoverResult
			for i := range runs {
				if err := f.round(s, &r); err != nil {
					f.close()
					return []*table{total, gap}, fmt.Errorf("failover %d of %d addresses: %w", i+1, size.addresses, err)
				}
			}
			title := fmt.Sprintf("%s, %d of %d addresses", unix.SignalName(s), r.addresses, size.addresses)
			total.row(title, r.detection.in(bare), r.agreement.in(bare), r.kernel.in(bare), r.announcement.in(bare), r.prober.in(bare), r.total.in(bare))
			gap.row(title, r.gone.in(bare), r.gap.in(bare), r.agreement.in(bare), r.twice.in(bare))
		}
		f.close()
	}
	return []*table{total, gap}, nil
}
