package main

import (
	"fmt"
	"net/netip"
	"strings"

	"wackamole/internal/lab"
)

// place is an interface of a host, the same on every one.
type place int

const (
	eth0 place = iota
	eth1
	places
)

func (p place) String() string { return [...]string{"eth0", "eth1"}[p] }

// real is the address of its own that a node has at a place.
func real(node int, at place) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77 + byte(at), 0, byte(node)}), 24)
}

// foreign lists the addresses of a node that wackamole does not manage: one in the network of its real address,
// one in a network that only virtual addresses have, one by itself.
func foreign(node int, at place) []netip.Prefix {
	second := 77 + byte(at)
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, second, 0, 200 + byte(node)}), 24),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, second, 2, 200 + byte(node)}), 24),
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, second, 9, 200 + byte(node)}), 32),
	}
}

// An address is one of a virtual interface.
type address struct {
	at     place
	prefix netip.Prefix
}

func (a address) String() string { return a.at.String() + ":" + a.prefix.String() }

// A vif is a virtual interface. Its first address is its key.
type vif []address

func (v vif) String() string {
	words := make([]string, len(v))
	for i, a := range v {
		words[i] = a.String()
	}
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, " ") + " }"
}

func parseVIF(text string) vif {
	var v vif
	for _, word := range strings.Fields(text) {
		name, prefix, _ := strings.Cut(word, ":")
		a := address{eth0, netip.MustParsePrefix(prefix)}
		if name == eth1.String() {
			a.at = eth1
		}
		v = append(v, a)
	}
	return v
}

// The virtual interfaces of the cluster: by themselves and in groups, with prefixes that make them secondaries
// of the real address or of each other, and such that stand alone.
var vifs = []vif{
	parseVIF("eth0:10.77.0.101/32"),
	parseVIF("eth0:10.77.0.102/32"),
	parseVIF("eth0:10.77.0.103/32"),
	parseVIF("eth0:10.77.0.104/24"),
	parseVIF("eth1:10.78.0.105/32"),
	parseVIF("eth1:10.78.0.106/24"),
	parseVIF("eth1:10.78.2.107/24"),
	parseVIF("eth1:10.78.2.108/24"),
	parseVIF("eth0:10.77.0.109/32 eth1:10.78.0.109/32"),
	parseVIF("eth0:10.77.2.110/24 eth0:10.77.2.111/24"),
	parseVIF("eth1:10.78.0.112/32 eth0:10.77.0.112/32 eth1:10.78.3.112/25"),
	parseVIF("eth1:10.78.4.113/24"),
}

// changed is another list, which a reload brings: two are gone, one has another prefix, two are new.
func changed() []vif {
	list := append([]vif(nil), vifs[1:10]...)
	list[2] = parseVIF("eth0:10.77.0.104/32")
	return append(list, vifs[11], parseVIF("eth0:10.77.0.121/32"), parseVIF("eth1:10.78.0.122/32 eth0:10.77.0.122/32"))
}

// everyAddress lists what is asked for: the addresses of both lists.
func everyAddress() (list []netip.Addr) {
	seen := make(map[netip.Addr]bool)
	for _, v := range append(append([]vif(nil), vifs...), changed()...) {
		for _, a := range v {
			if !seen[a.prefix.Addr()] {
				seen[a.prefix.Addr()] = true
				list = append(list, a.prefix.Addr())
			}
		}
	}
	return list
}

// managed tells which addresses are virtual ones, of either list.
var managed = func() map[netip.Addr]bool {
	all := make(map[netip.Addr]bool)
	for _, a := range everyAddress() {
		all[a] = true
	}
	return all
}()

// port is the switch port at which a place of a node is plugged in.
func port(nodes, node int, at place) int { return node + int(at)*nodes }

// ports are both of a node's.
func ports(nodes, node int) lab.Ports {
	return lab.PortSet(port(nodes, node, eth0), port(nodes, node, eth1))
}

// configuration is a node's wackamole.conf.
func configuration(spread, control string, list []vif) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Spread = %s\nSpreadRetryInterval = 1s\nGroup = wack1\nMature = 1s\nControl = %s\n", spread, control)
	b.WriteString("Balance {\n\tAcquisitionsPerRound = all\n}\nArp-Cache = 5s\nNotify {\n\tarp-cache\n}\nVirtualInterfaces {\n")
	for _, v := range list {
		fmt.Fprintf(&b, "\t%v\n", v)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

// addressesOf collects the addresses of a list.
func addressesOf(list []vif) map[netip.Addr]bool {
	all := make(map[netip.Addr]bool)
	for _, v := range list {
		for _, a := range v {
			all[a.prefix.Addr()] = true
		}
	}
	return all
}

// listed are the addresses of the list, always those that a reload leaves in it.
var (
	listed = addressesOf(vifs)
	always = func() map[netip.Addr]bool {
		both, others := make(map[netip.Addr]bool), addressesOf(changed())
		for a := range listed {
			if others[a] {
				both[a] = true
			}
		}
		return both
	}()
)
