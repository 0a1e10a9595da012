package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"strconv"

	"wackamole/alloc"
)

// clusterSize is an input of the decision.
type clusterSize struct{ members, interfaces int }

func (s clusterSize) String() string { return fmt.Sprintf("%dx%d", s.members, s.interfaces) }

// input is how much a view brings: each member has to hear of each virtual interface.
func (s clusterSize) input() float64 { return float64(s.members * s.interfaces) }

var clusterSizes = []clusterSize{{3, 10}, {3, 254}, {10, 1000}, {24, 4000}, {64, 10000}}

// decisionKinds are who holds what before the view: one member each virtual interface, two, or nobody.
var decisionKinds = []string{"all held", "all claimed twice", "none held"}

// decisions measures what a view costs one member, without any kernel or network: the view, the STATE of each
// member, and what follows from the last of them.
func decisions(runs int, sizes []clusterSize) *table {
	t := &table{
		title: "Decision about a view, alloc alone (members x virtual interfaces)",
		head:  []string{"", "time", "for each virtual interface", "for each member x interface", "allocations", "memory"},
	}
	for _, kind := range decisionKinds {
		var each []float64 // nanoseconds for each virtual interface, by size
		for _, size := range sizes {
			v := newDecision(size, kind)
			v.play()
			var time, allocations, bytes sample
			for range runs {
				repeat := max(1, 20000/size.interfaces)
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				began := now()
				for range repeat {
					v.play()
				}
				time = append(time, (now()-began).Seconds()/float64(repeat))
				runtime.ReadMemStats(&after)
				allocations = append(allocations, float64(after.Mallocs-before.Mallocs)/float64(repeat))
				bytes = append(bytes, float64(after.TotalAlloc-before.TotalAlloc)/float64(repeat))
			}
			each = append(each, time.median()/float64(size.interfaces)*1e9)
			t.row(kind+" "+size.String(), time.in(milliseconds), digits(each[len(each)-1])+" ns",
				digits(time.median()/size.input()*1e9)+" ns", fmt.Sprintf("%.0f", allocations.median()), kibibytes(bytes.median()))
		}
		if n := len(sizes); n > 2 {
			from, to := sizes[1], sizes[n-1]
			t.note("%s: from %v to %v there are %.0f times as many virtual interfaces, each at %.2f times the cost (1 is linear)",
				kind, from, to, float64(to.interfaces)/float64(from.interfaces), each[n-1]/each[1])
		}
	}
	return t
}

type decision struct {
	machine *alloc.Machine
	view    alloc.View
	states  []alloc.Message
}

func newDecision(size clusterSize, kind string) *decision {
	c := alloc.Config{Group: groupName, Address: memberAddress(0), PerRound: 1}
	for i := range size.interfaces {
		c.Interfaces = append(c.Interfaces, alloc.VirtualInterface{Addresses: []netip.Addr{
			netip.AddrFrom4([4]byte{10, 90, byte(i >> 8), byte(i)})}})
	}
	trailer := &alloc.Trailer{Abilities: alloc.CanGoOn, Fingerprint: alloc.Fingerprint(c.Interfaces)}
	d := &decision{machine: alloc.New(c, binary.BigEndian)}
	d.machine.Step(alloc.Connected{Self: "0"})
	for k := range size.members {
		d.view.Members = append(d.view.Members, strconv.Itoa(k))
		s := alloc.StateBody{Address: memberAddress(k), Index: k, Mature: true, Trailer: trailer}
		for i, row := range c.Interfaces {
			second := kind == "all claimed twice" && i%size.members == (k+1)%size.members
			if kind != "none held" && (i%size.members == k || second) {
				s.Claims = append(s.Claims, alloc.ClaimOf{Key: row.Key(), Claim: alloc.Claimed})
			}
		}
		d.states = append(d.states, alloc.Message{
			Sender: strconv.Itoa(k), Groups: []string{groupName}, Type: alloc.StateMessage,
			Body: s.Append(nil, binary.BigEndian), Ordered: true, Order: binary.BigEndian,
		})
	}
	return d
}

func memberAddress(k int) netip.Addr { return netip.AddrFrom4([4]byte{192, 168, 0, byte(k + 1)}) }

// play takes the machine through one more view.
func (d *decision) play() {
	d.view.ID[0]++
	d.machine.Step(d.view)
	for _, s := range d.states {
		binary.BigEndian.PutUint32(s.Body, d.view.ID[0])
		d.machine.Step(s)
	}
}
