package garp

import (
	"math"
	"time"
)

// An entry is a NotifyEntry ready for use.
type entry struct {
	pool     bool
	iface    string
	block    block
	throttle uint64 // 0: none
	ping     bool
}

// newEntry reports false for an entry that can have no target.
func newEntry(e NotifyEntry) (entry, bool) {
	out := entry{pool: e.ARPCache, iface: e.Interface, throttle: uint64(min(max(e.Throttle, 0), math.MaxInt32)), ping: e.Ping}
	if out.pool {
		return out, true
	}
	var ok bool
	out.block, ok = blockOf(e.Block)
	return out, ok
}

// A target is one host to be told about an address.
type target struct {
	ip    [4]byte
	link  LinkAddr
	known bool // link is the target's own link-layer address
	ping  bool
}

// Lists are worked through in turns of sliceTargets targets, so that neither a
// long entry keeps a short one of the same address waiting, nor one address
// another.
const sliceTargets = 16

// roundLength is the second of "N targets a second".
const roundLength = time.Second

// A lane is the progress of one address through all entries without throttle
// (one round without end), or through all that have one (a round a second,
// counted from the end of the one before, so that the limit holds for any
// second). Its size does not depend on the number of entries or targets:
// all entries advance in step, and a target's address follows from its
// number. The number of a neighbour in the pool is that of its slot.
type lane struct {
	address   *address
	throttled bool
	due       time.Time
	round     uint64
	slice     uint64 // within the round
	entry     int    // within the slice
	target    uint64 // within the slice and entry
	more      bool   // an entry has another slice in this round
	later     bool   // an entry has another round
}

// What a lane's next call came to.
type progress int

const (
	found    progress = iota // a target
	nothing                  // a neighbour of another network was passed over
	sliceEnd                 // time to let others have a turn
	roundEnd                 // to be continued in the next round
	finished
)

// next works out the next target.
func (l *lane) next(entries []entry, p *pool) (target, progress) {
	for ; l.entry < len(entries); l.entry, l.target = l.entry+1, 0 {
		e := &entries[l.entry]
		if (e.throttle > 0) != l.throttled {
			continue
		}
		targets, size := l.address.targets(e, p)
		begin, end := uint64(0), size
		if l.throttled {
			begin = l.round * e.throttle
			end = min(size, begin+e.throttle)
		}
		slice := begin + l.slice*sliceTargets
		if n := slice + l.target; n < end && l.target < sliceTargets {
			l.target++
			if !e.pool {
				return target{ip: fromUint32(targets.first + uint32(n)), ping: e.ping}, found
			}
			addr, link, ok := p.at(n)
			if !ok || !l.address.network.contains(addr) {
				return target{}, nothing
			}
			return target{ip: fromUint32(addr), link: link, known: true, ping: e.ping}, found
		}
		l.more = l.more || slice+sliceTargets < end
		l.later = l.later || end < size
	}
	l.entry = 0
	switch {
	case l.more:
		l.more = false
		l.slice++
		return target{}, sliceEnd
	case l.later:
		l.later = false
		l.slice = 0
		l.round++
		return target{}, roundEnd
	}
	return target{}, finished
}

// targets returns the addresses that e names for a, and how many they are.
func (a *address) targets(e *entry, p *pool) (block, uint64) {
	if e.pool {
		return block{}, uint64(p.len())
	}
	if e.iface != a.link.name {
		return block{}, 0
	}
	both, ok := e.block.intersect(a.network)
	if !ok {
		return block{}, 0
	}
	return both, both.size()
}

// maxSteps bounds the work on lists that is done without looking whether
// something more urgent came up.
const maxSteps = 2048

// fill adds packet sets of the interface's lists to out, each lane having its
// turn. It returns the lanes that wait for their next round, and those that
// are finished. out may stay empty though there is more to do.
func (l *link) fill(out *batch, room int, entries []entry, p *pool, waits, ends func(*lane)) {
	room = min(room, out.room())
	cost := 1 + len(entries)/16 // a call may have to look at all entries
	for steps := 0; len(l.ready) > 0 && room >= maxSet && steps < maxSteps; {
		turn := l.ready[0]
		l.ready = l.ready[1:]
		again := true
		for again && room >= maxSet && steps < maxSteps {
			steps += cost
			t, progress := turn.next(entries, p)
			switch progress {
			case found:
				before := len(out.frames)
				out.notify(turn.address, t)
				room -= len(out.frames) - before
			case sliceEnd:
				again = false
			case roundEnd:
				waits(turn)
				turn = nil
				again = false
			case finished:
				ends(turn)
				turn = nil
				again = false
			}
		}
		if turn != nil {
			l.ready = append(l.ready, turn)
		}
	}
}
