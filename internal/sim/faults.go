package sim

import (
	"slices"

	"wackamole/alloc"
)

// Run lets a world live for so many steps, then leaves it alone until it is quiet.
// The error names the invariant that broke.
func (w *World) Run(steps int) error {
	for range steps {
		w.random.IntN(2) // one draw a step, whatever the step is
		w.act()
		if err := w.check(); err != nil {
			return err
		}
	}
	return w.settle()
}

// act does one thing, mostly deliveries, now and then a fault.
func (w *World) act() {
	switch n := w.random.IntN(100); {
	case n < 55:
		w.deliverSome()
	case n < 85:
		numbers := w.numbers()
		w.order(numbers[w.random.IntN(len(numbers))])
	case n < 92:
		w.advance()
	case n < 95:
		w.populate()
	default:
		w.fault()
	}
}

// deliverSome has one member receive one thing, or a few.
func (w *World) deliverSome() {
	var ready []*member
	for _, x := range w.members {
		if len(x.inbox) > 0 {
			ready = append(ready, x)
		}
	}
	if len(ready) == 0 {
		return
	}
	x := ready[w.random.IntN(len(ready))]
	for range 1 + w.random.IntN(4) {
		if len(x.inbox) > 0 {
			w.deliver(x)
		}
	}
}

// populate starts a member on a host that has none.
func (w *World) populate() {
	host := w.random.IntN(w.hosts)
	for _, x := range w.members {
		if x.host == host {
			return
		}
	}
	numbers := w.numbers()
	w.spawn(host, numbers[w.random.IntN(len(numbers))])
}

func (w *World) fault() {
	if len(w.members) == 0 {
		return
	}
	x := w.members[w.random.IntN(len(w.members))]
	switch w.random.IntN(8) {
	case 0: // killed; its guard releases
		w.say("%s is killed", x.name)
		w.members = slices.DeleteFunc(w.members, func(m *member) bool { return m == x })
		x.away = true
		w.forget(x)
		w.newView(x.component)
	case 1, 2:
		w.split()
	case 3, 4:
		w.merge()
	case 5: // loses Spread and comes back, or is told to stay away
		switch {
		case x.away:
			w.say("%s comes back", x.name)
			w.rename(x)
			w.connect(x)
		case x.machine != nil:
			w.say("%s leaves", x.name)
			w.disconnect(x, "simulated")
		}
	case 6: // a visitor
		w.say("a visitor in component %d", x.component)
		w.newView(x.component)
		w.newView(x.component)
	case 7:
		w.newView(x.component)
	}
}

// split moves some members into a component of their own. What was on its way has
// its place in the order; each side delivers it up to some point, without a gap,
// and then, before the new view or after it, only what its own members sent.
func (w *World) split() {
	from := w.numbers()[w.random.IntN(len(w.components))]
	to := 0
	for w.components[to] != nil {
		to++
	}
	if to > 3 {
		return
	}
	w.say("component %d splits, %d is new", from, to)
	w.components[to] = &component{}
	for _, x := range w.members {
		if x.component == from && w.random.IntN(2) == 0 {
			x.component = to
		}
	}
	line := w.shuffled(from)
	w.components[from].pending = nil
	for _, side := range []int{from, to} {
		known := w.random.IntN(len(line) + 1)
		for _, s := range line[:known] {
			for _, x := range w.in(side) {
				x.inbox = append(x.inbox, s.message)
			}
		}
		for _, s := range line[known:] {
			if s.from.component == side {
				w.components[side].pending = append(w.components[side].pending, s)
			}
		}
	}
	w.newView(from)
	w.newView(to)
}

// shuffled puts all that is on its way in a component into an order that Spread
// could give it: any that keeps that of each sender.
func (w *World) shuffled(component int) []sent {
	rest := slices.Clone(w.components[component].pending)
	line := make([]sent, 0, len(rest))
	for len(rest) > 0 {
		i := w.pick(rest)
		line = append(line, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	return line
}

// merge puts two components together. Each side first gets the rest of what was
// ordered in its old view.
func (w *World) merge() {
	numbers := w.numbers()
	if len(numbers) < 2 {
		return
	}
	w.random.Shuffle(len(numbers), func(i, k int) { numbers[i], numbers[k] = numbers[k], numbers[i] })
	w.mergeTwo(numbers[0], numbers[1])
}

func (w *World) mergeTwo(into, from int) {
	w.say("component %d merges into %d", from, into)
	c := w.components[from]
	for _, x := range w.members {
		if x.component == from {
			x.component = into
		}
	}
	w.components[into].pending = append(w.components[into].pending, c.pending...)
	delete(w.components, from)
	w.newView(into)
}

// settle leaves the world alone until nothing happens any more and checks that
// every component is as it should be.
func (w *World) settle() error {
	for rounds := 0; ; rounds++ {
		if rounds > 100000 {
			return w.broken("it does not come to rest")
		}
		busy := false
		for _, n := range w.numbers() {
			if len(w.components[n].pending) > 0 {
				w.order(n)
				busy = true
			}
		}
		for _, x := range slices.Clone(w.members) {
			for len(x.inbox) > 0 {
				w.deliver(x)
				busy = true
			}
		}
		if err := w.check(); err != nil {
			return err
		}
		if !busy && !w.advance() {
			break
		}
	}
	for _, n := range w.numbers() {
		if err := w.quiet(n); err != nil {
			return err
		}
	}
	return nil
}

// quiet checks a component in which nothing happens any more.
func (w *World) quiet(number int) error {
	var members []*member
	preferring := false
	for _, x := range w.in(number) {
		if x.machine != nil {
			members = append(members, x)
			preferring = preferring || len(x.prefers) > 0 && !x.prefers[0].IsUnspecified()
		}
	}
	if len(members) == 0 {
		return nil
	}
	least, most := len(w.list)+1, 0
	for _, x := range members {
		if x.machine.State() != alloc.Run {
			return w.broken("%s is in %v although all is quiet", x.name, x.machine.State())
		}
		least, most = min(least, len(x.holds)), max(most, len(x.holds))
	}
	for _, v := range w.list {
		n := 0
		for _, x := range members {
			if x.holds[v.Key()] {
				n++
			}
		}
		if n != 1 {
			return w.broken("%v is held %d times in component %d", v.Key(), n, number)
		}
	}
	if !preferring && w.config.PerRound >= 0 && most-least > 1 {
		return w.broken("component %d is uneven: between %d and %d", number, least, most)
	}
	return nil
}
