package hostile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wackamole/alloc"
	"wackamole/internal/lab"
)

// STATEs that cannot be are counted and change nothing. One with claims of what nobody knows is an answer
// without claims; after it, further STATEs of the view are counted.
func TestLies(t *testing.T) {
	x := newTarget(t, balanceAll)
	m := x.join(nodes, Last)
	v, _ := m.View()
	lies := Lies(m, v, lab.HostAddress(66), x.Addresses)
	good := m.State(v, lab.HostAddress(66))
	before := []map[string]float64{nil, x.metrics(1), x.metrics(2), x.metrics(3)}
	x.watch()
	// Integers in another order than the header says: a STATE of no view that there ever was.
	must(t, m.Send(Frame{Type: alloc.StateMessage, Body: good.Append(nil, order), Swapped: true}))
	must(t, Tell(m, lies))
	for i := 1; i <= nodes; i++ {
		x.rejections(i, before[i], heard(lies, i))
		if now := x.metrics(i); now[`wackamole_state{state="GATHER"}`] != 1 {
			t.Errorf("node %d is not in GATHER any more", i)
		}
	}
	x.untouched("while it lies")

	for i := range before[1:] {
		before[i+1] = x.metrics(i + 1)
	}
	Babble(m, lab.HostAddress(66), x.fingerprint)
	Babble(m, lab.HostAddress(66), x.fingerprint)
	must(t, Tell(m, lies))
	for i := 1; i <= nodes; i++ {
		// Of a member that has answered no further STATE is looked into.
		seen := heard(lies, i)
		for k := range seen {
			if seen[k].Reason == alloc.Malformed || seen[k].Reason == alloc.NotItsPlace {
				seen[k].Reason = alloc.Repeated
			}
		}
		x.rejections(i, before[i], seen, alloc.UnknownTarget, alloc.Repeated)
		if now := x.metrics(i); now[`wackamole_state{state="RUN"}`] != 1 {
			t.Errorf("node %d is not in RUN", i)
		}
	}
	x.leave(m)
}

// heard are those of the lies that reach a node: some go to one member alone.
func heard(lies []Lie, node int) []Lie {
	return slices.DeleteFunc(slices.Clone(lies), func(l Lie) bool {
		to := l.Frame.Groups
		return len(to) == 1 && !strings.HasSuffix(to[0], fmt.Sprintf("#node%d", node))
	})
}

// A session that is in no view is not heard, whatever it says.
func TestStranger(t *testing.T) {
	x := newTarget(t, balanceAll)
	m := x.dial(1, First)
	member := x.join(1, "$second") // so that there is a view to answer
	v, _ := member.View()
	before := x.metrics(2)
	x.watch()
	var lies []Lie
	for _, f := range Small(m, v, lab.HostAddress(66), x.Addresses) {
		if !f.Swapped {
			lies = append(lies, Lie{Frame: f, Reason: alloc.NotAMember})
		}
	}
	must(t, Tell(m, lies))
	x.rejections(2, before, lies)
	x.untouched("while a stranger speaks")
	if now := x.metrics(2); now[`wackamole_state{state="GATHER"}`] != 1 {
		t.Error("node 2 took a stranger's STATE for the member's")
	}
	x.leave(member)
}

// Data that looks like a membership message is data of an unknown type.
func TestForgedViews(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	m := x.join(nodes, Last)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	x.run(nodes + 1)
	v, _ := m.View()
	before := x.metrics(1)
	var lies []Lie
	for _, f := range ForgeView(m, v) {
		lies = append(lies, Lie{Frame: f, Reason: alloc.UnknownType})
	}
	x.watch()
	must(t, Tell(m, lies))
	x.rejections(1, before, lies)
	x.untouched("while it forges views")
	if now := x.metrics(1); now["wackamole_views_total"] != before["wackamole_views_total"] {
		t.Error("node 1 took data for a view")
	}
	x.leave(m)
}
