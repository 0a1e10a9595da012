package garp

import (
	"errors"
	"time"

	"wackamole/internal/fmt"
)

const (
	// A full queue is tried again after retryFirst, then after twice that, up
	// to retryMost; after retryLimit without a frame taken the interface counts
	// as one that does not work.
	retryFirst = time.Millisecond
	retryMost  = 8 * time.Millisecond
	retryLimit = time.Second

	// The lists of an interface that does not work wait for listPause, and are
	// given up when it did not work maxPauses times in a row.
	listPause = time.Second
	maxPauses = 10

	// An interface is not read anew for list work within readFresh.
	readFresh = time.Second

	// One line of log an interface within logPause.
	logPause = 10 * time.Second
)

// Kinds of frames, index of link.again.
const (
	announcement = iota
	notification
)

// A link is what is to be sent to one interface, and how that goes.
type link struct {
	name   string
	addr   LinkAddr
	readAt time.Time // of the last successful reading of addr

	bursts []*burst
	ready  []*lane   // lists whose turn it is, in order
	again  [2]*batch // frames that a full queue put off, by kind

	blocked     time.Time // nothing is sent before this
	blockedFor  time.Duration
	stuckSince  time.Time // zero while frames are taken
	listsPaused time.Time
	pauses      int

	logAt    time.Time // nothing is logged before this
	unlogged int       // frames dropped since the last line
}

// announce queues the default announcements of a, with those of addresses
// that came just before where these have not gone beyond their first frames.
func (l *link) announce(a *address, now time.Time) {
	for _, b := range l.bursts {
		if b.step == 0 && now.Sub(b.start) <= together {
			b.addresses = append(b.addresses, a)
			b.begun = false
			return
		}
	}
	l.bursts = append(l.bursts, &burst{addresses: []*address{a}, start: now, due: now})
}

// took notes that the kernel took frames.
func (l *link) took() {
	l.stuckSince, l.blockedFor, l.pauses = time.Time{}, 0, 0
}

// full notes a full queue and reports whether it is worth trying again.
func (l *link) full(now time.Time) bool {
	if l.stuckSince.IsZero() {
		l.stuckSince = now
	}
	if now.Sub(l.stuckSince) >= retryLimit {
		l.took() // the next frames have their own second
		return false
	}
	l.blockedFor = min(max(2*l.blockedFor, retryFirst), retryMost)
	l.blocked = now.Add(l.blockedFor)
	return true
}

// report returns the line to log about frames dropped for err, "" if it is too
// early for another, or if the interface just has no ARP.
func (l *link) report(now time.Time, frames int, err error) string {
	if errors.Is(err, ErrNoARP) {
		return ""
	}
	l.unlogged += frames
	if now.Before(l.logAt) {
		return ""
	}
	l.logAt = now.Add(logPause)
	line := fmt.Sprintf("announce on %s: %v; %d frames dropped, the interface is looked at again at the next repetition", l.name, err, l.unlogged)
	l.unlogged = 0
	return line
}

// sweep takes withdrawn addresses out of all queues of l.
func (l *link) sweep() {
	kept := l.bursts[:0]
	for _, b := range l.bursts {
		if b.sweep() {
			kept = append(kept, b)
		}
	}
	clear(l.bursts[len(kept):])
	l.bursts = kept
	l.ready = sweepLanes(l.ready)
	for i, b := range l.again {
		if b != nil {
			l.again[i] = b.rest(0)
		}
	}
}

// sweepLanes takes the lanes of withdrawn addresses out.
func sweepLanes(lanes []*lane) []*lane {
	kept := lanes[:0]
	for _, turn := range lanes {
		if !turn.address.withdrawn {
			kept = append(kept, turn)
		}
	}
	clear(lanes[len(kept):])
	return kept
}
