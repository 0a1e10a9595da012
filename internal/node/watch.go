package node

import (
	"net/netip"
	"slices"
	"time"

	"wackamole/conf"
	"wackamole/rtnl"
)

// fromKernel takes a change of links and addresses that somebody else made.
func (n *Node) fromKernel(e rtnl.Event) {
	switch e.Kind {
	case rtnl.Lost:
		n.compare()
		n.learnLinks()
	case rtnl.AddressGone:
		n.holdings.labels.Removed(e.Address.Interface, e.Address.Label)
		n.missing(e.Address.Address, "somebody else removed")
	case rtnl.AddressNew:
		n.holdings.labels.Added(e.Address.Interface, e.Address.Label)
	case rtnl.LinkNew, rtnl.LinkChanged:
		n.linkBack(e.Link, e.Kind == rtnl.LinkNew || !e.Was.Up && e.Link.Up)
		if e.Kind == rtnl.LinkChanged && !e.Was.Carrier && e.Link.Carrier {
			n.announceOn(e.Link.Name)
		}
		n.noteLink(e)
	case rtnl.LinkGone:
		n.noteLink(e)
	}
}

// missing puts back an address that this host is to hold and that the kernel has
// no more: at once the first time, after growing pauses if it keeps happening.
// What stood in its place (another prefix, another interface) and has gone makes
// room for it at once.
func (n *Node) missing(a rtnl.Address, how string) {
	x := n.holdings.held[a.Prefix.Addr()]
	switch ours := x != nil && x.address.Interface == a.Interface && x.address.Prefix == a.Prefix; {
	case x == nil, x.present != ours:
		return
	case !ours:
		x.next = time.Now()
		n.alarms.setBy(repairAlarm, 0)
		return
	}
	x.present, x.labelled = false, false
	n.counters.AddressesBack++
	pause := x.miss(time.Now())
	n.log.Warningf("%s %v from interface %s: putting it back in %v", how, a.Prefix, a.Interface, pause)
	n.alarms.setBy(repairAlarm, pause)
}

// linkBack tries at once what waits for an interface.
func (n *Node) linkBack(l rtnl.Link, usable bool) {
	if !usable {
		return
	}
	for _, x := range n.holdings.held {
		if !x.present && x.address.Interface == l.Name {
			x.next = time.Now()
			n.alarms.setBy(repairAlarm, 0)
		}
	}
}

// announceOn announces again what is held on an interface that has its carrier
// back: it may be at another switch, and what was sent meanwhile was lost.
func (n *Node) announceOn(name string) {
	var keys []netip.Addr
	for _, v := range n.holdings.interfaces {
		if slices.ContainsFunc(v.Addresses, func(a conf.Address) bool {
			return a.Interface == name && n.holdings.held[a.Addr()] != nil
		}) {
			keys = append(keys, v.Key())
		}
	}
	n.announceAgain(keys)
}

// compare looks for everything that the kernel should have and has not, after
// its events could not all be heard.
func (n *Node) compare() {
	list, err := n.door.Kernel.Addresses()
	if err != nil {
		n.unseen(&n.unlooked.addresses, "what somebody else removed is not known", err)
		return
	}
	n.unlooked.addresses = false
	n.holdings.labels.Reset(list)
	there := make(map[netip.Addr]rtnl.Assigned, len(list))
	for _, a := range list {
		there[a.Prefix.Addr()] = a
	}
	for addr, x := range n.holdings.held {
		if a, ok := there[addr]; x.present && (!ok || a.Prefix != x.address.Prefix || a.Interface != x.address.Interface) {
			n.missing(x.kernelAddress(), "something removed")
		}
	}
}

// unlooked is what could not be looked at, since the kernel did not list it.
type unlooked struct {
	leftovers, addresses, links bool
	pause                       time.Duration // until the kernel is asked again
}

// unseen notes that something could not be looked at, and what that means.
func (n *Node) unseen(what *bool, meaning string, err error) {
	*what = true
	u := &n.unlooked
	u.pause = max(u.pause, firstPause)
	n.log.Errorf("%s: %v; looking again in %v", meaning, err, u.pause)
	n.alarms.setBy(lookAlarm, u.pause)
}

// lookAgain looks at what could not be looked at.
func (n *Node) lookAgain() {
	u := &n.unlooked
	again := *u
	u.pause = min(2*u.pause, longPause)
	if again.leftovers {
		n.sweep()
	}
	if again.addresses {
		n.compare()
	}
	if again.links {
		n.learnLinks()
	}
	if !u.leftovers && !u.addresses && !u.links {
		u.pause = 0
	}
}

// guardLost takes the end of the guard process. One that has given this process
// up has released everything; one that was killed has not.
func (n *Node) guardLost(released bool) {
	n.counters.GuardRestarts++
	n.log.Warningf("the guard process is gone: starting another")
	if released && n.session != nil && !n.holdings.empty() { // else awake has found out already
		n.stoodStill()
	}
	n.startGuard()
}

// guardPause is the time between two attempts to start a guard.
const guardPause = 5 * time.Second

// startGuard starts another guard and hands it everything that is held.
func (n *Node) startGuard() {
	var keys []rtnl.Key
	for _, all := range []map[netip.Addr]*holding{n.holdings.held, n.holdings.owed} {
		for _, x := range all {
			if x.kernel.Index != 0 {
				keys = append(keys, x.kernel)
			}
		}
	}
	if err := n.door.Guard.Restart(keys); err != nil {
		n.log.Errorf("no guard: if this process is killed now, its addresses stay on this host: %v; trying again in %v", err, guardPause)
		n.alarms.set(guardAlarm, guardPause)
	}
}
