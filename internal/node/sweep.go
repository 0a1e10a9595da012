package node

import (
	"net/netip"

	"wackamole/conf"
	"wackamole/internal/fmt"
	"wackamole/internal/logger"
	"wackamole/rtnl"
)

// Sweep removes from this host every virtual address that is on the interface
// that the configuration names for it, with whatever prefix: what a predecessor
// left that was killed together with its guard. Those that are held stay; held may
// be nil. A virtual address on another interface is not ours; it is reported and
// left alone.
func Sweep(list []conf.VirtualInterface, held func(netip.Addr) bool, kernel Kernel, log *logger.Logger) error {
	present, err := kernel.Addresses()
	if err != nil {
		return fmt.Errorf("list the addresses of this host: %w", err)
	}
	virtual := make(map[netip.Addr]string)
	for _, v := range list {
		for _, a := range v.Addresses {
			if held == nil || !held(a.Addr()) {
				virtual[a.Addr()] = a.Interface
			}
		}
	}
	var remove []rtnl.Address
	for _, p := range present {
		switch name, ok := virtual[p.Prefix.Addr()]; {
		case !ok:
		case name != p.Interface:
			log.Errorf("virtual address %v is on interface %s, where the configuration does not put it: left alone, remove it or its interface will answer for it as well",
				p.Prefix, p.Interface)
		default:
			remove = append(remove, p.Address)
		}
	}
	if len(remove) == 0 {
		return nil
	}
	var failed error
	for i, r := range kernel.Delete(remove) {
		switch {
		case r.Err != nil:
			failed = r.Err
		case r.Outcome == rtnl.Removed:
			log.Printf("DOWN: %s", logName(remove[i]))
		}
	}
	return failed
}

// logName is the form in which the original logs an address, by its alias:
// eth0:1:10.0.0.5/255.255.255.0.
func logName(a rtnl.Address) string {
	name := a.Label
	if name == "" {
		name = a.Interface
	}
	m := ^uint32(0) << (32 - a.Prefix.Bits())
	return fmt.Sprintf("%s:%v/%d.%d.%d.%d", name, a.Prefix.Addr(), m>>24, m>>16&255, m>>8&255, m&255)
}

// sweep is Sweep for this node: how a member begins, and what follows a loss of
// Spread.
func (n *Node) sweep() {
	held := func(a netip.Addr) bool { return n.holdings.held[a] != nil }
	n.unlooked.leftovers = false
	if err := Sweep(n.holdings.interfaces, held, n.door.Kernel, n.log); err != nil {
		n.unseen(&n.unlooked.leftovers, "addresses may be left behind", err)
	}
	if list, err := n.door.Kernel.Addresses(); err == nil {
		n.holdings.labels.Reset(list)
	}
}
