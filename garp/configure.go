package garp

import "slices"

// Configure sets the Notify lists and the networks of the ARP pool, neighbours
// outside of which are forgotten. If it changes anything, lists in progress
// start over with the new entries; lists that were finished do not.
func (a *Announcer) Configure(c Config) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if slices.Equal(c.Notify, a.config.Notify) && slices.Equal(c.Networks, a.config.Networks) {
		return
	}
	a.config = Config{Notify: slices.Clone(c.Notify), Networks: slices.Clone(c.Networks)}
	var networks []block
	for _, n := range c.Networks {
		if b, ok := blockOf(n); ok {
			networks = append(networks, b)
		}
	}
	a.pool.restrict(networks)
	a.entries = nil
	for _, n := range c.Notify {
		if e, ok := newEntry(n); ok {
			a.entries = append(a.entries, e)
		}
	}
	a.restartLists()
	a.signal()
}

// restartLists starts all lists over that are in progress.
func (a *Announcer) restartLists() {
	lanes := a.waiting
	a.waiting = nil
	for _, l := range a.links {
		lanes = append(lanes, l.ready...)
		l.ready = nil
	}
	// An address may have two lanes: it is to start over once.
	started := make(map[*address]bool)
	for _, turn := range lanes {
		if !started[turn.address] {
			started[turn.address] = true
			a.startLists(turn.address)
		}
	}
	for _, turn := range lanes {
		a.finish(turn.address.owner)
	}
}

// MergePool takes over what a member knows of its neighbours, newest last, and
// returns how many entries it took: only those of addresses within the networks
// of Config and with the link-layer address of a host. The pool is bounded by
// MaxPool; the neighbours last heard of longest ago leave it first.
func (a *Announcer) MergePool(neighbours []Neighbour) int { return a.pool.merge(neighbours) }

// Pool returns the ARP pool, ordered by address.
func (a *Announcer) Pool() []Neighbour { return a.pool.snapshot() }
