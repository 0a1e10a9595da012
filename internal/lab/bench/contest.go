package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"
)

// A contest is the take-over of a number of addresses on a number of interfaces by all contestants.
type contest struct {
	addresses, interfaces int
	results               []*result
}

// A result is what one contestant did, all times in seconds from the beginning.
type result struct {
	name      string
	failed    error // why it has not taken part to the end
	announces bool

	added, firstFrame, everyFrame, lastFrame, release sample // see round
	trailing                                          sample // from the last address to the last frame
	behind                                            sample

	contestant contestant
	wire       *wire
	order      order
}

func (r *result) add(x round) {
	r.added.add(x.added)
	r.release.add(x.released)
	if r.announces {
		r.firstFrame.add(x.firstFrame)
		r.everyFrame.add(x.everyFrame)
		r.lastFrame.add(x.lastFrame)
		r.behind.add(x.behind)
		r.trailing.add(x.lastFrame - x.added)
	}
}

// find returns the result of a contestant, an empty one if it did not take part.
func (c *contest) find(name string) *result {
	for _, r := range c.results {
		if r.name == name {
			return r
		}
	}
	return &result{}
}

// Names of contestants.
const (
	floorName      = "floor"
	oursName       = "wackamole"
	originalName   = "original"
	ipName         = "ip -batch"
	keepalivedName = "keepalived"
)

// A factory makes a contestant for a wire.
type factory struct {
	name string
	most int  // addresses that it can hold; 0: any number
	many bool // takes addresses on several interfaces
	make func(w *wire, list []virtual) (contestant, error)
}

// factories lists who takes part on this machine.
func factories(binary string) []factory {
	list := []factory{
		{floorName, 0, true, func(w *wire, list []virtual) (contestant, error) { return newFloor(w, list) }},
		{oursName, 0, true, func(w *wire, list []virtual) (contestant, error) {
			return startDaemon(oursName, binary, false, w, list, "")
		}},
	}
	if ip, err := exec.LookPath("ip"); err == nil {
		list = append(list, factory{ipName, 0, false, func(w *wire, list []virtual) (contestant, error) {
			return newIPBatch(ip, w, list), nil
		}})
	}
	if program := findKeepalived(); program != "" {
		list = append(list, factory{keepalivedName, 0, false, func(w *wire, list []virtual) (contestant, error) {
			return startKeepalived(program, w, list)
		}})
	}
	if program := os.Getenv(originalVariable); program != "" {
		list = append(list, factory{originalName, 100, false, func(w *wire, list []virtual) (contestant, error) {
			return startDaemon(originalName, program, true, w, list, "")
		}})
	}
	return list
}

// originalVariable names the environment variable with the path of the original wackamole.
const originalVariable = "WACKAMOLE_ORIGINAL"

// frameRate is how many announcements a second the contests stay below, so that the limit that ours keeps (20,000)
// is not what is measured.
const frameRate = 15000

// aftermath is the time for each address that the contestant before may need to come to rest: its log, and what
// the kernel frees later.
const aftermath = 50 * time.Microsecond

// hold has all contestants take over in turn, so many times each, after a first time that does not count.
func hold(addresses, interfaces, runs int, list []factory) (*contest, error) {
	c := &contest{addresses: addresses, interfaces: interfaces}
	defer func() {
		for _, r := range c.results {
			if r.contestant != nil {
				r.contestant.close()
				r.contestant = nil
			}
			if r.wire != nil {
				r.wire.close()
			}
		}
	}()
	for _, f := range list {
		if f.most > 0 && addresses > f.most || !f.many && interfaces > 1 {
			continue
		}
		r := &result{name: f.name}
		c.results = append(c.results, r)
		var err error
		if r.wire, err = newWire(interfaces); err != nil {
			return nil, err
		}
		r.contestant, r.failed = f.make(r.wire, virtuals(addresses, r.wire.links))
		if r.failed != nil {
			r.contestant = nil
		}
	}
	for run := range runs + 1 {
		began := now()
		// In another order each time: who comes after whom makes a difference.
		turns := slices.Clone(c.results)
		rand.Shuffle(len(turns), func(i, j int) { turns[i], turns[j] = turns[j], turns[i] })
		for _, r := range turns {
			if r.failed != nil {
				continue
			}
			r.announces = r.contestant.frames() > 0
			time.Sleep(time.Duration(addresses) * aftermath)
			x, o, err := play(r.contestant, r.wire, virtuals(addresses, r.wire.links), r.order)
			if err != nil {
				r.failed = err
				continue
			}
			if r.order = o; run > 0 {
				r.add(x)
			}
		}
		time.Sleep(time.Duration(2*addresses)*time.Second/frameRate - (now() - began))
	}
	for _, name := range []string{floorName, oursName} {
		if err := c.find(name).failed; err != nil {
			return nil, fmt.Errorf("%s, %d addresses on %d interfaces: %w", name, addresses, interfaces, err)
		}
	}
	return c, nil
}

// table is how the contest went.
func (c *contest) table() *table {
	title := fmt.Sprintf("Take-over of %d addresses on one interface", c.addresses)
	if c.interfaces > 1 {
		title = fmt.Sprintf("Take-over of %d addresses on %d interfaces, %d on each", c.addresses, c.interfaces, c.addresses/c.interfaces)
	}
	if c.addresses == 1 {
		title = "Take-over of one address"
	}
	t := &table{title: title, head: []string{"ms", "last address", "first announcement", "each address once", "last announcement", "all released"}}
	bare := func(v float64) string { return digits(v * 1e3) }
	line := func(r *result) {
		if r.failed != nil {
			t.row(r.name, "-", "-", "-", "-", "-")
			t.note("%s: %v", r.name, r.failed)
			return
		}
		t.row(r.name, r.added.in(bare), r.firstFrame.in(bare), r.everyFrame.in(bare), r.lastFrame.in(bare), r.release.in(bare))
	}
	floor := c.find(floorName)
	for _, r := range c.results {
		line(r)
		if r.name == oursName {
			t.row("  / floor", r.added.over(floor.added).in(times), "", r.everyFrame.over(floor.everyFrame).in(times),
				r.lastFrame.over(floor.lastFrame).in(times), r.release.over(floor.release).in(times))
		}
	}
	return t
}
