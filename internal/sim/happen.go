package sim

import (
	"slices"
)

// happen has one event happen.
func (w *World) happen(e Event) {
	w.source.Seed(uint64(e.Choice), uint64(e.Kind))
	w.say("--- %v %d", e.Kind, e.Choice)
	switch e.Kind {
	case Deliver:
		if x := w.pick(func(x *member) bool { return len(x.inbox) > 0 && !x.stalled }); x != nil {
			for n := 1 + w.random.IntN(4); n > 0 && len(x.inbox) > 0; n-- {
				w.deliver(x)
			}
		}
	case Order:
		c := w.components[w.random.IntN(len(w.components))]
		for range 1 + w.random.IntN(3) {
			w.order(c)
		}
	case Timer:
		w.fireNext()
	case Retry:
		w.apply(w.hosts[w.random.IntN(len(w.hosts))])
	case Start, Mute:
		if h := w.hosts[w.random.IntN(len(w.hosts))]; h.process == nil {
			w.spawn(h, e.Kind == Mute)
		}
	case Kill:
		if x := w.pick(nil); x != nil {
			w.kill(x)
		}
	case Lose:
		if x := w.pick(func(x *member) bool { return x.joined && x.machine != nil }); x != nil {
			w.lose(x)
			w.rename(x)
			w.join(x)
		}
	case Away:
		w.away(w.pick(func(x *member) bool { return x.machine != nil }))
	case Stall:
		if x := w.pick(nil); x != nil {
			x.stalled = !x.stalled
		}
	case Visit:
		w.visit(w.components[w.random.IntN(len(w.components))])
	case Split:
		if len(w.components) < 4 {
			w.split()
		}
	case Merge:
		w.merge()
	case Heal:
		for len(w.components) > 1 {
			w.merge()
		}
	case Reconfigure:
		w.reconfigure()
	case Reload:
		if x := w.pick(func(x *member) bool { return x.machine != nil }); x != nil {
			w.reload(x)
		}
	case Quiet:
		w.rest()
	}
}

// pick picks a process that is fit, or none.
func (w *World) pick(fit func(*member) bool) *member {
	var list []*member
	for _, x := range w.members {
		if fit == nil || fit(x) {
			list = append(list, x)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[w.random.IntN(len(list))]
}

// away tells a process to stay away from the group, or to come back.
func (w *World) away(x *member) {
	switch {
	case x == nil:
	case x.joined:
		w.say("%s goes away", x.name)
		x.away = true
		w.lose(x)
	case x.away:
		w.rename(x)
		w.join(x)
	}
}

// reconfigure changes the list of virtual interfaces, which each process reads at
// a time of its own.
func (w *World) reconfigure() {
	w.version++
	list := slices.Clone(w.list)
	switch n := len(list); {
	case n > 1 && w.random.IntN(3) == 0:
		i := w.random.IntN(n)
		list = slices.Delete(list, i, i+1)
	case n > 1 && w.random.IntN(3) == 0:
		w.random.Shuffle(n, func(i, k int) { list[i], list[k] = list[k], list[i] })
	default:
		v := virtualInterface(w.script.Interfaces+w.version, w.script.Sets)
		list = slices.Insert(list, w.random.IntN(n+1), v)
	}
	w.list = slices.Clip(list)
	w.say("%d virtual interfaces from now on", len(w.list))
}
