package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"wackamole/internal/lab"
)

// An observed node is what can be seen of it at one moment.
type observed struct {
	number int
	report *report // what its daemon says; nil where it says nothing
	silent error   // why
	kernel [places][]netip.Prefix
	guards []process
}

// An expectation is what must hold once it is quiet.
type expectation struct {
	vifs  []vif
	parts [][]int // nodes that hear each other, and hold every virtual interface among them
	empty []int   // nodes that hold none
	// Nodes whose addresses that are nobody's business but theirs are in a state that we know.
	untouched []int
}

// everybody expects all nodes to hold the list among them.
func everybody(nodes int, list []vif) expectation {
	e := expectation{vifs: list, parts: [][]int{nil}}
	for n := 1; n <= nodes; n++ {
		e.parts[0] = append(e.parts[0], n)
		e.untouched = append(e.untouched, n)
	}
	return e
}

// without expects the others to hold what the node held.
func (e expectation) without(node int) expectation {
	e.parts = [][]int{slices.DeleteFunc(slices.Clone(e.parts[0]), func(n int) bool { return n == node })}
	e.empty = append(slices.Clone(e.empty), node)
	return e
}

// meddled says that the node's own addresses are not as they were.
func (e expectation) meddled(node int) expectation {
	e.untouched = slices.DeleteFunc(slices.Clone(e.untouched), func(n int) bool { return n == node })
	return e
}

// problems lists what is not as expected: seen from outside (answers), in the kernels, and in what the daemons
// say. Nodes are in the order of their numbers; answers tells which ports answer for an address.
func (e expectation) problems(nodes []observed, answers func(netip.Addr) lab.Ports) []string {
	j := judgement{expectation: e, nodes: nodes, answers: answers}
	for _, part := range e.parts {
		j.part(part)
	}
	for _, n := range e.empty {
		j.kernel(nodes[n-1], nil)
	}
	for _, n := range e.untouched {
		j.own(nodes[n-1])
	}
	return j.found
}

type judgement struct {
	expectation
	nodes   []observed
	answers func(netip.Addr) lab.Ports
	found   []string
}

func (j *judgement) say(format string, args ...any) {
	j.found = append(j.found, fmt.Sprintf(format, args...))
}

// part judges nodes that hear each other.
func (j *judgement) part(part []int) {
	var here lab.Ports
	for _, n := range part {
		here |= ports(len(j.nodes), n)
	}
	holds := make(map[int][]vif)
	owners := make([]int, len(j.vifs))
	listed := make(map[netip.Addr]bool)
	for i, v := range j.vifs {
		owners[i] = j.owner(part, here, v)
		holds[owners[i]] = append(holds[owners[i]], v)
		for _, a := range v {
			listed[a.prefix.Addr()] = true
		}
	}
	for _, a := range everyAddress() {
		if got := j.answers(a) & here; got != 0 && !listed[a] {
			j.say("%v is in no list and port %v answers", a, got)
		}
	}
	least, most := len(j.vifs), 0
	for _, n := range part {
		least, most = min(least, len(holds[n])), max(most, len(holds[n]))
		j.kernel(j.nodes[n-1], holds[n])
		j.daemon(part, j.nodes[n-1], owners)
		j.guard(j.nodes[n-1])
	}
	if most-least > 1 {
		j.say("nodes %v hold between %d and %d virtual interfaces", part, least, most)
	}
	j.agree(part)
}

// owner finds the one node that answers for all addresses of a virtual interface, each at its place; 0 where
// there is none.
func (j *judgement) owner(part []int, here lab.Ports, v vif) int {
	owner := 0
	for _, a := range v {
		got := j.answers(a.prefix.Addr()) & here
		i := slices.IndexFunc(part, func(n int) bool { return got == lab.PortSet(port(len(j.nodes), n, a.at)) })
		switch {
		case got == 0:
			j.say("%v: nobody of nodes %v answers", a, part)
			return 0
		case i < 0:
			j.say("%v: ports %v answer", a, got)
			return 0
		case owner != 0 && part[i] != owner:
			j.say("%v: nodes %d and %d hold parts of it", v, owner, part[i])
			return 0
		}
		owner = part[i]
	}
	return owner
}

// kernel judges which virtual addresses a kernel has.
func (j *judgement) kernel(n observed, held []vif) {
	var want, got []string
	for _, v := range held {
		for _, a := range v {
			want = append(want, a.String())
		}
	}
	for at := range places {
		for _, p := range n.kernel[at] {
			if managed[p.Addr()] {
				got = append(got, address{at, p}.String())
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		j.say("node %d: the kernel has [%s] and not [%s]", n.number, strings.Join(got, " "), strings.Join(want, " "))
	}
}

// own judges the addresses that are not managed.
func (j *judgement) own(n observed) {
	for at := range places {
		for _, p := range append(foreign(n.number, at), real(n.number, at)) {
			if !slices.Contains(n.kernel[at], p) {
				j.say("node %d: %v is gone from %v, and nobody was to touch it", n.number, p, at)
			}
		}
	}
}

// daemon judges what a daemon says of its state, of the owners and of what it holds.
func (j *judgement) daemon(part []int, n observed, owners []int) {
	r := n.report
	switch {
	case r == nil:
		j.say("node %d: no answer: %v", n.number, n.silent)
		return
	case r.State != "RUN" || !r.Mature:
		j.say("node %d: state %s, mature %v", n.number, r.State, r.Mature)
		return
	case len(r.Interfaces) != len(j.vifs):
		j.say("node %d: %d virtual interfaces in its table, not %d", n.number, len(r.Interfaces), len(j.vifs))
		return
	case r.View == nil || len(r.View.Members) != len(part):
		j.say("node %d: its view does not have the %d members", n.number, len(part))
	}
	for i, row := range r.Interfaces {
		var want netip.Addr
		if owners[i] != 0 {
			want = real(owners[i], eth0).Addr()
		}
		if row.Owner == nil || *row.Owner != want {
			j.say("node %d: its table gives %v to %v, and %v answers", n.number, j.vifs[i], row.Owner, want)
		}
		if held := owners[i] == n.number; row.Held != held {
			j.say("node %d: says held %v of %v", n.number, row.Held, j.vifs[i])
		}
	}
}

func (j *judgement) guard(n observed) {
	if len(n.guards) != 1 || n.guards[0].State == 'T' {
		j.say("node %d: guards %v, not one that is alive", n.number, n.guards)
	}
}

// agree judges whether the tables of all say the same, word for word.
func (j *judgement) agree(part []int) {
	first := ""
	for _, n := range part {
		r := j.nodes[n-1].report
		if r == nil {
			return
		}
		var b strings.Builder
		if r.View != nil {
			fmt.Fprintf(&b, "view %v of", r.View.ID)
			for _, m := range r.View.Members {
				fmt.Fprintf(&b, " %s", m.Name)
				if m.Address != nil {
					fmt.Fprintf(&b, "=%v", *m.Address)
				}
			}
		}
		for _, row := range r.Interfaces {
			fmt.Fprintf(&b, "; %v", row.Addresses)
			if row.Owner != nil {
				fmt.Fprintf(&b, " of %v", *row.Owner)
			}
			fmt.Fprintf(&b, " claim %d", row.Claim)
		}
		text := b.String()
		if first == "" {
			first = text
		}
		if text != first {
			j.say("node %d's table: %s\n  node %d's table: %s", n, text, part[0], first)
		}
	}
}
