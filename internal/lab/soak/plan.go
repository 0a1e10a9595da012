package main

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A kind is a sort of fault, as far as planning is concerned.
type kind struct {
	name        string
	weight      int
	resource    string // what of a node, or of the cluster, it takes hold of: no two faults share one
	anyPlace    bool   // it happens to one of the interfaces
	alone       bool   // nothing else happens in its round
	least, most time.Duration
}

// Resources of which the cluster has one.
const theNetwork = "network"

// A planned fault is one that a round brings.
type planned struct {
	kind  string
	node  int
	at    place // of a fault of one interface
	pick  int   // a number to choose by, for what is known only when it happens
	begin time.Duration
	end   time.Duration // since the begin of the round
}

func (p planned) String() string {
	text := p.kind
	if p.node > 0 {
		text += fmt.Sprintf(" node %d", p.node)
	}
	if p.at >= 0 {
		text += " " + p.at.String()
	}
	text += fmt.Sprintf(" for %.1f s", (p.end - p.begin).Seconds())
	if p.begin > 0 {
		text += fmt.Sprintf(" after %.1f s", p.begin.Seconds())
	}
	return text
}

// A round is a set of faults.
type round []planned

func (r round) String() string {
	words := make([]string, len(r))
	for i, p := range r {
		words[i] = p.String()
	}
	return strings.Join(words, ", ")
}

// name is what the figures call the round.
func (r round) name() string {
	if len(r) == 1 {
		return r[0].kind
	}
	return "several at once"
}

// A planner draws rounds. The same seed, kinds and number of nodes give the same rounds.
type planner struct {
	random *rand.Rand
	kinds  []kind
	nodes  int
	deck   []kind // kinds that are still to come before any comes again
}

func newPlanner(seed uint64, kinds []kind, nodes int) *planner {
	return &planner{random: rand.New(rand.NewPCG(seed, 4)), kinds: kinds, nodes: nodes}
}

// most faults of one round.
const most = 3

// next draws a round: of one fault as a rule, so that what it does can be told, or of up to three. The first
// fault of each round goes through all kinds before one comes again.
func (p *planner) next() round {
	if len(p.deck) == 0 {
		p.deck = slices.Clone(p.kinds)
		p.random.Shuffle(len(p.deck), func(i, j int) { p.deck[i], p.deck[j] = p.deck[j], p.deck[i] })
	}
	first := p.deck[0]
	p.deck = p.deck[1:]
	r := round{p.draw(first)}
	if first.alone || p.random.IntN(3) > 0 {
		return r
	}
	for range 1 + p.random.IntN(most-1) {
		k := p.weighted()
		f := p.draw(k)
		if k.alone || p.taken(r, f) {
			continue
		}
		f.begin = time.Duration(p.random.IntN(15)) * 100 * time.Millisecond
		f.end += f.begin
		r = append(r, f)
	}
	slices.SortStableFunc(r, func(a, b planned) int { return cmp.Compare(a.begin, b.begin) })
	return r
}

// weighted draws a kind by its weight.
func (p *planner) weighted() kind {
	sum := 0
	for _, k := range p.kinds {
		sum += k.weight
	}
	n := p.random.IntN(sum)
	for _, k := range p.kinds {
		if n -= k.weight; n < 0 {
			return k
		}
	}
	panic("weights changed meanwhile")
}

// draw chooses where a fault of the kind happens and how long it lasts.
func (p *planner) draw(k kind) planned {
	f := planned{kind: k.name, node: 1 + p.random.IntN(p.nodes), at: -1, pick: p.random.IntN(1 << 16)}
	if k.resource == theNetwork {
		f.node = 0
	}
	if k.anyPlace {
		f.at = place(p.random.IntN(int(places)))
	}
	tenths := int((k.most - k.least) / (100 * time.Millisecond))
	f.end = k.least + time.Duration(p.random.IntN(tenths+1))*100*time.Millisecond
	return f
}

// taken tells whether the fault gets in the way of another of the round.
func (p *planner) taken(r round, f planned) bool {
	return slices.ContainsFunc(r, func(other planned) bool {
		a, b := p.kind(f.kind), p.kind(other.kind)
		return a.resource == b.resource && (f.node == other.node || a.resource == theNetwork)
	})
}

func (p *planner) kind(name string) kind {
	return p.kinds[slices.IndexFunc(p.kinds, func(k kind) bool { return k.name == name })]
}

// An event is the begin or the end of a fault.
type event struct {
	at    time.Duration
	fault planned
	heal  bool
}

// events lists what happens in a round, in order.
func (r round) events() (list []event) {
	for _, f := range r {
		list = append(list, event{f.begin, f, false}, event{f.end, f, true})
	}
	slices.SortStableFunc(list, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return list
}

// sides cuts the nodes 1 to count into two halves that are not empty, by a number.
func sides(count, pick int) [][]int {
	mask := 1 + pick%(1<<count-2)
	halves := [][]int{nil, nil}
	for n := 1; n <= count; n++ {
		halves[mask>>(n-1)&1] = append(halves[mask>>(n-1)&1], n)
	}
	return halves
}
