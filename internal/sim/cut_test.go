package sim

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestCutShort cuts a merge and a join short at every possible point: STATEs in
// every order, each side of the cut having received any number of them, BALANCE
// included, and every way in which the members can be on the two sides. After the
// cut each side must come to rest as it should, and after the merge the whole.
// With SIM_ALL=1 all 24 orders are gone through, which takes half a minute,
// otherwise some of them.
func TestCutShort(t *testing.T) {
	const hosts = 4
	all, step := permutations(hosts), 5
	switch {
	case os.Getenv("SIM_ALL") != "":
		step = 1
	case testing.Short():
		step = 13
	}
	var orders [][]int
	for i := 0; i < len(all); i += step {
		orders = append(orders, all[i])
	}
	for _, parts := range [][]int{
		{0, 0, 1, 1}, // a merge of two and two
		{0, 1, 1, 1}, // of one and three
		{0, 1, 2, 3}, // of four
		{0, 0, 0, 9}, // three, and one joins
	} {
		for _, prefer := range []int{0, 1} {
			t.Run(fmt.Sprint(parts, " prefer ", prefer), func(t *testing.T) {
				for _, order := range orders {
					for _, side := range sides(hosts) {
						for left := range hosts + 2 {
							for right := range hosts + 2 {
								c := cut{parts, order, side, left, right}
								if err := c.play(&Script{Hosts: hosts, Interfaces: 6, Prefer: prefer}); err != nil {
									t.Fatalf("%+v: %v", c, err)
								}
							}
						}
					}
				}
			})
		}
	}
}

type cut struct {
	parts       []int  // component of each host before the merge; 9: starts with it
	order       []int  // in which the hosts' STATEs are ordered
	side        []bool // on which each host is after the cut
	left, right int    // how many messages each side receives before it
}

func (c *cut) play(s *Script) error {
	w := newWorld(s)
	w.tracing = true
	for _, h := range w.hosts {
		for len(w.components) <= c.parts[h.number] && c.parts[h.number] < 9 {
			w.components = append(w.components, &component{})
		}
		if c.parts[h.number] < 9 {
			h.component = w.components[c.parts[h.number]]
			w.spawn(h, false)
		}
	}
	w.rest()
	// The merge: all receive the view and send their STATEs.
	whole := w.components[0]
	for _, h := range w.hosts {
		h.component = whole
	}
	w.components = w.components[:1]
	for _, h := range w.hosts {
		if h.process == nil {
			w.spawn(h, false)
		}
	}
	w.newView(whole)
	w.receiveAll()
	// Keep one STATE of each, those of this view, in the order of the case.
	line := make([]*sent, 0, len(c.order)+1)
	for _, i := range c.order {
		from := w.hosts[i].process
		for _, m := range slices.Backward(whole.pending) {
			if m.from == from {
				line = append(line, m)
				break
			}
		}
	}
	whole.pending = nil
	// The cut.
	other := &component{}
	w.components = append(w.components, other)
	for i, h := range w.hosts {
		if c.side[i] {
			h.component = other
		}
	}
	for part, n := range []int{c.left, c.right} {
		side := w.components[part]
		rest := slices.Clone(line)
		for range n {
			if len(rest) == 0 { // what followed the last STATE: a round of balancing
				rest, side.pending = side.pending, nil
			}
			if len(rest) > 0 {
				w.hand(side, rest[0])
				w.receiveAll()
				rest = rest[1:]
			}
		}
		for _, m := range rest { // from this side: after the new view
			if m.from.host.component == side {
				side.pending = append(side.pending, m)
			}
		}
		w.newView(side)
	}
	w.rest()
	w.merge()
	w.rest()
	if w.failure != nil {
		return &Broken{s, w.failure, w.trace}
	}
	return nil
}

func (w *World) receiveAll() {
	for _, x := range w.members {
		for len(x.inbox) > 0 {
			w.deliver(x)
		}
	}
}

// permutations lists all orders of 0 to n-1.
func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var list [][]int
	for _, p := range permutations(n - 1) {
		for i := range n {
			list = append(list, slices.Insert(slices.Clone(p), i, n-1))
		}
	}
	return list
}

// sides lists all ways to divide n members in two, the first on one side.
func sides(n int) [][]bool {
	var list [][]bool
	for mask := range 1 << (n - 1) {
		side := make([]bool, n)
		for i := 1; i < n; i++ {
			side[i] = mask&(1<<(i-1)) != 0
		}
		list = append(list, side)
	}
	return list
}
