package lab

import "slices"

// A Topology says which ports of a switch reach each other. It never changes: the switch replaces it.
type Topology struct {
	components []Ports // disjoint, without the ports that are cut off
}

// Components lists the sets of ports that reach each other, in the order of their lowest port. A port that is
// cut off is in none.
func (t *Topology) Components() []Ports { return t.components }

// Component is the set of ports that the port reaches, itself included; empty when it is cut off.
func (t *Topology) Component(port int) Ports {
	for _, c := range t.components {
		if c.Has(port) {
			return c
		}
	}
	return 0
}

// wiring is what was asked for: the split and the cuts, independent of each other.
type wiring struct {
	all   Ports
	split []Ports // none: all in one
	cut   Ports
}

func (w wiring) topology() *Topology {
	t := &Topology{}
	rest := w.all
	for _, c := range w.split {
		t.add(c & rest &^ w.cut)
		rest &^= c
	}
	t.add(rest &^ w.cut)
	slices.SortFunc(t.components, func(a, b Ports) int { return a.List()[0] - b.List()[0] })
	return t
}

func (t *Topology) add(c Ports) {
	if c != 0 {
		t.components = append(t.components, c)
	}
}
