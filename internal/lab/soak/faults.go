package main

import (
	"slices"
	"syscall"
	"time"
)

// A fault is what can be done to a cluster, and how it is undone.
type fault struct {
	kind
	strike func(w *world, p planned) error
	// expect is what must come to hold while the fault lasts, made from what holds without it; nil where nothing
	// is promised.
	expect func(w *world, p planned, e expectation) expectation
	heal   func(w *world, p planned) error
}

const (
	ms  = time.Millisecond
	sec = time.Second
)

// away expects the node to hold nothing and the others to hold everything.
func away(_ *world, p planned, e expectation) expectation { return e.without(p.node) }

// unharmed expects all to be as ever.
func unharmed(_ *world, _ planned, e expectation) expectation { return e }

// onNode makes a step of a fault out of what happens to its node.
func onNode(f func(n *node) error) func(*world, planned) error {
	return func(w *world, p planned) error {
		err := f(w.node(p.node))
		w.serve()
		return err
	}
}

// nothing is a heal that has nothing to do: the daemon has mended it itself.
func nothing(*world, planned) error { return nil }

// faults are all there are, by what they happen to.
var faults = slices.Concat(processFaults, spreadFaults, networkFaults, addressFaults, fileFaults)

// kinds are those of all faults, or of those that are named.
func kinds(names []string) (list []kind) {
	for _, f := range faults {
		if len(names) == 0 || slices.Contains(names, f.name) {
			list = append(list, f.kind)
		}
	}
	return list
}

func faultNamed(name string) fault {
	return faults[slices.IndexFunc(faults, func(f fault) bool { return f.name == name })]
}

var processFaults = []fault{
	{
		kind:   kind{name: "kill daemon", weight: 4, resource: "process", least: 500 * ms, most: 3 * sec},
		strike: onNode(func(n *node) error { return n.end(syscall.SIGKILL, "signal: killed") }),
		expect: away,
		heal:   onNode((*node).start),
	},
	{
		kind:   kind{name: "kill guard", weight: 3, resource: "process", least: 100 * ms, most: 1 * sec},
		strike: onNode(func(n *node) error { return n.signalGuards(syscall.SIGKILL) }),
		expect: unharmed,
		heal:   nothing,
	},
	{
		// Nobody is left to release the addresses: they stay until the daemon is started again.
		kind: kind{name: "kill both", weight: 2, resource: "process", least: 500 * ms, most: 3 * sec},
		strike: onNode(func(n *node) error {
			// A daemon that runs would start another guard.
			if err := n.process.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
			if err := n.signalGuards(syscall.SIGKILL); err != nil {
				return err
			}
			return n.end(syscall.SIGKILL, "signal: killed")
		}),
		heal: onNode((*node).start),
	},
	{
		kind:   kind{name: "terminate", weight: 3, resource: "process", least: 500 * ms, most: 3 * sec},
		strike: onNode(func(n *node) error { return n.end(syscall.SIGTERM, "exit status 0") }),
		expect: away,
		heal:   onNode((*node).start),
	},
	{
		kind:   kind{name: "stop daemon", weight: 3, resource: "process", least: 300 * ms, most: 5 * sec},
		strike: stopDaemon,
		heal:   continueDaemon,
	},
	{
		// After ten seconds the guard releases, and ends the session with Spread.
		kind:   kind{name: "stop daemon long", weight: 1, resource: "process", least: 11 * sec, most: 14 * sec},
		strike: stopDaemon,
		expect: away,
		heal:   continueDaemon,
	},
	{
		// Given signs of life that it does not take, it is replaced.
		kind:   kind{name: "stop guard", weight: 1, resource: "process", least: 1 * sec, most: 3 * sec},
		strike: onNode(func(n *node) error { return n.signalGuards(syscall.SIGSTOP) }),
		expect: unharmed,
		heal:   onNode(func(n *node) error { return n.signalGuards(syscall.SIGCONT) }),
	},
	{
		kind: kind{name: "stop machine", weight: 2, resource: "process", alone: true, least: 1 * sec, most: 15 * sec},
		strike: func(w *world, p planned) error {
			n := w.node(p.node)
			for _, port := range ports(len(w.nodes), p.node).List() {
				w.lab.Switch.Cut(port)
			}
			w.lose(p.node)
			if err := n.process.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
			return n.signalGuards(syscall.SIGSTOP)
		},
		expect: func(_ *world, p planned, e expectation) expectation {
			e = e.without(p.node)
			e.empty = nil // its kernel has what it had, and is not heard
			return e
		},
		heal: func(w *world, p planned) error {
			n := w.node(p.node)
			for _, port := range ports(len(w.nodes), p.node).List() {
				w.lab.Switch.Heal(port)
			}
			if err := n.signalGuards(syscall.SIGCONT); err != nil {
				return err
			}
			err := n.process.Signal(syscall.SIGCONT)
			w.spread.Merge()
			return err
		},
	},
	{
		kind:   kind{name: "wackatrl -f", weight: 2, resource: "process", least: 300 * ms, most: 2 * sec},
		strike: onNode(func(n *node) error { return n.tell("-f") }),
		expect: away,
		heal:   onNode(func(n *node) error { return n.tell("-s") }),
	},
	{
		kind: kind{name: "reload", weight: 1, resource: theNetwork, alone: true, least: 300 * ms, most: 1 * sec},
		strike: func(w *world, _ planned) error {
			return w.reload(changed())
		},
		expect: func(_ *world, _ planned, e expectation) expectation {
			e.vifs = changed()
			return e
		},
		heal: func(w *world, _ planned) error { return w.reload(vifs) },
	},
}

func stopDaemon(w *world, p planned) error     { return w.node(p.node).process.Signal(syscall.SIGSTOP) }
func continueDaemon(w *world, p planned) error { return w.node(p.node).process.Signal(syscall.SIGCONT) }

// reload gives all daemons another list, one after the other.
func (w *world) reload(list []vif) error {
	for _, n := range w.nodes {
		if err := n.configure(list); err != nil {
			return err
		}
		if err := n.process.Signal(syscall.SIGHUP); err != nil {
			return err
		}
	}
	return nil
}

var spreadFaults = []fault{
	{
		kind: kind{name: "stop Spread", weight: 3, resource: "spread", least: 500 * ms, most: 4 * sec},
		strike: onNode(func(n *node) error {
			n.door.close()
			return nil
		}),
		expect: away,
		heal:   onNode(func(n *node) error { return n.door.open() }),
	},
	{
		kind:   kind{name: "hang Spread", weight: 2, resource: "spread", least: 500 * ms, most: 6 * sec},
		strike: hangSpread,
		heal:   resumeSpread,
	},
	{
		// The other Spread daemons go on without it; the member leaves after twenty seconds without a word.
		kind: kind{name: "hang Spread long", weight: 1, resource: "spread", alone: true, least: 15 * sec, most: 18 * sec},
		strike: func(w *world, p planned) error {
			w.lose(p.node)
			return hangSpread(w, p)
		},
		expect: away,
		heal: func(w *world, p planned) error {
			w.spread.Merge()
			return resumeSpread(w, p)
		},
	},
}

// lose has the Spread daemons of the others go on without that of the node.
func (w *world) lose(node int) {
	var others []string
	for _, n := range w.nodes {
		if n.number != node {
			others = append(others, daemonName(n.number))
		}
	}
	w.spread.Partition([]string{daemonName(node)}, others)
}

func hangSpread(w *world, p planned) error {
	w.spread.Pause(daemonName(p.node))
	return nil
}

func resumeSpread(w *world, _ planned) error {
	w.spread.Resume()
	return nil
}
