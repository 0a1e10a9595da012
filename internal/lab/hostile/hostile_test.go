package hostile

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wackamole/alloc"
	"wackamole/internal/cli"
	"wackamole/internal/guard"
	"wackamole/internal/lab"
	"wackamole/internal/lab/cluster"
	"wackamole/internal/lab/vnet"
)

// The tests run this binary as the wackamole of the lab.
func TestMain(m *testing.M) {
	if guard.IsGuard(os.Args) || len(os.Args) > 1 && (os.Args[1] == "-d" || os.Args[1] == "ctl") {
		os.Exit(cli.Main(os.Args, os.Stdout, os.Stderr))
	}
	os.Exit(vnet.Reexec(vnet.Program(func() int {
		status := m.Run()
		if running != nil {
			running.Close()
		}
		return status
	})))
}

// Balancing at once, by and by, and never.
const (
	balanceAll    = "Balance { AcquisitionsPerRound = all }\nNotify arp-cache"
	balanceSlowly = "Balance { Interval = 4s }"
	balanceNone   = "Balance { AcquisitionsPerRound = 0 }"
)

const (
	nodes     = 3
	addresses = 9
	steady    = 300 * time.Millisecond
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// target is a cluster of honest members.
type target struct {
	*cluster.Cluster
	t           *testing.T // that uses it
	binary      string
	settings    string
	fingerprint uint64

	mu    sync.Mutex
	lines map[int]int // that each node has logged
}

// running is the cluster that the last test has left, quiet and in good health; nil: none.
var running *target

// newTarget gives a test a cluster of three nodes that share the addresses: the one that the test before it has
// left, if it went well and had the same settings, otherwise a new one.
func newTarget(t *testing.T, settings string) *target {
	t.Helper()
	vnet.Require(t)
	x := running
	if x != nil && x.settings != settings {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		x = nil
	}
	running = nil
	if x == nil {
		x = startTarget(t, settings)
	}
	x.t = t
	t.Cleanup(func() {
		if !t.Failed() {
			running = x
			return
		}
		for _, n := range x.Nodes {
			t.Logf("node %d:\n%s", n.Number, strings.Join(n.Lines(), "\n"))
		}
		x.Close()
	})
	for _, n := range x.Nodes {
		if !n.Running() {
			must(t, n.Start())
		}
	}
	x.settle()
	return x
}

func startTarget(t *testing.T, settings string) *target {
	binary, err := os.Executable()
	must(t, err)
	x := &target{binary: binary, settings: settings, lines: make(map[int]int)}
	x.Cluster, err = cluster.New(cluster.Options{
		Binary: binary, Nodes: nodes, Addresses: addresses, Mature: time.Second, Settings: settings,
		Output: func(h *lab.Host, _ string) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.lines[h.Number]++
		},
	})
	must(t, err)
	var list []alloc.VirtualInterface
	for _, a := range x.Addresses {
		list = append(list, alloc.VirtualInterface{Addresses: []netip.Addr{a}})
	}
	x.fingerprint = alloc.Fingerprint(list)
	return x
}

// patience is for what has to happen some time; it judges no speed.
const patience = 30 * time.Second

// settle waits until each address is answered by exactly one node, and has been for a moment, and, where they
// balance at all, all are shared out evenly.
func (x *target) settle() {
	x.t.Helper()
	if x.settings == balanceNone {
		x.settleAs(nil)
	} else {
		x.settleAs(x.Balanced)
	}
}

// settleAs does so for another condition than an even share; nil: none.
func (x *target) settleAs(wanted func(lab.Snapshot) bool) time.Duration {
	x.t.Helper()
	x.Prober.Begin()
	began := time.Now()
	if err := x.Prober.WaitSteady(x.context(patience), steady, wanted); err != nil {
		x.t.Fatalf("not settled: %v, held by %v", err, x.Prober.Snapshot().Holders)
	}
	return time.Since(began) - steady
}

