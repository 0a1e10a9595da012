package lab

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// A round is one request for each address, sent to every port that is not cut off, and who has answered it.
type round struct {
	number    uint32
	act       int
	topology  *Topology
	component []Ports         // of the topology: those where somebody is to answer
	sent      []time.Duration // for each address, since the prober's start
	answers   []Ports         // for each address
}

// An Outcome is what happened to one address in one component during an act.
type Outcome struct {
	Address   netip.Addr
	Component Ports

	Unanswered time.Duration // in all
	Longest    time.Duration // the longest silence
	Twice      time.Duration // how long two or more ports answered, in all

	First, Last Ports // who answered in the first and in the last round
}

// Touched tells whether anything happened to the address.
func (o Outcome) Touched() bool { return o.Unanswered > 0 || o.Twice > 0 || o.First != o.Last }

// Rounds is how finely an act was watched. What is shorter than the time between two rounds may go unseen.
type Rounds struct {
	Count   int           // how many times the next round followed
	Total   time.Duration // time between rounds, summed up
	Longest time.Duration
}

// Mean is the mean time from one round to the next.
func (r Rounds) Mean() time.Duration { return r.Total / time.Duration(max(1, r.Count)) }

// A judge turns rounds into outcomes. It has no clock and no sockets: rounds come in the order in which they
// were sent. A round counts for the time up to the next one: the resolution of every figure is one round.
type judge struct {
	addresses []netip.Addr
	tracks    []map[Ports]*track // for each address, by component
	act       int
	previous  *round // of this act
	rounds    Rounds
	steady    time.Duration // when the present holders became so
	latest    time.Duration // when the last round was sent
	holders   []Ports       // in the last round, in all components, for each address
}

// A track is the outcome of one address in one component up to now, and the silence that goes on in it.
type track struct {
	Outcome
	silent time.Duration
}

func newJudge(addresses []netip.Addr) *judge {
	j := &judge{addresses: addresses, holders: make([]Ports, len(addresses))}
	j.begin(0)
	return j
}

// begin forgets all outcomes: another act begins.
func (j *judge) begin(act int) {
	j.act, j.rounds = act, Rounds{}
	j.tracks = make([]map[Ports]*track, len(j.addresses))
	for i := range j.tracks {
		j.tracks[i] = make(map[Ports]*track)
	}
	j.previous = nil
}

// add takes in the next round and tells whether who answers, or who reaches whom, has changed. The judge keeps
// the round until the next one.
func (j *judge) add(r *round) (changed bool) {
	if r.act != j.act {
		j.begin(r.act)
	}
	rewired := j.previous == nil || j.previous.topology != r.topology
	if j.previous != nil {
		d := r.sent[0] - j.previous.sent[0]
		j.rounds = Rounds{j.rounds.Count + 1, j.rounds.Total + d, max(j.rounds.Longest, d)}
	}
	good := true
	for i := range j.addresses {
		if j.previous != nil {
			j.account(i, j.previous, r.sent[i]-j.previous.sent[i])
		}
		for _, component := range r.component {
			answers := r.answers[i] & component
			good = good && answers.Count() == 1
			t := j.tracks[i][component]
			if t == nil {
				t = &track{Outcome: Outcome{Address: j.addresses[i], Component: component, First: answers}}
				j.tracks[i][component] = t
			}
			t.Last = answers
		}
		if r.answers[i] != j.holders[i] {
			j.holders[i] = r.answers[i]
			changed = true
		}
		j.latest = r.sent[i]
	}
	if changed || rewired || !good {
		j.steady = j.latest // and not the round's begin: it may have taken long
	}
	j.previous = r
	return changed || rewired
}

// account books the time from one round to the next.
func (j *judge) account(i int, r *round, d time.Duration) {
	for _, component := range r.component {
		t := j.tracks[i][component]
		switch n := (r.answers[i] & component).Count(); {
		case n == 0:
			t.silent += d
			t.Unanswered += d
			t.Longest = max(t.Longest, t.silent)
			continue
		case n > 1:
			t.Twice += d
		}
		t.silent = 0
	}
}

// outcomes lists what has happened since begin, by address and component.
func (j *judge) outcomes() []Outcome {
	var list []Outcome
	for _, byComponent := range j.tracks {
		for _, t := range byComponent {
			list = append(list, t.Outcome)
		}
	}
	slices.SortFunc(list, func(a, b Outcome) int {
		return cmp.Or(a.Address.Compare(b.Address), cmp.Compare(a.Component, b.Component))
	})
	return list
}

// steadyFor is how long each address has been answered by exactly one port, the same one, in each component.
func (j *judge) steadyFor() time.Duration {
	if j.previous == nil {
		return 0
	}
	return j.latest - j.steady
}
