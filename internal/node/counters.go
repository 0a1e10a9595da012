package node

import (
	"sort"
	"time"

	"wackamole/internal/control"
)

// counters is what a node has done since it began.
type counters struct {
	control.Counters
	sessions uint64 // with Spread
	rejected map[string]uint64
	trigger  time.Time // when the view came for which nothing was acquired yet

	phase control.Phase
	since time.Time
}

func newCounters() counters {
	return counters{rejected: make(map[string]uint64), since: time.Now()}
}

// enter notes what the node is doing from now on.
func (c *counters) enter(p control.Phase) {
	now := time.Now()
	c.InPhase[c.phase] += now.Sub(c.since)
	c.phase, c.since = p, now
}

// acquired notes a round of acquisitions, whose time counts from the view that
// brought it about, or from begin where it was another message.
func (c *counters) acquired(virtualInterfaces int, begin time.Time) {
	if !c.trigger.IsZero() {
		begin = c.trigger
	}
	c.trigger = time.Time{}
	c.TakeOvers += uint64(virtualInterfaces)
	c.LastTakeOver = time.Since(begin)
}

// snapshot returns a copy that does not change any more.
func (c *counters) snapshot() control.Counters {
	s := c.Counters
	s.InPhase[c.phase] += time.Since(c.since)
	s.Reconnects = max(c.sessions, 1) - 1
	for kind, count := range c.rejected {
		s.Rejected = append(s.Rejected, control.Rejected{Kind: kind, Count: count})
	}
	sort.Sort(byKind(s.Rejected))
	return s
}

type byKind []control.Rejected

func (r byKind) Len() int           { return len(r) }
func (r byKind) Less(i, j int) bool { return r[i].Kind < r[j].Kind }
func (r byKind) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
