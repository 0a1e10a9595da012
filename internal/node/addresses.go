package node

import (
	"errors"
	"net/netip"
	"sort"
	"time"

	"wackamole/conf"
	"wackamole/garp"
	"wackamole/rtnl"
)

// holdingBlock is how many holdings are made at a time, at most.
const holdingBlock = 64

// acquire makes this host hold virtual interfaces: kernel, announcements, hooks.
func (n *Node) acquire(keys []netip.Addr) {
	begin := time.Now()
	list := make([]*holding, 0, len(keys))
	if len(n.holdings.held) == 0 {
		n.holdings.held = make(map[netip.Addr]*holding, len(keys)) // which need not grow
	}
	var unused []holding // made by the block: an allocation for each takes as long as the rest
	for i, k := range keys {
		vif, ok := n.holdings.byKey[k]
		if !ok {
			continue
		}
		for _, a := range n.holdings.interfaces[vif].Addresses {
			x := n.holdings.owed[a.Addr()]
			if x == nil {
				if len(unused) == 0 {
					unused = make([]holding, min(len(keys)-i, holdingBlock))
				}
				x, unused = &unused[0], unused[1:]
			}
			x.address, x.vif = a, vif
			delete(n.holdings.owed, a.Addr())
			n.holdings.held[a.Addr()] = x
			list = append(list, x)
		}
	}
	n.put(list)
	n.counters.acquired(len(keys), begin)
	n.watchSpread()
	n.armBeat()
	n.runHooks(conf.OnUp, conf.PostUp, keys)
}

// put asks the kernel for addresses that are to be held and announces each
// virtual interface as soon as its last address is there.
func (n *Node) put(list []*holding) {
	addresses := make([]rtnl.Address, len(list))
	for i, x := range list {
		if !x.labelled {
			x.labelled = true
			x.label = n.holdings.labels.Next(x.address.Interface)
		}
		addresses[i] = x.kernelAddress()
	}
	done := 0
	var replaced []rtnl.Key
	results := n.door.Kernel.Add(addresses, n.door.Guard.Hold, func(_ []rtnl.Address, results []rtnl.Result) {
		first := done
		for _, r := range results {
			x := list[done]
			x.present = r.Err == nil
			// A result without a key is that of a missing interface. Another one of
			// its name has another index, and what went with the old one is gone.
			if r.Key.Index != 0 {
				if x.kernel.Index != 0 && x.kernel != r.Key {
					replaced = append(replaced, x.kernel)
				}
				x.kernel = r.Key
			}
			done++
		}
		n.announceNew(list, first, done)
	})
	if len(replaced) > 0 {
		n.door.Guard.Drop(replaced)
	}
	now := time.Now()
	for i, r := range results {
		x := list[i]
		switch {
		case r.Err != nil:
			n.counters.AddressFailures++
			pause := max(x.miss(now), firstPause)
			x.next = now.Add(pause)
			n.alarms.setBy(repairAlarm, pause)
			n.log.Errorf("%v; trying again in %v", r.Err, pause)
		default:
			x.next = time.Time{}
			n.logAddress("  UP: ", x)
			if r.Down {
				n.log.Warningf("interface %s is down: nobody can reach %v on it", x.address.Interface, x.address.Addr())
			}
		}
	}
}

// announceNew tells the network of the virtual interfaces of list[from:to], the next
// of a list that are in the kernel. One that goes beyond is left for the next call.
func (n *Node) announceNew(list []*holding, from, to int) {
	vifs := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		if i+1 == len(list) || list[i+1].vif != list[i].vif {
			vifs = append(vifs, list[i].vif)
		}
	}
	n.announce(vifs, to < len(list))
}

// announceAgain tells the network of virtual interfaces that this host keeps.
func (n *Node) announceAgain(keys []netip.Addr) {
	vifs := make([]int, 0, len(keys))
	for _, k := range keys {
		if vif, ok := n.holdings.byKey[k]; ok {
			vifs = append(vifs, vif)
		}
	}
	n.announce(vifs, false)
}

