package garp

import (
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// An Announcer sends the announcements of virtual interfaces. Its methods may
// be called from any goroutine; none waits for the network. Close it.
type Announcer struct {
	sender Sender
	logf   func(format string, args ...any)
	wake   chan struct{} // capacity 1: something changed
	ended  chan struct{} // closed by the goroutine at its end
	pool   pool

	mu       sync.Mutex
	closed   bool
	flight   *batch     // the batch being sent, without mu; nil between batches
	sent     *sync.Cond // a batch was sent
	batches  uint64     // how many were
	asked    []request  // what Announce was given and is not yet in the queues
	unqueued int        // virtual interfaces in asked
	more     time.Time  // until when more is to come; what is less urgent waits
	virtuals map[netip.Addr]*virtual
	links    []*link // all interfaces ever used, in the order of their first use
	byName   map[string]*link
	lastLink *link // the latest that was looked up
	config   Config
	entries  []entry
	waiting  []*lane   // lists that wait for their next round
	waitDue  time.Time // the earliest of them
	turn     int       // index of the link whose lists are next
	limit    limiter
	stats    Stats
	// out is the batch being built or sent.
	out *batch
}

// New starts an Announcer that sends through sender and reports what goes wrong
// to logf, at most a line an interface in ten seconds. logf is called from the
// Announcer's goroutine and should not block. The sender remains the caller's to
// close, after Close.
func New(sender Sender, logf func(format string, args ...any)) *Announcer {
	a := newAnnouncer(sender, logf)
	go a.run()
	return a
}

func newAnnouncer(sender Sender, logf func(format string, args ...any)) *Announcer {
	a := &Announcer{
		sender: sender,
		logf:   logf,
		wake:   make(chan struct{}, 1),
		ended:  make(chan struct{}),
		byName: make(map[string]*link),
		limit:  newLimiter(time.Now()),
		out:    newBatch(),
	}
	a.sent = sync.NewCond(&a.mu)
	return a
}

// Close drops everything that is pending and waits for the goroutine to end. No
// frame leaves afterwards, and announcing has no effect any more.
func (a *Announcer) Close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.signal()
	<-a.ended
}

func (a *Announcer) signal() {
	select {
	case a.wake <- struct{}{}:
	default: // it is going to look anyway
	}
}

// Announce starts telling the network about virtual interfaces whose addresses
// the kernel has just been given. One that is still being announced starts
// anew, as it must when it was kept in a conflict. Addresses that are not IPv4
// are left out. It keeps the slices, which the caller must not change any more:
// whoever adds addresses is to go on with the next ones, and they go into the
// queues by the goroutine that sends.
//
// more says that others are about to follow, whose first frames are to leave before
// anything less urgent. That waits for the next call, a moment at most.
func (a *Announcer) Announce(interfaces []VirtualInterface, more bool) {
	if a.announce(interfaces, more, time.Now()) {
		// The goroutine has just become ready. Where the runtime has one processor, it
		// would wait until the caller has been in the kernel for so long that the runtime
		// notices, up to 10 ms; its first frames take microseconds.
		runtime.Gosched()
	}
}

// add puts one virtual interface, yet without addresses, into the queues.
func (a *Announcer) add(v *virtual, given []Address, now time.Time) {
	if a.virtuals[v.key] != nil {
		return // the same key twice in one call
	}
	for i := range given {
		if !given[i].Addr.Is4() {
			continue
		}
		network, ok := blockOf(given[i].Network)
		if !ok {
			network, _ = blockOf(netip.PrefixFrom(given[i].Addr, 32))
		}
		v.addresses = append(v.addresses, address{
			ip: given[i].Addr.As4(), network: network, link: a.link(given[i].Interface), owner: v,
		})
		added := &v.addresses[len(v.addresses)-1]
		added.link.announce(added, now)
		v.pending++
		a.startLists(added)
	}
	if v.pending > 0 {
		a.virtuals[v.key] = v
	}
}

// startLists gives an address its turns in the lists.
func (a *Announcer) startLists(added *address) {
	var wanted [2]bool // without throttle, with one
	for i := range a.entries {
		e := &a.entries[i]
		if _, size := added.targets(e, &a.pool); size > 0 {
			wanted[min(e.throttle, 1)] = true
		}
	}
	for i, wanted := range wanted {
		if wanted {
			added.link.ready = append(added.link.ready, &lane{address: added, throttled: i == 1})
			added.owner.pending++
		}
	}
}

// link finds or makes the record of an interface.
func (a *Announcer) link(name string) *link {
	if l := a.lastLink; l != nil && l.name == name {
		return l // mostly
	}
	l := a.byName[name]
	if l == nil {
		l = &link{name: name}
		a.byName[name] = l
		a.links = append(a.links, l)
	}
	a.lastLink = l
	return l
}

// Withdraw ends all that is pending of the virtual interfaces with these keys.
// When it returns, no frame of theirs is going to leave: it waits for the end of
// the one system call that may be on its way with some, which does not block.
func (a *Announcer) Withdraw(keys []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queueAll()
	found := false
	for _, key := range keys {
		found = a.forget(key) || found
	}
	if found {
		a.sweep()
	}
	// Frames on their way may also be of an interface that an Announce has
	// replaced since.
	if a.flight != nil && a.flight.hasWithdrawn() {
		for n := a.batches; a.batches == n; {
			a.sent.Wait()
		}
	}
}

// forget marks a virtual interface as withdrawn and reports whether anything
// of it was pending. Call sweep then.
func (a *Announcer) forget(key netip.Addr) bool {
	v := a.virtuals[key]
	if v == nil {
		return false
	}
	for i := range v.addresses {
		v.addresses[i].withdrawn = true
	}
	a.remove(v)
	return true
}

// remove takes v off the books.
func (a *Announcer) remove(v *virtual) {
	if a.virtuals[v.key] != v {
		return // it was withdrawn, or replaced by a later Announce
	}
	delete(a.virtuals, v.key)
	if len(a.virtuals) == 0 {
		a.virtuals = nil // a map does not shrink
	}
}

// sweep takes what was withdrawn out of all queues.
func (a *Announcer) sweep() {
	for _, l := range a.links {
		l.sweep()
	}
	a.waiting = sweepLanes(a.waiting)
}

// finish notes that a burst, a lane or a frame of v is done with.
func (a *Announcer) finish(v *virtual) {
	if v.pending--; v.pending == 0 {
		a.remove(v)
	}
}

// Stats returns the counters.
func (a *Announcer) Stats() Stats {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.queueAll()
	s := a.stats
	s.Pending = len(a.virtuals)
	s.Pool = a.pool.len()
	return s
}
