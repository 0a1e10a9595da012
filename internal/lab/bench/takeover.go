package main

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"
)

// A contestant takes over addresses on a wire and releases them again. Both methods return once that is under way.
type contestant interface {
	name() string
	// frames is how many announcements of each address it sends at once, not counting later repetitions; 0 for
	// one that does not announce.
	frames() int
	takeOver() error
	release() error
	// begin is the time from which what happens counts. It is asked for when it is over.
	begin() time.Duration
	close()
}

// A round is one take-over and the release after it, as the wire saw it. All times count from the beginning.
type round struct {
	added      time.Duration // the last address is in the kernel
	firstFrame time.Duration // of all on the wire
	behind     time.Duration // from the first address in the kernel to its first frame
	everyFrame time.Duration // each address has been announced once
	lastFrame  time.Duration // of those that are sent at once
	released   time.Duration // the last address is gone
}

// An order is which address of a contestant comes first, which last, and which goes last.
type order struct{ first, last, gone netip.Addr }

// play has a contestant take over and release once. Without an order (the first time) it listens to everything and
// finds out the order; the times of such a round are not to be used.
func play(c contestant, w *wire, list []virtual, o order) (r round, learned order, err error) {
	if learned, err = o, w.listen(o); err != nil {
		return r, o, err
	}
	w.ring.drain()
	// The collector is not to run meanwhile.
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	if err := c.takeOver(); err != nil {
		return r, o, fmt.Errorf("take over: %w", err)
	}
	events, err := w.events.wait(patience, complete(len(list), o.last, false))
	if err != nil {
		return r, o, fmt.Errorf("wait for %d addresses, %d events so far: %w", len(list), len(events), err)
	}
	if !o.last.IsValid() {
		learned.first, learned.last = events[0].addr, events[len(events)-1].addr
	}
	begin := c.begin()
	first, _ := find(events, learned.first, false)
	last, _ := find(events, learned.last, false)
	r.added = last - begin
	if count, err := w.present(); err != nil || count != len(list) {
		return r, o, fmt.Errorf("%d addresses are there after the last of %d: %v", count, len(list), err)
	}
	if err := r.listen(w.ring, c.frames(), len(list), learned, begin); err != nil {
		return r, o, err
	}
	if r.added <= 0 {
		return r, o, errors.New("took over before it was told to")
	}
	r.behind = max(0, r.behind-(first-begin)) // 0: the frame was here before the listener had woken up
	if f, ok := c.(*floor); ok {
		r.added = f.pushed - begin // it knows without being told
	}

	if err := w.listen(o); err != nil {
		return r, o, err
	}
	if err := c.release(); err != nil {
		return r, o, fmt.Errorf("release: %w", err)
	}
	events, err = w.events.wait(patience, complete(len(list), o.gone, true))
	if err != nil {
		return r, o, fmt.Errorf("wait for %d addresses to go, %d events so far: %w", len(list), len(events), err)
	}
	if !o.gone.IsValid() {
		learned.gone = events[len(events)-1].addr
	}
	last, _ = find(events, learned.gone, true)
	r.released = last - c.begin()
	if f, ok := c.(*floor); ok {
		r.released = f.pushed - f.began
	}
	if count, err := w.present(); err != nil || count != 0 {
		return r, o, fmt.Errorf("%d addresses are there after the release of %d: %v", count, len(list), err)
	}
	return r, learned, nil
}

// listen listens for the addresses that the order names, or all.
func (w *wire) listen(o order) error {
	if !o.last.IsValid() {
		return w.events.watch()
	}
	return w.events.watch(o.first, o.last, o.gone)
}

// complete tells whether the address has come, or gone; without one, whether so many have.
func complete(count int, addr netip.Addr, gone bool) func([]addressEvent) bool {
	return func(list []addressEvent) bool {
		if addr.IsValid() {
			_, ok := find(list, addr, gone)
			return ok
		}
		seen := make(map[netip.Addr]bool)
		for _, e := range list {
			if e.gone == gone {
				seen[e.addr] = true
			}
		}
		return len(seen) == count
	}
}

// listen fills in the times of the announcements, once so many an address have arrived. An address that is
// announced has been added: where the listener was slow to wake up for the last, its frame tells better.
func (r *round) listen(ring *ring, each, addresses int, o order, begin time.Duration) error {
	if each == 0 {
		return nil
	}
	counts := make(map[[4]byte]int, addresses)
	announced, missing := 0, each*addresses
	for end := now() + patience; missing > 0; time.Sleep(2 * time.Millisecond) {
		for _, f := range ring.drain() {
			n := counts[f.addr]
			if n == each || !virtualBlock.Contains(netip.AddrFrom4(f.addr)) {
				continue
			}
			counts[f.addr] = n + 1
			missing--
			at := f.at - begin
			if r.firstFrame == 0 {
				r.firstFrame = at
			}
			if n == 0 {
				if f.addr == o.last.As4() {
					r.added = min(r.added, at)
				}
				if f.addr == o.first.As4() {
					r.behind = at
				}
				if announced++; announced == addresses {
					r.everyFrame = at
				}
			}
			r.lastFrame = at
		}
		if now() > end {
			return fmt.Errorf("%d announcements of %d have not come", missing, each*addresses)
		}
	}
	return nil
}
