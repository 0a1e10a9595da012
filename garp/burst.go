package garp

import "time"

// repeats are the moments of a default announcement after the address was
// acquired. A Linux neighbour entry ignores changes for a second after its
// last one (locktime), so that a repetition must come a little more than whole
// seconds after.
var repeats = [...]time.Duration{0, 1050 * time.Millisecond, 2050 * time.Millisecond, 5050 * time.Millisecond}

// together is how far apart repetitions may be due that are sent as one, for
// the sake of fewer wake-ups and shorter queues; they are sent at the later's time.
const together = 50 * time.Millisecond

// A burst is the default announcements of addresses of one interface that were
// acquired together. It goes through its addresses once a step. Even steps send
// requests, odd ones replies, and each pair of steps is a round of repeats.
type burst struct {
	addresses []*address
	step      int
	next      int       // index of the address whose turn it is in this step
	start     time.Time // when the addresses were acquired
	due       time.Time // of the present round
	earliest  time.Time // due of this round before others were absorbed
	begun     bool      // the interface was looked at for this round
}

// fill adds frames of the present step to out, at most room, and reports
// whether the step is finished.
func (b *burst) fill(out *batch, room int) bool {
	room = min(room, out.room())
	for ; room > 0 && b.next < len(b.addresses); room-- {
		out.announce(b.addresses[b.next], b.step%2 == 1)
		b.next++
	}
	return b.next == len(b.addresses)
}

// advance goes to the next step, or with skip to the next round. It reports
// false when there is none.
func (b *burst) advance(skip bool) bool {
	b.next = 0
	b.step++
	if skip && b.step%2 == 1 {
		b.step++
	}
	if b.step%2 == 1 {
		return true
	}
	b.begun = false
	round := b.step / 2
	if round == len(repeats) {
		return false
	}
	b.due = b.start.Add(repeats[round])
	b.earliest = b.due
	return true
}

// left is the number of frames that the present round still has.
func (b *burst) left() int {
	n := len(b.addresses) - b.next
	if b.step%2 == 0 {
		n += len(b.addresses)
	}
	return n
}

// absorb appends other to b if both wait for the same round at about the same
// time, and reports whether it did.
func (b *burst) absorb(other *burst) bool {
	if b.step != other.step || b.begun || other.begun {
		return false
	}
	due := b.due
	if due.Before(other.due) {
		due = other.due
	}
	if due.Sub(b.earliest) > together {
		return false
	}
	if b.start.Before(other.start) {
		b.start = other.start
	}
	b.due = due
	b.addresses = append(b.addresses, other.addresses...)
	return true
}

// sweep takes withdrawn addresses out and reports whether any are left.
func (b *burst) sweep() bool {
	kept, next := b.addresses[:0], b.next
	for i, a := range b.addresses {
		if !a.withdrawn {
			kept = append(kept, a)
		} else if i < b.next {
			next--
		}
	}
	clear(b.addresses[len(kept):])
	b.addresses, b.next = kept, next
	return len(kept) > 0
}
