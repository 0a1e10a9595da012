package sim

import (
	"fmt"
	"slices"
	"strings"
)

// Play has the world of a seed live. Should an invariant break, the error is a
// *Broken with the smallest script found in which one does.
func Play(seed uint64) (Counts, error) {
	s := Generate(seed)
	w := newWorld(s)
	if err := w.run(); err == nil {
		return w.counts, nil
	}
	small := shrink(s, func(s *Script) bool { return newWorld(s).run() != nil })
	return Counts{}, Replay(small)
}

// Replay has the world of a script live. The error, if any, is a *Broken.
func Replay(s *Script) error {
	w := newWorld(s)
	w.tracing = true
	if err := w.run(); err != nil {
		return &Broken{s, err, w.trace}
	}
	return nil
}

// run has all events happen, or those before an invariant breaks.
func (w *World) run() error {
	for _, e := range w.script.Events {
		if w.happen(e); w.failure != nil {
			return w.failure
		}
	}
	return nil
}

// A Broken is an invariant that does not hold, and how to see it again.
type Broken struct {
	Script *Script
	What   error
	Trace  []string // what happened, step by step
}

func (b *Broken) Unwrap() error { return b.What }

// Error is a script, to be kept as a file of testdata, with the trace as comment.
func (b *Broken) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "# %v\n%v\n", b.What, b.Script)
	for _, line := range b.Trace {
		text.WriteString("# " + line + "\n")
	}
	return text.String()
}

// shrink makes a script as small as it can while it stays bad: fewer events, fewer
// hosts and virtual interfaces, plainer settings.
func shrink(s *Script, bad func(*Script) bool) *Script {
	for {
		before := len(s.Events)
		for size := max(len(s.Events)/2, 1); ; size /= 2 {
			for at := 0; at < len(s.Events); {
				c := *s
				c.Events = slices.Concat(s.Events[:at], s.Events[min(at+size, len(s.Events)):])
				if bad(&c) {
					s = &c
				} else {
					at += size
				}
			}
			if size <= 1 {
				break
			}
		}
		var plainer bool
		s, plainer = plain(s, bad)
		if len(s.Events) == before && !plainer {
			return s
		}
	}
}

// plain makes the settings of a script plainer, one at a time.
func plain(s *Script, bad func(*Script) bool) (*Script, bool) {
	changed := false
	for _, try := range []func(*Script){
		func(c *Script) { c.Interfaces /= 2 },
		func(c *Script) { c.Interfaces-- },
		func(c *Script) { c.Hosts /= 2 },
		func(c *Script) { c.Hosts-- },
		func(c *Script) { c.Sets = false },
		func(c *Script) { c.PerRound = 0 },
		func(c *Script) { c.Interval = 0 },
		func(c *Script) { c.Prefer = 0 },
		func(c *Script) { c.Faulty = 0 },
	} {
		for {
			c := *s
			if try(&c); c.Hosts < 1 || c.Interfaces < 0 || same(&c, s) || !bad(&c) {
				break
			}
			s, changed = &c, true
		}
	}
	return s, changed
}

// same compares settings.
func same(a, b *Script) bool {
	return a.Hosts == b.Hosts && a.Interfaces == b.Interfaces && a.Sets == b.Sets && a.PerRound == b.PerRound &&
		a.Interval == b.Interval && a.Prefer == b.Prefer && a.Faulty == b.Faulty
}
