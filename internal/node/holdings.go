package node

import (
	"net/netip"
	"slices"
	"time"

	"wackamole/conf"
	"wackamole/garp"
	"wackamole/rtnl"
)

// Pauses between two attempts to bring an address to where it should be, and how
// long it must have been quiet to begin again with the shortest.
const (
	firstPause = time.Second
	longPause  = time.Minute
	quietTime  = 5 * time.Minute
)

// holdings is what the machine says this host holds, and how far the kernel has
// it. It knows every virtual address of the configuration.
type holdings struct {
	interfaces []conf.VirtualInterface
	byKey      map[netip.Addr]int      // index in interfaces
	held       map[netip.Addr]*holding // by address; those to be held
	owed       map[netip.Addr]*holding // by address; those to be gone that the kernel has not let go
	networks   []netip.Prefix          // the own networks of all, each once
	labels     rtnl.Labels
}

// holding is one address that is to be held, or to be gone.
type holding struct {
	address  conf.Address
	vif      int
	label    string    // empty: the bare name of the interface
	labelled bool      // label has been chosen
	kernel   rtnl.Key  // what the kernel knows it by, once it was asked to have it
	present  bool      // the kernel has it
	misses   int       // times in a row that it was missing or could not be brought there
	missed   time.Time // the last of these
	next     time.Time // when to try again; zero: all is as it should be
}

func newHoldings(list []conf.VirtualInterface) *holdings {
	h := &holdings{held: make(map[netip.Addr]*holding), owed: make(map[netip.Addr]*holding)}
	h.configure(list)
	return h
}

func (h *holdings) configure(list []conf.VirtualInterface) {
	h.interfaces, h.byKey = list, make(map[netip.Addr]int, len(list))
	for i, v := range list {
		h.byKey[v.Key()] = i
	}
	h.networks = networksOf(list)
}

// networksOf lists the own networks of virtual interfaces, each once.
func networksOf(list []conf.VirtualInterface) []netip.Prefix {
	var networks []netip.Prefix
	seen := make(map[netip.Prefix]bool)
	for _, v := range list {
		for _, a := range v.Addresses {
			if own := a.OwnNetwork(); !seen[own] {
				seen[own] = true
				networks = append(networks, own)
			}
		}
	}
	return networks
}

// near reports whether an address is in the own network of a virtual interface.
func (h *holdings) near(a netip.Addr) bool {
	return slices.ContainsFunc(h.networks, func(p netip.Prefix) bool { return p.Contains(a) })
}

// empty reports whether nothing is held and nothing is still to be let go.
func (h *holdings) empty() bool { return len(h.held) == 0 && len(h.owed) == 0 }

// miss notes that an address is not where it should be and says how long to wait
// before the next attempt: not at all the first time, then longer and longer.
func (x *holding) miss(now time.Time) time.Duration {
	if now.Sub(x.missed) > quietTime {
		x.misses = 0
	}
	var pause time.Duration
	if x.misses > 0 {
		pause = min(firstPause<<min(x.misses-1, 10), longPause)
	}
	x.misses++
	x.missed, x.next = now, now.Add(pause)
	return pause
}

// kernelAddress is the address as the kernel takes it.
func (x *holding) kernelAddress() rtnl.Address {
	return rtnl.Address{Interface: x.address.Interface, Prefix: x.address.Prefix, Label: x.label}
}

// present appends the addresses of a virtual interface that the kernel has.
func (h *holdings) present(list []garp.Address, vif int) []garp.Address {
	addresses := h.interfaces[vif].Addresses
	for i := range addresses {
		a := &addresses[i]
		if x := h.held[a.Addr()]; x != nil && x.present {
			list = append(list, garp.Address{Addr: a.Addr(), Interface: a.Interface, Network: a.OwnNetwork()})
		}
	}
	return list
}

// has reports whether the kernel has all addresses of a virtual interface.
func (h *holdings) has(v *conf.VirtualInterface) bool {
	for _, a := range v.Addresses {
		if x := h.held[a.Addr()]; x == nil || !x.present {
			return false
		}
	}
	return true
}
