package alloc

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
)

// BenchmarkView is the cost of a view to one member of a cluster in which
// everything is held evenly: the view itself, its own STATE, those of the others,
// and the decisions that follow the last. "Even" is the case of every day; "merge"
// has each virtual interface claimed by two members; "first" has nobody holding
// anything. The metric rows/s has to stay about the same as the input grows.
func BenchmarkView(b *testing.B) {
	for _, size := range []struct{ members, interfaces int }{{3, 10}, {3, 254}, {10, 1000}, {24, 4000}, {64, 10000}} {
		for _, kind := range []string{"even", "merge", "first"} {
			b.Run(fmt.Sprintf("%s/%dx%d", kind, size.members, size.interfaces), func(b *testing.B) {
				v := newViewCost(size.members, size.interfaces, kind)
				b.ReportAllocs()
				for b.Loop() {
					v.play()
				}
				if v.m.State() != Run {
					b.Fatal("not in RUN")
				}
				b.ReportMetric(float64(b.N*size.interfaces)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// TestViewAllocations: what a view makes a member allocate grows with what it is
// sent, not faster. (Time is left to the benchmark.)
func TestViewAllocations(t *testing.T) {
	for _, kind := range []string{"even", "merge", "first"} {
		perRow := func(members, interfaces int) float64 {
			v := newViewCost(members, interfaces, kind)
			return testing.AllocsPerRun(5, v.play) / float64(members+interfaces)
		}
		if small, large := perRow(6, 500), perRow(24, 8000); large > small*1.5 {
			t.Errorf("%s: %.3f allocations a row at 6x500, %.3f at 24x8000", kind, small, large)
		}
	}
}

type viewCost struct {
	m      *Machine
	view   View
	states []Message
}

func newViewCost(members, interfaces int, kind string) *viewCost {
	c := Config{Group: "wack", Address: memberAddress(0), PerRound: 1}
	for i := range interfaces {
		c.Interfaces = append(c.Interfaces, VirtualInterface{[]netip.Addr{
			netip.AddrFrom4([4]byte{10, 80 + byte(i>>16), byte(i >> 8), byte(i)})}})
	}
	v := &viewCost{m: New(c, binary.BigEndian)}
	v.m.Step(Connected{"0"})
	for k := range members {
		v.view.Members = append(v.view.Members, strconv.Itoa(k))
		s := StateBody{Address: memberAddress(k), Index: k, Mature: true, Trailer: &Trailer{CanGoOn, v.m.fingerprint}}
		for i, row := range c.Interfaces {
			second := kind == "merge" && i%members == (k+1)%members
			if kind != "first" && (i%members == k || second) {
				s.Claims = append(s.Claims, ClaimOf{row.Key(), Claimed})
			}
		}
		v.states = append(v.states, message(strconv.Itoa(k), StateMessage, s.Append(nil, binary.BigEndian)))
	}
	return v
}

func memberAddress(k int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 0, byte(k + 1)}) }

// play takes the machine through one more view.
func (v *viewCost) play() {
	v.view.ID[0]++
	v.m.Step(v.view)
	for _, s := range v.states {
		binary.BigEndian.PutUint32(s.Body, v.view.ID[0])
		v.m.Step(s)
	}
}
