package main

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

var networkFaults = []fault{
	{
		kind: kind{name: "split", weight: 3, resource: theNetwork, least: 500 * ms, most: 4 * sec},
		strike: func(w *world, p planned) error {
			w.split(sides(len(w.nodes), p.pick))
			return nil
		},
		expect: func(w *world, p planned, e expectation) expectation {
			e.parts = sides(len(w.nodes), p.pick)
			return e
		},
		heal: func(w *world, _ planned) error {
			w.merge()
			return nil
		},
	},
	{
		// Spread goes another way and hears of nothing.
		kind: kind{name: "cut switch port", weight: 2, resource: "link", anyPlace: true, least: 200 * ms, most: 4 * sec},
		strike: func(w *world, p planned) error {
			w.lab.Switch.Cut(w.port(p))
			return nil
		},
		heal: func(w *world, p planned) error {
			w.lab.Switch.Heal(w.port(p))
			return nil
		},
	},
	{
		kind:   kind{name: "no carrier", weight: 2, resource: "link", anyPlace: true, least: 200 * ms, most: 2 * sec},
		strike: func(w *world, p planned) error { return w.lab.Switch.SetCarrier(w.port(p), false) },
		heal:   func(w *world, p planned) error { return w.lab.Switch.SetCarrier(w.port(p), true) },
	},
	{
		// After three seconds the member leaves: the others can serve what it cannot.
		kind:   kind{name: "no carrier long", weight: 2, resource: "link", anyPlace: true, least: 4 * sec, most: 8 * sec},
		strike: func(w *world, p planned) error { return w.lab.Switch.SetCarrier(w.port(p), false) },
		expect: away,
		heal:   func(w *world, p planned) error { return w.lab.Switch.SetCarrier(w.port(p), true) },
	},
	{
		kind:   kind{name: "interface down", weight: 2, resource: "link", anyPlace: true, least: 200 * ms, most: 2 * sec},
		strike: takeDown,
		heal:   bringUp,
	},
	{
		kind:   kind{name: "interface down long", weight: 1, resource: "link", anyPlace: true, least: 4 * sec, most: 6 * sec},
		strike: takeDown,
		expect: away,
		heal:   bringUp,
	},
	{
		kind:   kind{name: "interface gone", weight: 3, resource: "link", anyPlace: true, least: 100 * ms, most: 2 * sec},
		strike: func(w *world, p planned) error { return w.node(p.node).unplug(p.at) },
		heal:   func(w *world, p planned) error { return w.node(p.node).replug(p.at) },
	},
	{
		kind:   kind{name: "interface gone long", weight: 1, resource: "link", anyPlace: true, least: 4 * sec, most: 6 * sec},
		strike: func(w *world, p planned) error { return w.node(p.node).unplug(p.at) },
		expect: awayAndMeddled,
		heal:   func(w *world, p planned) error { return w.node(p.node).replug(p.at) },
	},
	{
		// The address that is removed is put back, and announced once the queue takes frames again.
		kind: kind{name: "queue full", weight: 2, resource: "link", anyPlace: true, least: 1 * sec, most: 4 * sec},
		strike: func(w *world, p planned) error {
			if err := choke(w.node(p.node).host.Namespace, p.at.String()); err != nil {
				return err
			}
			return w.removeOne(p)
		},
		expect: unharmed,
		heal:   func(w *world, p planned) error { return unchoke(w.node(p.node).host.Namespace, p.at.String()) },
	},
	{
		kind: kind{name: "neighbours", weight: 1, resource: "link", anyPlace: true, least: 2 * sec, most: 7 * sec},
		strike: func(w *world, p planned) error {
			return addNeighbours(w.node(p.node).host.Namespace, p.at.String(), neighbours(p))
		},
		expect: unharmed,
		heal: func(w *world, p planned) error {
			return deleteNeighbours(w.node(p.node).host.Namespace, p.at.String(), neighbours(p))
		},
	},
}

func takeDown(w *world, p planned) error { return w.node(p.node).host.Namespace.SetDown(p.at.String()) }
func bringUp(w *world, p planned) error  { return w.node(p.node).host.Namespace.SetUp(p.at.String()) }

// port is where the interface of a fault is plugged in.
func (w *world) port(p planned) int { return port(len(w.nodes), p.node, p.at) }

// neighbours are four times as many as the machine's table takes of those that it has learned itself (gc_thresh3
// is 1024), a hundred of them in the network of virtual addresses.
func neighbours(p planned) (list []netip.Addr) {
	for i := range 100 {
		list = append(list, netip.AddrFrom4([4]byte{10, 77 + byte(p.at), 0, byte(1 + i)}))
	}
	for i := range 4000 {
		list = append(list, netip.AddrFrom4([4]byte{10, 99, byte(i >> 8), byte(i)}))
	}
	return list
}

// meddled expects everything to be as ever, but for the node's own addresses.
func meddled(_ *world, p planned, e expectation) expectation { return e.meddled(p.node) }

// awayAndMeddled expects the node to hold nothing and to lack addresses of its own.
func awayAndMeddled(_ *world, p planned, e expectation) expectation {
	return e.without(p.node).meddled(p.node)
}

