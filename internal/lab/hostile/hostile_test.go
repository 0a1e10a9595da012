package hostile

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wackamole/alloc"
	"wackamole/internal/cli"
	"wackamole/internal/control"
	"wackamole/internal/guard"
	"wackamole/internal/lab"
	"wackamole/internal/lab/cluster"
	"wackamole/internal/lab/vnet"
)

// The tests run this binary as the wackamole of the lab.
func TestMain(m *testing.M) {
	if guard.IsGuard(os.Args) || len(os.Args) > 1 && os.Args[1] == "-d" {
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

// Balancing at once, and never.
const (
	balanceAll  = "Balance { AcquisitionsPerRound = all }\nNotify arp-cache"
	balanceNone = "Balance { AcquisitionsPerRound = 0 }"
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

	held     map[netip.Addr]lab.Ports // see watch
	releases map[int]float64

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

// long skips a test in a short run.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a short run is a quick look at the most common kinds")
	}
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
	one := by(lab.PortSet(1, 2, 3))
	err := x.Prober.WaitSteady(x.context(patience), steady, func(s lab.Snapshot) bool {
		return one(s) && (wanted == nil || wanted(s))
	})
	if err != nil {
		x.t.Fatalf("not settled: %v, held by %v", err, x.Prober.Snapshot().Holders)
	}
	return time.Since(began) - steady
}

// until waits for a condition.
func (x *target) until(what string, condition func() bool) {
	x.t.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// run waits until each node is in RUN in a view of so many members.
func (x *target) run(members int) {
	x.t.Helper()
	for i := 1; i <= nodes; i++ {
		x.until(fmt.Sprintf("node %d runs in a view of %d", i, members), func() bool {
			now := x.metrics(i)
			return now["wackamole_members"] == float64(members) && now[`wackamole_state{state="RUN"}`] == 1
		})
	}
}

// leave ends the hostile member's session, waits until each address is held again, and says how long one was
// unanswered at most from then on.
func (x *target) leave(m *Member) {
	x.t.Helper()
	x.Prober.Begin()
	must(x.t, m.Close())
	x.run(nodes)
	x.answered(lab.PortSet(1, 2, 3))
	var longest time.Duration
	for _, o := range x.Prober.Outcomes() {
		longest = max(longest, o.Unanswered)
	}
	x.t.Logf("it is gone: all held after %v", longest)
	x.settle()
}

// once fails the test if two have answered for an address since Begin.
func (x *target) once() {
	x.t.Helper()
	for _, o := range x.Prober.Outcomes() {
		if o.Twice > 0 {
			x.t.Errorf("%v answered twice for %v", o.Address, o.Twice)
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

// watch begins to watch: what untouched and others speak of happens from now on.
func (x *target) watch() {
	x.t.Helper()
	x.held = x.holders()
	x.releases = make(map[int]float64)
	for i := 1; i <= nodes; i++ {
		if x.Node(i).Running() {
			x.releases[i] = x.metrics(i)["wackamole_releases_total"]
		}
	}
	x.Prober.Begin()
}

// untouched fails the test if anything has happened to an address since watch.
func (x *target) untouched(when string) {
	x.t.Helper()
	x.others(0, when)
}

// others fails the test if anything has happened since watch to an address that the node did not hold, or if two
// have answered for any. An answer that the prober has missed, as on a busy machine, is told from one that was not
// given: nobody has released anything then.
func (x *target) others(node int, when string) {
	x.t.Helper()
	released := false
	for i, n := range x.releases {
		released = released || i != node && x.metrics(i)["wackamole_releases_total"] != n
	}
	for _, o := range x.Prober.Outcomes() {
		held := x.held[o.Address]
		missed := o.Unanswered < 500*time.Millisecond && !released && (o.Last == 0 || o.Last == held)
		if o.Twice > 0 || !held.Has(node) && !missed && (o.Unanswered > 0 || o.Last != held) {
			x.t.Errorf("%s: %v, held by %v: unanswered for %v, answered twice for %v, by %v, then by %v",
				when, o.Address, held, o.Unanswered, o.Twice, o.First, o.Last)
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

// logged is how many lines a node has logged.
func (x *target) logged(node int) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lines[node]
}

// metrics asks a node for its counters, by name with labels.
func (x *target) metrics(node int) map[string]float64 {
	x.t.Helper()
	values, err := x.counters(node)
	must(x.t, err)
	return values
}

// counters is metrics for goroutines other than the test's.
func (x *target) counters(node int) (map[string]float64, error) {
	text, err := ask(x.Node(node).Host.File("control"), control.RequestMetrics)
	values := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		if i := strings.LastIndexByte(line, ' '); i >= 0 && line[0] != '#' && err == nil {
			values[line[:i]], err = strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		}
	}
	return values, err
}

// ask sends a request to a control socket and returns the answer.
func ask(path string, request byte) ([]byte, error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte{request}); err != nil {
		return nil, err
	}
	var length [4]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err = io.ReadFull(c, answer)
	return answer, err
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
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
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

// status is the first word of a field in /proc/PID/status of a node's daemon.
func (x *target) status(node int, field string) string {
	x.t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", x.Node(node).Process().PID))
	must(x.t, err)
	for line := range strings.Lines(string(content)) {
		if words := strings.Fields(line); words[0] == field {
			return words[1]
		}
	}
	x.t.Fatalf("no field %s", field)
	return ""
}

// memory is the resident memory of a node's daemon, in KiB.
func (x *target) memory(node int) int {
	x.t.Helper()
	n, err := strconv.Atoi(x.status(node, "VmRSS:"))
	must(x.t, err)
	return n
}

func (x *target) context(limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(x.t.Context(), limit)
	x.t.Cleanup(cancel)
	return ctx
}