// until waits for a condition.
func (x *target) until(what string, condition func() bool) {
	x.t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// by tells whether each address is answered by exactly one of these ports; by nobody where there are none.
func by(ports lab.Ports) func(lab.Snapshot) bool {
	return func(s lab.Snapshot) bool {
		for _, holders := range s.Holders {
			if holders&^ports != 0 || holders.Count() != min(1, ports.Count()) {
				return false
			}
		}
		return true
	}
}

// answered waits until that is so.
func (x *target) answered(ports lab.Ports) {
	x.t.Helper()
	wanted := by(ports)
	x.until(fmt.Sprintf("%v answer", ports), func() bool { return wanted(x.Prober.Snapshot()) })
}

// join connects a hostile member to the daemon of a node's host and joins the group.
func (x *target) join(node int, user string) *Member {
	x.t.Helper()
	m := x.dial(node, user)
	must(x.t, m.Join())
	_, err := m.AwaitJoined(x.t.Context(), nodes+1)
	must(x.t, err)
	return m
}

func (x *target) dial(node int, user string) *Member {
	x.t.Helper()
	m, err := Dial(x.t.Context(), x.Node(node).Host.SpreadPort(), user, "wack1")
	must(x.t, err)
	x.t.Cleanup(func() { m.Close() })
	return m
}

// untouched fails the test if anything has happened to an address since Begin.
func (x *target) untouched(when string) {
	x.t.Helper()
	for _, o := range x.Prober.Outcomes() {
		if o.Touched() || o.Last.Count() != 1 {
			x.t.Errorf("%s: %v unanswered for %v, answered twice for %v, by %v, then by %v", when, o.Address, o.Unanswered, o.Twice, o.First, o.Last)
		}
	}
}

// holders is who answers for each address now, when nothing moves.
func (x *target) holders() map[netip.Addr]lab.Ports {
	list := make(map[netip.Addr]lab.Ports)
	for i, holders := range x.Prober.Snapshot().Holders {
		list[x.Addresses[i]] = holders
	}
	return list
}

// others fails the test if anything has happened since Begin to an address that the node did not hold, and if
// two have answered for any.
func (x *target) others(node int, held map[netip.Addr]lab.Ports) {
	x.t.Helper()
	for _, o := range x.Prober.Outcomes() {
		if o.Twice > 0 || o.Touched() && !held[o.Address].Has(node) {
			x.t.Errorf("%v, held by %v: unanswered for %v, answered twice for %v, by %v, then by %v",
				o.Address, held[o.Address], o.Unanswered, o.Twice, o.First, o.Last)
		}
	}
}

// logged is how many lines a node has logged.
func (x *target) logged(node int) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lines[node]
}

// metrics asks a node for its counters, by name with labels.
func (x *target) metrics(node int) map[string]float64 {
	x.t.Helper()
	out, err := exec.Command(x.binary, "ctl", "-c", x.Node(node).Host.File("conf"), "-x").CombinedOutput()
	if err != nil {
		x.t.Fatalf("metrics of node %d: %v\n%s", node, err, out)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(out)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			if i := strings.LastIndexByte(line, '}'); i >= 0 {
				name, value = line[:i+1], strings.TrimSpace(line[i+1:])
			}
			f, err := strconv.ParseFloat(value, 64)
			must(x.t, err)
			values[name] = f
		}
	}
	return values
}

// rejections waits until a node has counted as many rejected messages as there are, and looks whether they are of
// the right kinds.
func (x *target) rejections(node int, before map[string]float64, lies []Lie, more ...alloc.Reason) {
	x.t.Helper()
	for _, l := range lies {
		more = append(more, l.Reason)
	}
	want := make(map[alloc.Reason]int)
	for _, r := range more {
		want[r]++
	}
	var got map[alloc.Reason]int
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		got = make(map[alloc.Reason]int)
		sum := 0
		now := x.metrics(node)
		for r := range alloc.Reasons {
			if n := int(now[rejected(r)] - before[rejected(r)]); n > 0 {
				got[r] = n
				sum += n
			}
		}
		if sum >= len(more) || time.Now().After(end) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		x.t.Errorf("node %d has rejected (-want +got):\n%s", node, diff)
	}
}

func rejected(r alloc.Reason) string {
	return fmt.Sprintf("wackamole_rejected_messages_total{kind=%q}", r)
}

// memory is the resident memory of a node's daemon, in KiB.
func (x *target) memory(node int) int {
	x.t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.Node(node).Process().PID))
	must(x.t, err)
	for line := range strings.Lines(string(content)) {
		if f := strings.Fields(line); f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			must(x.t, err)
			return n
		}
	}
	x.t.Fatal("no VmRSS")
	return 0
}

func (x *target) context(limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(x.t.Context(), limit)
	x.t.Cleanup(cancel)
	return ctx
}
