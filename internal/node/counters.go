package node

import (
	"time"

	"wackamole/alloc"
)

// counters is what a node has done since it began.
type counters struct {
	views     uint64
	sessions  uint64 // with Spread
	takeovers uint64 // virtual interfaces acquired
	released  uint64 // virtual interfaces
	failed    uint64 // address operations
	restored  uint64 // addresses put back that somebody else had removed
	guards    uint64 // started again
	rejected  map[string]uint64
	last      time.Duration // of the last round of acquisitions, kernel part

	state alloc.State
	since time.Time
	spent [alloc.Run + 1]time.Duration // in each state, up to since
}

func newCounters() counters {
	return counters{rejected: make(map[string]uint64), since: time.Now()}
}

// enter notes a change of state.
func (c *counters) enter(s alloc.State) {
	now := time.Now()
	c.spent[c.state] += now.Sub(c.since)
	c.state, c.since = s, now
}

// in returns how long the node has been in a state, all together.
func (c *counters) in(s alloc.State) time.Duration {
	d := c.spent[s]
	if s == c.state {
		d += time.Since(c.since)
	}
	return d
}

func (c *counters) acquired(virtualInterfaces int, took time.Duration) {
	c.takeovers += uint64(virtualInterfaces)
	c.last = took
}

func (c *counters) reject(kind string) { c.rejected[kind]++ }
