package main

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"wackamole/internal/lab"
)

// A scene is a cluster of three nodes in which all is well: virtual interface I is node 1 + I modulo 3's.
type scene struct {
	nodes   []observed
	answers map[netip.Addr]lab.Ports
}

func wellScene() *scene {
	x := &scene{answers: make(map[netip.Addr]lab.Ports)}
	for n := 1; n <= 3; n++ {
		o := observed{number: n, report: &report{State: "RUN", Mature: true}, guards: []process{{State: 'S'}}}
		for at := range places {
			o.kernel[at] = append([]netip.Prefix{real(n, at)}, foreign(n, at)...)
		}
		o.report.View = &reportView{ID: [3]uint32{1, 2, 3}}
		for m := 1; m <= 3; m++ {
			a := real(m, eth0).Addr()
			o.report.View.Members = append(o.report.View.Members, reportMember{Name: daemonName(m), Address: &a})
		}
		x.nodes = append(x.nodes, o)
	}
	for i, v := range vifs {
		owner := i%3 + 1
		for _, a := range v {
			k := &x.nodes[owner-1].kernel[a.at]
			*k = append(*k, a.prefix)
			x.answers[a.prefix.Addr()] = lab.PortSet(port(3, owner, a.at))
		}
		for n := range x.nodes {
			real := real(owner, eth0).Addr()
			x.nodes[n].report.Interfaces = append(x.nodes[n].report.Interfaces, row{Owner: &real, Claim: 2, Held: n+1 == owner})
		}
	}
	return x
}

func (x *scene) problems(e expectation) []string {
	return e.problems(x.nodes, func(a netip.Addr) lab.Ports { return x.answers[a] })
}

func (x *scene) drop(node int, at place, address string) {
	k := &x.nodes[node-1].kernel[at]
	*k = slices.DeleteFunc(*k, func(p netip.Prefix) bool { return p.Addr() == netip.MustParseAddr(address) })
}

func TestJudgeWell(t *testing.T) {
	if found := wellScene().problems(everybody(3, vifs)); len(found) > 0 {
		t.Errorf("all is well, and found: %q", found)
	}
}

func TestJudge(t *testing.T) {
	stranger := netip.MustParseAddr("10.77.0.9")
	first := netip.MustParseAddr("10.77.0.101") // node 1's, on eth0
	group := netip.MustParseAddr("10.78.0.109") // of a group of node 3's
	tests := []struct {
		name  string
		spoil func(x *scene)
		want  string // part of one of the problems
	}{
		{"nobody answers", func(x *scene) { delete(x.answers, first) }, "eth0:10.77.0.101/32: nobody of nodes [1 2 3] answers"},
		{"two answer", func(x *scene) { x.answers[first] |= lab.PortSet(2) }, "eth0:10.77.0.101/32: ports 1+2 answer"},
		{"another interface answers", func(x *scene) { x.answers[first] = lab.PortSet(4) }, "eth0:10.77.0.101/32: ports 4 answer"},
		{"a group is torn", func(x *scene) { x.answers[group] = lab.PortSet(5) }, "nodes 3 and 2 hold parts of it"},
		{"an address that is not configured", func(x *scene) {
			x.answers[netip.MustParseAddr("10.77.0.121")] = lab.PortSet(1)
		}, "10.77.0.121 is in no list and port 1 answers"},
		{"not balanced", func(x *scene) {
			x.answers[first], x.answers[netip.MustParseAddr("10.77.0.104")] = lab.PortSet(2), lab.PortSet(2)
		}, "nodes [1 2 3] hold between 2 and 6 virtual interfaces"},
		{"a kernel without", func(x *scene) { x.drop(1, eth0, "10.77.0.101") }, "node 1: the kernel has"},
		{"a kernel with one more", func(x *scene) {
			x.nodes[1].kernel[eth0] = append(x.nodes[1].kernel[eth0], netip.PrefixFrom(first, 32))
		}, "node 2: the kernel has"},
		{"another prefix", func(x *scene) {
			x.drop(1, eth0, "10.77.0.101")
			x.nodes[0].kernel[eth0] = append(x.nodes[0].kernel[eth0], netip.PrefixFrom(first, 24))
		}, "node 1: the kernel has"},
		{"the host's own is gone", func(x *scene) { x.drop(2, eth1, "10.78.2.202") }, "node 2: 10.78.2.202/24 is gone from eth1"},
		{"no answer", func(x *scene) {
			x.nodes[2].report, x.nodes[2].silent = nil, errors.New("refused")
		}, "node 3: no answer: refused"},
		{"still gathering", func(x *scene) { x.nodes[0].report.State = "GATHER" }, "node 1: state GATHER"},
		{"not mature", func(x *scene) { x.nodes[0].report.Mature = false }, "node 1: state RUN, mature false"},
		{"alone in its view", func(x *scene) {
			x.nodes[0].report.View.Members = x.nodes[0].report.View.Members[:1]
		}, "node 1: its view does not have the 3 members"},
		{"says another owner", func(x *scene) { x.nodes[0].report.Interfaces[0].Owner = &stranger }, "node 1: its table gives eth0:10.77.0.101/32 to 10.77.0.9"},
		{"says nobody", func(x *scene) { x.nodes[0].report.Interfaces[0].Owner = nil }, "node 1: its table gives"},
		{"says held", func(x *scene) { x.nodes[1].report.Interfaces[0].Held = true }, "node 2: says held true"},
		{"a shorter table", func(x *scene) {
			x.nodes[1].report.Interfaces = x.nodes[1].report.Interfaces[1:]
		}, "node 2: 11 virtual interfaces in its table"},
		{"tables differ in a claim", func(x *scene) { x.nodes[2].report.Interfaces[4].Claim = 4 }, "node 3's table: view"},
		{"views differ", func(x *scene) { x.nodes[2].report.View.ID[2]++ }, "node 3's table: view"},
		{"no guard", func(x *scene) { x.nodes[0].guards = nil }, "node 1: guards"},
		{"a stopped guard", func(x *scene) { x.nodes[0].guards[0].State = 'T' }, "node 1: guards"},
		{"two guards", func(x *scene) { x.nodes[0].guards = make([]process, 2) }, "node 1: guards"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := wellScene()
			tt.spoil(x)
			found := x.problems(everybody(3, vifs))
			if !slices.ContainsFunc(found, func(text string) bool { return strings.Contains(text, tt.want) }) {
				t.Errorf("found %q, want one with %q", found, tt.want)
			}
		})
	}
}

func TestExpectations(t *testing.T) {
	x := wellScene()
	all := everybody(3, vifs)
	if found := x.problems(all.without(3)); len(found) == 0 {
		t.Error("node 3 holds addresses and was to hold none")
	}
	x.drop(1, eth0, "10.77.2.201")
	if found := x.problems(all.meddled(1)); len(found) > 0 {
		t.Errorf("somebody meddled with node 1's own addresses, and found: %q", found)
	}
	if found := x.problems(all.meddled(2)); len(found) == 0 {
		t.Error("nobody meddled with node 1, and nothing was found")
	}
	if len(all.untouched) != 3 || len(all.parts[0]) != 3 {
		t.Errorf("expectations share memory: %+v", all)
	}
}