// announce tells the network of virtual interfaces, as far as the kernel has them;
// more says that others are about to follow.
func (n *Node) announce(vifs []int, more bool) {
	tell := make([]garp.VirtualInterface, 0, len(vifs))
	addresses := make([]garp.Address, 0, len(vifs)) // most virtual interfaces have one
	for _, vif := range vifs {
		from := len(addresses)
		if addresses = n.holdings.present(addresses, vif); len(addresses) > from {
			key := n.holdings.interfaces[vif].Key()
			tell = append(tell, garp.VirtualInterface{Key: key, Addresses: addresses[from:len(addresses):len(addresses)]})
		}
	}
	n.door.Announcer.Announce(tell, more)
}

// release makes this host let virtual interfaces go.
func (n *Node) release(keys []netip.Addr) {
	n.door.Announcer.Withdraw(keys)
	var list []*holding
	var gone []netip.Addr
	for _, k := range keys {
		vif, ok := n.holdings.byKey[k]
		if !ok {
			continue
		}
		held := false
		for _, a := range n.holdings.interfaces[vif].Addresses {
			if x := n.holdings.held[a.Addr()]; x != nil {
				list = append(list, x)
				held = true
			}
		}
		if held {
			gone = append(gone, k)
		}
	}
	n.take(list)
	if len(gone) < len(keys) {
		n.sweep() // of what is not held, a predecessor may have left something
	}
	n.counters.Releases += uint64(len(gone))
	n.runHooks(conf.OnDown, conf.PostDown, gone)
}

// take has the kernel let addresses go. What it does not let go is owed, and
// tried again until it does. An address that is there otherwise than we put it is
// for sweep to judge.
func (n *Node) take(list []*holding) {
	if len(list) == 0 {
		return
	}
	addresses := make([]rtnl.Address, len(list))
	for i, x := range list {
		delete(n.holdings.held, x.address.Addr())
		addresses[i] = x.kernelAddress()
	}
	results := n.door.Kernel.Delete(addresses)
	now := time.Now()
	var drop []rtnl.Key
	otherwise := false
	for i, r := range results {
		x := list[i]
		if errors.Is(r.Err, rtnl.ErrExistsOtherPrefix) || errors.Is(r.Err, rtnl.ErrExistsElsewhere) {
			otherwise = true
		} else if r.Err != nil {
			n.counters.AddressFailures++
			pause := max(x.miss(now), firstPause)
			x.next = now.Add(pause)
			n.holdings.owed[x.address.Addr()] = x
			n.alarms.setBy(repairAlarm, pause)
			n.log.Errorf("%v; trying again in %v", r.Err, pause)
			continue
		}
		if r.Outcome == rtnl.Removed {
			n.logAddress("DOWN: ", x)
		}
		x.present = false
		n.holdings.labels.Removed(x.address.Interface, x.label)
		drop = append(drop, x.kernel)
	}
	n.door.Guard.Drop(drop)
	if otherwise {
		n.sweep()
	}
}

// repair tries again what has not worked and what somebody else has undone.
func (n *Node) repair() {
	if owed := n.due(n.holdings.owed); len(owed) > 0 {
		for _, x := range owed {
			delete(n.holdings.owed, x.address.Addr())
		}
		n.take(owed)
	}
	if missing := n.due(n.holdings.held); len(missing) > 0 {
		n.put(missing)
	}
}

// due lists, in configuration order, the holdings that are not as they should be
// and may be tried again now; for those that must wait it sets the alarm.
func (n *Node) due(all map[netip.Addr]*holding) (list []*holding) {
	now := time.Now()
	for _, x := range all {
		if x.next.IsZero() {
			continue
		}
		if wait := x.next.Sub(now); wait > 0 {
			n.alarms.setBy(repairAlarm, wait)
			continue
		}
		list = append(list, x)
	}
	sort.Sort(configured(list))
	return list
}

// configured is holdings in the order of the configuration, in which those of
// one virtual interface are together.
type configured []*holding

func (h configured) Len() int      { return len(h) }
func (h configured) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h configured) Less(i, j int) bool {
	if h[i].vif != h[j].vif {
		return h[i].vif < h[j].vif
	}
	return h[i].address.Addr().Less(h[j].address.Addr())
}
