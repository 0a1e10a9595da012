package garp

import "time"

// The overall cap, and the share of it that the Notify lists may use. In no
// second more than listBurst + listRate frames of lists leave, so an acquire of
// (frameCap - listBurst - listRate) / 2 = 4,000 addresses always finds room for
// both forms of its first announcement.
const (
	frameCap  = 20000 // frames in any one second, of all kinds
	listRate  = 10000 // frames a second of lists, in the long run
	listBurst = 2000  // frames of lists at once
)

// A limiter counts frames in slots of 10 ms. A frame counts until a second has
// passed since the end of its slot, so the cap holds for each interval of one
// second, wherever it begins. The lists in addition have a bucket of tokens.
type limiter struct {
	cap    int
	epoch  time.Time
	counts [limitSlots]int32
	slot   int64 // number of the latest slot, counted from epoch
	sum    int
	// listAt is when the bucket of the lists was, or will be, empty: it holds
	// a token for each listInterval since.
	listAt time.Time
}

const (
	slotLength   = 10 * time.Millisecond
	limitSlots   = int64(time.Second/slotLength) + 1 // a full second beside the slot in progress
	listInterval = time.Second / listRate
)

func newLimiter(now time.Time) limiter {
	return limiter{cap: frameCap, epoch: now, listAt: now.Add(-listBurst * listInterval)}
}

// advance empties the slots that have left the window.
func (l *limiter) advance(now time.Time) {
	current := int64(now.Sub(l.epoch) / slotLength)
	if current-l.slot >= limitSlots {
		l.counts, l.sum, l.slot = [limitSlots]int32{}, 0, current
	}
	for l.slot < current {
		l.slot++
		c := &l.counts[l.slot%limitSlots]
		l.sum -= int(*c)
		*c = 0
	}
	if full := now.Add(-listBurst * listInterval); l.listAt.Before(full) {
		l.listAt = full
	}
}

// room returns how many frames may leave now. If it is none, when says when
// that changes.
func (l *limiter) room(now time.Time) (n int, when time.Time) {
	l.advance(now)
	if l.sum < l.cap {
		return l.cap - l.sum, now
	}
	return 0, l.relief()
}

// listRoom is room for the frames of lists. It rather gives none than fewer
// than a batch, so that waiting for tokens does not wake the machine for each.
func (l *limiter) listRoom(now time.Time) (n int, when time.Time) {
	l.advance(now)
	if l.cap-l.sum < batchSize {
		return 0, l.relief()
	}
	tokens := int(now.Sub(l.listAt) / listInterval)
	if tokens < batchSize {
		return 0, l.listAt.Add(batchSize * listInterval)
	}
	return min(l.cap-l.sum, tokens), now
}

// relief is when the oldest frames in the window cease to count.
func (l *limiter) relief() time.Time {
	oldest := l.slot - limitSlots + 1
	for oldest < l.slot && l.counts[(oldest+limitSlots)%limitSlots] == 0 {
		oldest++
	}
	return l.epoch.Add(time.Duration(oldest+limitSlots) * slotLength)
}

// take counts frames that left.
func (l *limiter) take(now time.Time, frames int, list bool) {
	l.advance(now)
	l.counts[l.slot%limitSlots] += int32(frames)
	l.sum += frames
	if list {
		l.listAt = l.listAt.Add(time.Duration(frames) * listInterval)
	}
}
