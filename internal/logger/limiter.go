package logger

import (
	"strconv"
	"time"
)

// maxKinds bounds a Limiter's memory should a caller ever make kinds from what a peer sent.
const maxKinds = 64

// Limiter bounds how often messages of one kind are logged: Burst of them at once, then one per Every.
// A kind that was quiet earns its burst back at the same pace. It is pure: time comes in as an argument,
// and it is not safe for concurrent use.
type Limiter struct {
	// Burst is how many lines of a kind may come at once; 10 where it is zero.
	Burst int
	// Every is the time that earns one more line; 10 s where it is zero.
	Every time.Duration

	kinds map[string]*bucket
}

type bucket struct {
	left       int
	earned     time.Time // when the last of left was earned
	suppressed int
}

// Allow says whether a line of this kind may be logged at time now, and if so, how many of its kind
// were refused since the last one; Suppressed makes the text for it.
func (l *Limiter) Allow(kind string, now time.Time) (ok bool, suppressed int) {
	burst, every := l.Burst, l.Every
	if burst == 0 {
		burst = 10
	}
	if every == 0 {
		every = 10 * time.Second
	}
	b := l.kinds[kind]
	if b == nil {
		if len(l.kinds) >= maxKinds {
			return false, 0
		}
		if l.kinds == nil {
			l.kinds = make(map[string]*bucket)
		}
		b = &bucket{left: burst, earned: now}
		l.kinds[kind] = b
	}
	if n := now.Sub(b.earned) / every; n > 0 {
		b.left = int(min(int64(b.left)+int64(n), int64(burst)))
		b.earned = b.earned.Add(n * every)
	}
	if b.left == burst {
		b.earned = now // a full bucket earns nothing; the clock starts with the line that is taken now
	}
	if b.left == 0 {
		b.suppressed++
		return false, 0
	}
	b.left--
	suppressed, b.suppressed = b.suppressed, 0
	return true, suppressed
}

// Suppressed is what to append to a line before which n others were refused: nothing for none.
func Suppressed(n int) string {
	if n == 0 {
		return ""
	}
	return " (" + strconv.Itoa(n) + " more like this suppressed)"
}
