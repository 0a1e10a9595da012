package garp

import (
	"errors"
	"time"
)

// read asks for the link-layer address of l.
func (a *Announcer) read(l *link, now time.Time) {
	a.mu.Unlock()
	addr, err := a.sender.Link(l.name)
	a.mu.Lock()
	if err != nil {
		a.fail(l, now, 0, err)
		return
	}
	l.addr, l.readAt = addr, now
}

// send hands a batch to the sender.
func (a *Announcer) send(b *batch) {
	a.flight = b
	a.mu.Unlock()
	n, err := a.sender.Send(b.link.name, b.frames)
	now := time.Now()
	a.mu.Lock()
	a.flight = nil
	a.batches++
	a.sent.Broadcast()

	n = min(max(n, 0), len(b.frames))
	a.limit.take(now, n, b.kind == notification)
	if b.kind == notification {
		a.stats.Notifications += uint64(n)
	} else {
		a.stats.Announcements += uint64(n)
	}
	for _, owner := range b.owners[:n] {
		a.finish(owner.owner)
	}
	if n > 0 {
		b.link.took()
	}
	if n == len(b.frames) {
		return
	}
	left := b.rest(n)
	if err == nil {
		err = ErrBusy
	}
	if errors.Is(err, ErrBusy) && b.link.full(now) {
		a.stats.Retries++
		b.link.again[b.kind] = left
		return
	}
	a.fail(b.link, now, a.drop(left), err)
}

// drop gives the frames of b up and returns how many they are.
func (a *Announcer) drop(b *batch) int {
	if b == nil {
		return 0
	}
	for _, owner := range b.owners {
		a.finish(owner.owner)
	}
	return len(b.frames)
}

// fail gives up what is due on l after err: the present round of the
// announcements, and for a while the lists. dropped frames are lost already.
func (a *Announcer) fail(l *link, now time.Time, dropped int, err error) {
	for kind, b := range l.again {
		dropped += a.drop(b)
		l.again[kind] = nil
	}
	kept := l.bursts[:0]
	for _, b := range l.bursts {
		if b.due.After(now) {
			kept = append(kept, b)
			continue
		}
		dropped += b.left()
		if a.advance(b, true) && !absorbed(kept, b) {
			kept = append(kept, b)
		}
	}
	clear(l.bursts[len(kept):])
	l.bursts = kept

	noARP := errors.Is(err, ErrNoARP)
	l.pauses++
	l.listsPaused = now.Add(listPause)
	if noARP || l.pauses >= maxPauses {
		for _, turn := range l.ready {
			a.finish(turn.address.owner)
		}
		if !noARP {
			a.stats.DroppedLists += uint64(len(l.ready))
		}
		l.ready = nil
	}
	if noARP {
		return
	}
	a.stats.Dropped += uint64(dropped)
	if line := l.report(now, dropped, err); line != "" {
		a.mu.Unlock()
		a.logf("%s", line)
		a.mu.Lock()
	}
}
