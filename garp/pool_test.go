package garp

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var sameNeighbours = cmp.Comparer(func(a, b Neighbour) bool { return a == b })

func TestPoolTakesOnlyWhatFits(t *testing.T) {
	a := newAnnouncer(nil, nil)
	known := Neighbour{ip("10.0.0.9"), other}
	if n := a.MergePool([]Neighbour{known}); n != 0 {
		t.Errorf("%d neighbours taken without networks", n)
	}
	a.Configure(Config{Networks: []netip.Prefix{prefix("10.0.0.0/24"), prefix("192.0.2.128/25"), prefix("192.0.2.128/25"), {}}})
	taken := a.MergePool([]Neighbour{
		known,
		{ip("10.0.0.9"), ours}, // a later one wins
		{ip("192.0.2.200"), other},
		{ip("192.0.2.127"), other},              // outside
		{ip("10.0.1.9"), other},                 // outside
		{ip("10.0.0.10"), LinkAddr{}},           // incomplete
		{ip("10.0.0.11"), Broadcast},            // nobody's own address
		{ip("10.0.0.12"), LinkAddr{1, 0, 0x5e}}, // a group
		{ip("::1"), other},
		{Link: other},
	})
	if taken != 3 {
		t.Errorf("%d taken, want 3", taken)
	}
	want := []Neighbour{{ip("10.0.0.9"), ours}, {ip("192.0.2.200"), other}}
	if diff := cmp.Diff(want, a.Pool(), sameNeighbours); diff != "" {
		t.Errorf("pool (-want +got):\n%s", diff)
	}
	a.Configure(Config{Networks: []netip.Prefix{prefix("192.0.2.0/24")}})
	if diff := cmp.Diff(want[1:], a.Pool(), sameNeighbours); diff != "" {
		t.Errorf("pool after a reload (-want +got):\n%s", diff)
	}
	a.Configure(Config{})
	if n := len(a.Pool()); n != 0 {
		t.Errorf("%d neighbours left without networks", n)
	}
}

// A history is the pool in slow motion: all updates, of which the last of an
// address counts.
type history struct {
	updates []Neighbour
	last    map[netip.Addr]int // index in updates
	oldest  int                // no earlier update counts
}

func (h *history) merge(list []Neighbour) (dropped bool) {
	for _, n := range list {
		h.last[n.Addr] = len(h.updates)
		h.updates = append(h.updates, n)
		if len(h.last) <= MaxPool {
			continue
		}
		for h.last[h.updates[h.oldest].Addr] != h.oldest {
			h.oldest++
		}
		delete(h.last, h.updates[h.oldest].Addr)
		h.oldest++
		dropped = true
	}
	return dropped
}

func (h *history) snapshot() []Neighbour {
	var list []Neighbour
	for _, i := range h.last {
		list = append(list, h.updates[i])
	}
	slices.SortFunc(list, func(a, b Neighbour) int { return a.Addr.Compare(b.Addr) })
	return list
}

func TestPoolAgainstHistory(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var p pool
	model := history{last: make(map[netip.Addr]int)}
	everything := []block{{bits: 0}}
	p.restrict(everything)
	full := 0
	for i := range 400 {
		// Mostly from a range a little larger than the pool, now and then from few.
		most := MaxPool + 3000
		if random.IntN(4) == 0 {
			most = 20
		}
		list := make([]Neighbour, random.IntN(500))
		for j := range list {
			list[j] = Neighbour{nth("10.0.0.0", random.IntN(most)), LinkAddr{2, byte(i), byte(j)}}
		}
		p.merge(list)
		if model.merge(list) {
			full++
		}
		if i%200 == 199 { // a reload that drops some
			p.restrict([]block{{first: toUint32([4]byte{10, 0, 0, 0}), bits: 18}, {first: toUint32([4]byte{10, 0, 68, 0}), bits: 22}})
			for addr := range model.last {
				if n := toUint32(addr.As4()) & 0xffff; n >= 64<<8 && n < 68<<8 || n >= 72<<8 {
					delete(model.last, addr)
				}
			}
			p.restrict(everything)
		}
		if i%40 == 39 && !slices.Equal(p.snapshot(), model.snapshot()) {
			t.Fatalf("after %d merges the pool is another than its history gives", i+1)
		}
	}
	if full < 50 {
		t.Errorf("the pool was full in only %d merges", full)
	}
	for addr, i := range p.index {
		if got, _, ok := p.at(uint64(i)); !ok || got != addr {
			t.Fatalf("slot %d holds %v, not %v", i, fromUint32(got), fromUint32(addr))
		}
	}
}

func FuzzPool(f *testing.F) {
	f.Add([]byte{10, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		var (
			p    pool
			list []Neighbour
		)
		p.restrict([]block{{first: 10 << 24, bits: 8}})
		for ; len(body) >= 12; body = body[12:] {
			list = append(list, Neighbour{netip.AddrFrom4([4]byte(body)), LinkAddr(body[4:10])})
		}
		taken := p.merge(list)
		last := make(map[netip.Addr]LinkAddr)
		n := 0
		for _, e := range list {
			if e.Addr.As4()[0] == 10 && e.Link.isHost() {
				last[e.Addr] = e.Link
				n++
			}
		}
		if taken != n {
			t.Errorf("%d taken, want %d", taken, n)
		}
		got := p.snapshot()
		if len(got) > MaxPool || len(list) <= MaxPool && len(got) != len(last) {
			t.Errorf("%d neighbours of %d", len(got), len(last))
		}
		for _, e := range got {
			if last[e.Addr] != e.Link {
				t.Errorf("%v at %v, want %v", e.Addr, e.Link, last[e.Addr])
			}
		}
	})
}