var addressFaults = []fault{
	{
		kind:   kind{name: "address removed", weight: 3, resource: "addresses", anyPlace: true, least: 100 * ms, most: 1 * sec},
		strike: (*world).removeOne,
		expect: unharmed,
		heal:   nothing,
	},
	{
		kind: kind{name: "addresses flushed", weight: 3, resource: "addresses", anyPlace: true, least: 100 * ms, most: 1 * sec},
		strike: func(w *world, p planned) error {
			list, err := w.list(p)
			for _, a := range list {
				err = errors.Join(err, w.remove(p, a))
			}
			return err
		},
		expect: meddled,
		heal:   (*world).restore,
	},
	{
		kind: kind{name: "other prefix", weight: 2, resource: "addresses", anyPlace: true, least: 500 * ms, most: 4 * sec},
		strike: func(w *world, p planned) error {
			a, ok, err := w.virtual(p)
			if err == nil && ok {
				err = errors.Join(w.remove(p, a), w.add(p, otherwise(a)), w.restore(p))
			}
			return err
		},
		heal: (*world).removeStrange,
	},
	{
		kind: kind{name: "prefix twice", weight: 2, resource: "addresses", anyPlace: true, least: 500 * ms, most: 4 * sec},
		strike: func(w *world, p planned) error {
			a, ok, err := w.virtual(p)
			if err == nil && ok {
				err = w.add(p, otherwise(a))
			}
			return err
		},
		heal: (*world).removeStrange,
	},
	{
		// Added anew, they come behind virtual addresses of their networks, and would go with them.
		kind: kind{name: "own addresses anew", weight: 3, resource: "addresses", anyPlace: true, least: 100 * ms, most: 1 * sec},
		strike: func(w *world, p planned) (err error) {
			for _, a := range foreign(p.node, p.at) {
				err = errors.Join(err, w.remove(p, a))
			}
			return err
		},
		expect: meddled,
		heal:   (*world).restore,
	},
}

// strangeBits is a prefix length that no configuration has.
const strangeBits = 27

func otherwise(p netip.Prefix) netip.Prefix { return netip.PrefixFrom(p.Addr(), strangeBits) }

// list has the addresses of the fault's interface; none where that is gone.
func (w *world) list(p planned) ([]netip.Prefix, error) {
	n := w.node(p.node)
	if _, err := n.host.Namespace.Interface(p.at.String()); err != nil {
		return nil, nil
	}
	return n.host.Namespace.Addresses(p.at.String())
}

// virtual chooses one of the virtual addresses that the fault's interface has.
func (w *world) virtual(p planned) (a netip.Prefix, ok bool, err error) {
	list, err := w.list(p)
	list = slices.DeleteFunc(list, func(a netip.Prefix) bool { return !managed[a.Addr()] })
	if len(list) == 0 {
		return a, false, err
	}
	return list[p.pick%len(list)], true, err
}

// removeOne removes a virtual address, as somebody does who looks after what is his: the kernel takes secondaries
// away with their primary, and he gives those back that are not wackamole's.
func (w *world) removeOne(p planned) error {
	a, ok, err := w.virtual(p)
	if err == nil && ok {
		err = errors.Join(w.remove(p, a), w.restore(p))
	}
	return err
}

// remove removes an address. One that has gone meanwhile, with its interface perhaps, is no error.
func (w *world) remove(p planned, a netip.Prefix) error {
	err := w.node(p.node).host.Namespace.DeleteAddress(p.at.String(), a)
	if errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		err = nil
	}
	return err
}

func (w *world) add(p planned, a netip.Prefix) error {
	err := w.node(p.node).host.Namespace.AddAddress(p.at.String(), a)
	if errors.Is(err, unix.EEXIST) {
		err = nil
	}
	return err
}

// restore gives the interface the node's own addresses back.
func (w *world) restore(p planned) error {
	if _, err := w.node(p.node).host.Namespace.Interface(p.at.String()); err != nil {
		return nil // it gets them with the interface
	}
	return w.node(p.node).addOwn(p.at)
}

// removeStrange removes what an administrator has added with another prefix, unless the daemon did.
func (w *world) removeStrange(p planned) error {
	list, err := w.list(p)
	for _, a := range list {
		if managed[a.Addr()] && a.Bits() == strangeBits {
			err = errors.Join(err, w.remove(p, a))
		}
	}
	return err
}

var fileFaults = []fault{
	{
		// What runs does not care; what is started says why it cannot.
		kind:   kind{name: "/run read-only", weight: 1, resource: "process", least: 300 * ms, most: 1 * sec},
		strike: onNode(func(n *node) error { return n.setReadOnly(true) }),
		expect: unharmed,
		heal: onNode(func(n *node) error {
			err := n.end(syscall.SIGTERM, "exit status 0")
			if err == nil {
				err = n.refuses(unix.EROFS.Error())
			}
			return errors.Join(err, n.setReadOnly(false), n.start())
		}),
	},
	{
		// The last one runs with a log that takes nothing.
		kind:   kind{name: "disk full", weight: 1, resource: "process", least: 300 * ms, most: 1 * sec},
		strike: onNode((*node).fill),
		expect: unharmed,
		heal: onNode(func(n *node) error {
			err := n.end(syscall.SIGTERM, "exit status 0")
			if err == nil {
				err = n.fill()
			}
			if err == nil {
				err = n.refuses(unix.ENOSPC.Error())
			}
			return errors.Join(err, n.empty(), n.startMute())
		}),
	},
}
