package sim

import (
	"net/netip"
	"slices"

	"wackamole/alloc"
)

// rest leaves the world alone until nothing happens any more, and checks that
// every component is as it should be.
func (w *World) rest() {
	w.resting = true
	defer func() { w.resting = false }()
	for _, x := range slices.Clone(w.members) {
		x.stalled = false
		if x.version != w.version {
			w.reload(x)
		}
	}
	for rounds := 0; w.failure == nil; rounds++ {
		if rounds > 20000 {
			w.broken("it does not come to rest")
			return
		}
		busy := false
		for _, c := range w.components {
			if len(c.pending) > 0 {
				w.order(c)
				busy = true
			}
		}
		for _, x := range slices.Clone(w.members) {
			for len(x.inbox) > 0 && w.failure == nil {
				w.deliver(x)
				busy = true
			}
		}
		if !busy && !w.fireNext() {
			break
		}
	}
	for _, h := range w.hosts {
		w.apply(h)
	}
	for i, c := range w.components {
		w.quiet(i, c)
	}
	clear(w.seen)
}

// quiet checks a component in which nothing happens any more.
func (w *World) quiet(number int, c *component) {
	var members []*member
	preferring := false
	for _, x := range w.in(c) {
		if x.machine != nil {
			members = append(members, x)
			preferring = preferring || !x.config.Prefer[0].IsUnspecified()
		}
	}
	least, most := len(w.list)+1, 0
	for _, x := range members {
		if x.machine.State() != alloc.Run {
			w.broken("%s is in %v although all is quiet", x.name, x.machine.State())
		}
		least, most = min(least, len(x.holds)), max(most, len(x.holds))
	}
	// Who is not in the group holds nothing, so all kernels of the component count.
	count := make(map[netip.Addr]int)
	for _, h := range w.hosts {
		if h.component == c {
			for a := range h.kernel {
				count[a]++
			}
		}
	}
	addresses := 0
	for _, v := range w.list {
		for _, a := range v.Addresses {
			addresses++
			if n := count[a]; len(members) > 0 && n != 1 {
				w.broken("%v is held %d times in part %d", a, n, number)
				return
			}
		}
	}
	if len(members) == 0 {
		addresses = 0
	}
	if len(count) != addresses {
		w.broken("%d addresses are held in part %d, %d should be", len(count), number, addresses)
	}
	if len(members) > 0 && !preferring && most-least > 1 {
		w.broken("part %d is uneven: between %d and %d", number, least, most)
	}
}
