package garp

import (
	"net/netip"
	"time"
)

// A request is one call of Announce.
type request struct {
	interfaces []VirtualInterface
	at         time.Time
}

// announce notes the request and reports whether it is the first of those that
// follow each other.
func (a *Announcer) announce(interfaces []VirtualInterface, more bool, now time.Time) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	following := a.more.After(now)
	a.more = time.Time{}
	if more {
		a.more = now.Add(together)
	}
	if len(interfaces) > 0 {
		first = !following
		a.asked = append(a.asked, request{interfaces, now})
		if a.unqueued += len(interfaces); a.unqueued > unqueuedMost {
			a.queueAll()
		}
	}
	if a.virtuals != nil || len(a.asked) > 0 {
		a.signal()
	}
	return first
}

// queueAtOnce is how many virtual interfaces go into the queues before the first
// frames leave.
const queueAtOnce = 128

// unqueuedMost bounds what waits for the goroutine. Who asks for more does its work,
// so that announcements that start anew again and again take no more and more memory.
const unqueuedMost = 2000

// queue takes up to queueAtOnce virtual interfaces of what was asked for.
func (a *Announcer) queue() {
	if len(a.asked) == 0 {
		return
	}
	next := &a.asked[0]
	part, now := next.interfaces[:min(len(next.interfaces), queueAtOnce)], next.at
	restarted, total := false, 0
	for i := range part {
		restarted = a.forget(part[i].Key) || restarted
		total += len(part[i].Addresses)
	}
	if restarted {
		a.sweep()
	}
	if a.virtuals == nil {
		a.virtuals = make(map[netip.Addr]*virtual, len(next.interfaces))
	}
	virtuals, addresses := make([]virtual, len(part)), make([]address, total)
	for i := range part {
		vif, n := &part[i], len(part[i].Addresses)
		v := &virtuals[i]
		v.key, v.addresses = vif.Key, addresses[:0:n]
		addresses = addresses[n:]
		a.add(v, vif.Addresses, now)
	}
	a.unqueued -= len(part)
	if next.interfaces = next.interfaces[len(part):]; len(next.interfaces) == 0 {
		if a.asked = a.asked[1:]; len(a.asked) == 0 {
			a.asked = nil
		}
	}
	if len(a.virtuals) == 0 { // none of them had an address to announce
		a.virtuals = nil
	}
}

// queueAll takes all of what was asked for.
func (a *Announcer) queueAll() {
	for len(a.asked) > 0 {
		a.queue()
	}
}
