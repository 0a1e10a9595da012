package main

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wackamole/internal/lab"
	"wackamole/internal/lab/cluster"
	"wackamole/internal/lab/vnet"
)

func TestMain(m *testing.M) { os.Exit(vnet.Reexec(m)) }

const ms = time.Millisecond

var (
	one, two, three, all = lab.PortSet(1), lab.PortSet(2), lab.PortSet(3), lab.PortSet(1, 2, 3)

	vip1 = netip.MustParseAddr("10.77.0.101")
	vip2 = netip.MustParseAddr("10.77.0.102")
)

func TestTables(t *testing.T) {
	results := []result{
		{name: "kill -9 node 1", outcomes: []lab.Outcome{
			{Address: vip1, Component: all, Unanswered: 12345 * time.Microsecond, First: one, Last: two},
			{Address: vip2, Component: all, First: two, Last: two},
		}},
		{name: "split 3 | 1 2", outcomes: []lab.Outcome{
			{Address: vip1, Component: one | two, First: two, Last: two},
			{Address: vip1, Component: three, Unanswered: 20 * ms, Last: three},
			{Address: vip2, Component: one | two, Unanswered: 7 * ms, Last: one},
			{Address: vip2, Component: three, Unanswered: 12 * time.Second, Twice: 3 * ms, Last: three},
		}},
	}
	var out bytes.Buffer
	printTable(&out, results, unanswered)
	printTable(&out, results, answeredTwice)
	want := strings.TrimPrefix(`
                .101 .102   n  min  med  max
kill -9 node 1    12    .   1   12   12   12
split 3 | 1 2     20  12s   3    7   20  12s
                .101 .102   n  min  med  max
kill -9 node 1     .    .   0    .    .    .
split 3 | 1 2      .    3   1    3    3    3
`, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
}

func TestTitlesFit(t *testing.T) {
	for _, a := range acts {
		if len(a.name) > 15 || len(a.title) > 80 {
			t.Errorf("act %q: a name of at most 15 and a title of at most 80 characters are readable", a.name)
		}
	}
}

func TestComplaints(t *testing.T) {
	outcomes := []lab.Outcome{
		{Address: vip1, Component: one | two, First: one, Last: one},
		{Address: vip1, Component: three, First: three},
		{Address: vip2, Component: one | two, First: one, Last: one | two},
		{Address: vip2, Component: three, First: three, Last: three, Twice: ms},
	}
	tests := []struct {
		name  string
		wrong func(lab.Outcome) string
		want  []string
	}{
		{"at the end of an act", holdsOne, []string{
			"10.77.0.101 in the part with nodes 3: nobody answers",
			"10.77.0.102 in the part with nodes 1+2: nodes 1+2 answer",
		}},
		{"after it", holdsStill, []string{
			"10.77.0.101 in the part with nodes 3: unanswered 0s, answered twice 0s, holder 3, then -",
			"10.77.0.102 in the part with nodes 1+2: unanswered 0s, answered twice 0s, holder 1, then 1+2",
			"10.77.0.102 in the part with nodes 3: unanswered 0s, answered twice 1ms, holder 3, then 3",
		}},
	}
	for _, tt := range tests {
		err := complaints(outcomes, tt.wrong)
		if err == nil {
			t.Errorf("%s: no complaint", tt.name)
			continue
		}
		if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if err := complaints(outcomes[:1], tt.wrong); err != nil {
			t.Errorf("%s, one holder: %v", tt.name, err)
		}
	}
}

// audience plays events to a stage of three nodes and two addresses and returns what it has drawn.
func audience(terminal bool, events ...any) string {
	var out bytes.Buffer
	s := newStage(os.Stdout, cluster.Options{Nodes: 3})
	s.out, s.terminal = &out, terminal
	s.open(&cluster.Cluster{Addresses: []netip.Addr{vip1, vip2}})
	for i := range 3 {
		s.mark(&cluster.Node{Number: i + 1}, "")
	}
	for _, e := range events {
		s.events <- e
	}
	s.close()
	return out.String()
}

// topology of a switch with three ports.
func topology(t *testing.T, split ...[]int) *lab.Topology {
	t.Helper()
	vnet.Require(t)
	l, err := lab.New(lab.Options{Hosts: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Switch.Split(split...)
	return l.Switch.Topology()
}

func TestPlainLines(t *testing.T) {
	whole, split := topology(t), topology(t, []int{3})
	got := audience(false, "something happens",
		lab.Snapshot{At: 1500 * ms, Topology: whole, Holders: []lab.Ports{one, 0}},
		lab.Snapshot{At: 1600 * ms, Topology: whole, Holders: []lab.Ports{one, 0}}, // nothing new
		lab.Snapshot{At: 1700 * ms, Topology: whole, Holders: []lab.Ports{one | two, three}},
		lab.Snapshot{At: 1800 * ms, Topology: split, Holders: []lab.Ports{one | three, three}},
		"  settled")
	want := `
something happens
  seconds   .101   .102
    1.500      1      -
    1.700    1+2      3
    1.800    1|3    -|3
  settled
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestTerminalTable(t *testing.T) {
	split := topology(t, []int{3})
	got := audience(true, marked{3, "killed"}, lab.Snapshot{Topology: split, Holders: []lab.Ports{one | two, one}}, "the end")
	// What stood before the title is erased; the table is drawn anew below it.
	_, got, _ = strings.Cut(got, "the end\n")
	want := `
  seconds   .101   .102
   node 1     2x     ##
   node 2     2x      .
   nobody
- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -
   node 3   killed
   nobody     --     --
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
