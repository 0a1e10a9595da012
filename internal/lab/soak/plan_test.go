package main

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlanIsTheSeeds(t *testing.T) {
	draw := func(seed uint64) (text []string) {
		p := newPlanner(seed, kinds(nil), 4)
		for range 100 {
			text = append(text, p.next().String())
		}
		return text
	}
	if diff := cmp.Diff(draw(7), draw(7)); diff != "" {
		t.Errorf("the same seed brings other rounds:\n%s", diff)
	}
	if slices.Equal(draw(7), draw(8)) {
		t.Error("two seeds bring the same rounds")
	}
}

func TestPlan(t *testing.T) {
	all := kinds(nil)
	p := newPlanner(1, all, 3)
	several := 0
	for turn := range 20 {
		came := make(map[string]bool)
		for range all {
			r := p.next()
			if len(r) < 1 || len(r) > most {
				t.Fatalf("a round of %d faults", len(r))
			}
			if len(r) > 1 {
				several++
			}
			for i, f := range r {
				k := p.kind(f.kind)
				came[f.kind] = true
				if last := f.end - f.begin; last < k.least || last > k.most {
					t.Errorf("%v: lasts %v, want %v to %v", f, last, k.least, k.most)
				}
				if f.node < 0 || f.node > 3 || f.node == 0 != (k.resource == theNetwork) || f.at >= 0 != k.anyPlace {
					t.Errorf("%v: node %d, place %d", f, f.node, f.at)
				}
				if k.alone && len(r) > 1 {
					t.Errorf("%v: not alone in %v", f, r)
				}
				others := append(slices.Clone(r[:i]), r[i+1:]...)
				if p.taken(others, f) {
					t.Errorf("%v gets in the way of another of %v", f, r)
				}
			}
		}
		if len(came) < len(all) {
			t.Errorf("turn %d brought %d kinds of %d", turn, len(came), len(all))
		}
	}
	if several == 0 {
		t.Error("never two faults at once")
	}
}

func TestEvents(t *testing.T) {
	a := planned{kind: "a", node: 1, at: -1, end: 2 * time.Second}
	b := planned{kind: "b", node: 2, at: eth1, begin: time.Second, end: 1500 * time.Millisecond}
	r := round{a, b}
	if got, want := r.String(), "a node 1 for 2.0 s, b node 2 eth1 for 0.5 s after 1.0 s"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if r.name() != "several at once" || r[:1].name() != "a" {
		t.Errorf("names %q and %q", r.name(), r[:1].name())
	}
	want := []event{{0, a, false}, {time.Second, b, false}, {1500 * time.Millisecond, b, true}, {2 * time.Second, a, true}}
	if diff := cmp.Diff(want, r.events(), cmp.AllowUnexported(event{}, planned{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSides(t *testing.T) {
	for count := 2; count <= 8; count++ {
		for pick := range 300 {
			halves := sides(count, pick)
			all := slices.Concat(halves...)
			slices.Sort(all)
			if len(halves) != 2 || len(halves[0]) == 0 || len(halves[1]) == 0 || len(all) != count || all[0] != 1 || all[count-1] != count {
				t.Fatalf("%d nodes cut into %v", count, halves)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	if list, ok := choose(""); !ok || len(list) != len(faults) {
		t.Errorf("without a choice %d faults, %v", len(list), ok)
	}
	if list, ok := choose("split, kill guard"); !ok || len(list) != 2 {
		t.Errorf("two faults chosen: %v, %v", list, ok)
	}
	if _, ok := choose("split, flood"); ok {
		t.Error("a fault that there is not was chosen")
	}
}
