package garp

import (
	"time"
)

// What the goroutine has to do next.
type action int

const (
	rest     action = iota // nothing before a certain time, or at all
	goOn                   // choose again, after a look at what others did meanwhile
	readLink               // read an interface's link-layer address
	send                   // send a batch
)

// run sends until Close.
func (a *Announcer) run() {
	defer close(a.ended)
	timer := time.NewTimer(0)
	timer.Stop()
	for {
		next, open := a.work()
		if !open {
			return
		}
		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
		select {
		case <-a.wake:
		case <-timer.C:
		}
	}
}

// work does all that is due. It returns when to come back, the zero time if
// nothing is pending, and whether the Announcer is still open.
func (a *Announcer) work() (next time.Time, open bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stats.Wakeups++
	for !a.closed {
		a.queue()
		now := time.Now()
		act, l, b, next := a.choose(now)
		switch act {
		case rest:
			return next, true
		case goOn:
			a.mu.Unlock() // let waiting commands in
			a.mu.Lock()
		case readLink:
			a.read(l, now)
		case send:
			a.send(b)
		}
	}
	return time.Time{}, false
}

// An alarm is the earliest of several times.
type alarm struct{ time.Time }

func (s *alarm) at(t time.Time) {
	if s.IsZero() || t.Before(s.Time) {
		s.Time = t
	}
}

// choose finds the most urgent thing to do: announcements before lists.
func (a *Announcer) choose(now time.Time) (action, *link, *batch, time.Time) {
	var next alarm
	a.wakeLanes(now)
	act, l, b := a.chooseAnnouncement(now, &next)
	switch {
	case act != rest:
	case len(a.asked) > 0:
		return goOn, nil, nil, now
	case a.more.After(now):
		next.at(a.more)
	default:
		act, l, b = a.chooseList(now, &next)
	}
	if len(a.waiting) > 0 {
		next.at(a.waitDue)
	}
	return act, l, b, next.Time
}

// chooseAnnouncement takes the due announcement with the fewest steps behind
// it, of whichever interface, so that no address has a second frame before
// all have their first, those that are about to follow included.
func (a *Announcer) chooseAnnouncement(now time.Time, next *alarm) (action, *link, *batch) {
	var (
		l    *link
		best *burst
	)
	for _, candidate := range a.links {
		if put := candidate.again[announcement]; put != nil {
			if candidate.blocked.After(now) {
				next.at(candidate.blocked)
				continue
			}
			if room, _ := a.limit.room(now); room < len(put.frames) {
				next.at(a.limit.relief())
				return rest, nil, nil
			}
			candidate.again[announcement] = nil
			return send, candidate, put
		}
		for _, b := range candidate.bursts {
			switch {
			case b.due.After(now) || candidate.blocked.After(now):
				next.at(later(b.due, candidate.blocked))
			case best == nil || b.step < best.step:
				l, best = candidate, b
			}
		}
	}
	if best == nil || best.step > 0 && (len(a.asked) > 0 || a.more.After(now)) {
		return rest, nil, nil
	}
	room, when := a.limit.room(now)
	if room == 0 {
		next.at(when)
		return rest, nil, nil
	}
	if !best.begun {
		best.begun = true
		if !l.readAt.Equal(now) {
			return readLink, l, nil
		}
	}
	a.out.reset(l, announcement)
	a.fillAnnouncements(l, best.step, now, room)
	if len(a.out.frames) == 0 { // the addresses whose turn it was have been withdrawn
		return goOn, nil, nil
	}
	return send, l, a.out
}

// fillAnnouncements fills the batch from all bursts of l that are as far as step.
func (a *Announcer) fillAnnouncements(l *link, step int, now time.Time, room int) {
	kept := l.bursts[:0]
	for _, b := range l.bursts {
		due := b.step == step && b.begun && !b.due.After(now)
		if !due || !b.fill(a.out, room-len(a.out.frames)) {
			kept = append(kept, b)
			continue
		}
		if a.advance(b, false) && !absorbed(kept, b) {
			kept = append(kept, b)
		}
	}
	clear(l.bursts[len(kept):])
	l.bursts = kept
}

// advance takes b a step, or to its next round, and reports whether there is one.
func (a *Announcer) advance(b *burst, skip bool) bool {
	if b.advance(skip) {
		return true
	}
	for _, done := range b.addresses {
		a.finish(done.owner)
	}
	return false
}

// absorbed tells whether one of bursts could take b in.
func absorbed(bursts []*burst, b *burst) bool {
	for _, other := range bursts {
		if other.absorb(b) {
			return true
		}
	}
	return false
}

// chooseList takes the lists of one interface after another.
func (a *Announcer) chooseList(now time.Time, next *alarm) (action, *link, *batch) {
	for i := range a.links {
		n := (a.turn + i) % len(a.links)
		l := a.links[n]
		put := l.again[notification]
		if put == nil && len(l.ready) == 0 {
			continue
		}
		if when := later(l.blocked, l.listsPaused); when.After(now) {
			next.at(when)
			continue
		}
		room, when := a.limit.listRoom(now)
		if room == 0 {
			next.at(when)
			break
		}
		a.turn = n + 1
		if put != nil {
			l.again[notification] = nil
			return send, l, put
		}
		if now.Sub(l.readAt) >= readFresh {
			return readLink, l, nil
		}
		a.out.reset(l, notification)
		l.fill(a.out, room, a.entries, &a.pool,
			func(turn *lane) { a.wait(turn, now) },
			func(turn *lane) { a.finish(turn.address.owner) })
		if len(a.out.frames) > 0 {
			return send, l, a.out
		}
		return goOn, nil, nil
	}
	return rest, nil, nil
}

// wait puts a lane aside until its next round. Rounds begin at multiples of
// together, so that many lanes share a wake-up.
func (a *Announcer) wait(turn *lane, now time.Time) {
	due := now.Sub(a.limit.epoch) + roundLength
	due = (due + together - 1) / together * together
	turn.due = a.limit.epoch.Add(due)
	if len(a.waiting) == 0 || turn.due.Before(a.waitDue) {
		a.waitDue = turn.due
	}
	a.waiting = append(a.waiting, turn)
}

// wakeLanes gives the lanes their turn whose next round is due.
func (a *Announcer) wakeLanes(now time.Time) {
	if len(a.waiting) == 0 || a.waitDue.After(now) {
		return
	}
	var soonest alarm
	kept := a.waiting[:0]
	for _, turn := range a.waiting {
		if turn.due.After(now) {
			soonest.at(turn.due)
			kept = append(kept, turn)
		} else {
			turn.address.link.ready = append(turn.address.link.ready, turn)
		}
	}
	clear(a.waiting[len(kept):])
	a.waiting, a.waitDue = kept, soonest.Time
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
