package cluster

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wackamole/conf"
	"wackamole/internal/cli"
	"wackamole/internal/guard"
	"wackamole/internal/lab"
	"wackamole/internal/lab/vnet"
	"wackamole/spreadproto"
)

func TestMain(m *testing.M) {
	if guard.IsGuard(os.Args) || filepath.Base(os.Args[0]) == realName {
		os.Exit(cli.Main(os.Args, os.Stdout, os.Stderr))
	}
	// The tests run this binary in the place of a wackamole.
	if len(os.Args) > 1 && os.Args[1] == "-d" {
		os.Exit(fakeNode(os.Args[3]))
	}
	os.Exit(vnet.Reexec(m))
}

// fakeNode is the simplest node that can be: of each view it takes the addresses whose number, divided by the
// size of the view, leaves its own place as rest. It has no guard, and keeps its addresses when it is killed.
func fakeNode(config string) int {
	if err := runFake(config); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func runFake(config string) error {
	c, _, err := conf.Load(config)
	if err != nil {
		return err
	}
	here, err := vnet.Here()
	if err != nil {
		return err
	}
	held := make(map[netip.Addr]bool)
	hold := func(a netip.Addr, want bool) error {
		if held[a] == want {
			return nil
		}
		held[a] = want
		if want {
			return here.AddAddress("eth0", netip.PrefixFrom(a, 32))
		}
		return here.DeleteAddress("eth0", netip.PrefixFrom(a, 32))
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	conn, err := spreadproto.Dial(stop, c.Spread, spreadproto.Options{Membership: true})
	if err != nil {
		return err
	}
	context.AfterFunc(stop, func() { conn.Close() })
	if err := conn.Join(c.Group); err != nil {
		return err
	}
	for {
		message, err := conn.Receive()
		if stop.Err() != nil {
			for _, v := range c.Interfaces {
				if err := hold(v.Key(), false); err != nil {
					return err
				}
			}
			return nil
		}
		if err != nil {
			return err
		}
		view, ok := message.(*spreadproto.Membership)
		if !ok {
			continue
		}
		for i, v := range c.Interfaces {
			if err := hold(v.Key(), i%len(view.Members) == view.Index(conn.PrivateGroup())); err != nil {
				return err
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newCluster(t *testing.T) *Cluster {
	t.Helper()
	vnet.Require(t)
	binary, err := os.Executable()
	must(t, err)
	return startCluster(t, binary, "")
}

func startCluster(t *testing.T, binary, settings string) *Cluster {
	t.Helper()
	c, err := New(Options{Binary: binary, Nodes: 3, Addresses: 6, Mature: time.Second, Settings: settings})
	must(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range c.Nodes {
				t.Logf("node %d: %q", n.Number, n.Lines())
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, n := range c.Nodes {
		must(t, n.Start())
	}
	settle(t, c)
	return c
}

func settle(t *testing.T, c *Cluster) {
	t.Helper()
	must(t, c.Prober.WaitSteady(t.Context(), 20*time.Millisecond, func(s lab.Snapshot) bool {
		return !slices.Contains(s.Holders, 0) && c.Balanced(s)
	}))
}

func TestClusterSplitsAndMerges(t *testing.T) {
	c := newCluster(t)
	c.Prober.Begin()
	c.Split([]int{3})
	settle(t, c)
	third := 0
	for _, o := range c.Prober.Outcomes() {
		if o.Component == lab.PortSet(3) && o.Last == lab.PortSet(3) {
			third++
		}
	}
	if third != len(c.Addresses) {
		t.Errorf("node 3 alone holds %d addresses, want %d", third, len(c.Addresses))
	}
	c.Prober.Begin()
	c.Merge()
	settle(t, c)
}

func TestClusterStopsNodes(t *testing.T) {
	c := newCluster(t)
	how, err := c.Node(2).Stop(syscall.SIGTERM)
	if err != nil || how != "exit status 0" || c.Node(2).Running() {
		t.Errorf("node 2 ended with %q, %v, running: %v", how, err, c.Node(2).Running())
	}
	c.Prober.Begin()
	settle(t, c)
	must(t, c.Leftovers())
}

// A node that is killed and has no guard leaves its addresses behind. The lab must see that.
func TestClusterFindsWhatAKilledNodeLeaves(t *testing.T) {
	c := newCluster(t)
	if how, err := c.Node(1).Stop(syscall.SIGKILL); err != nil || how != "signal: killed" {
		t.Fatalf("node 1 ended with %q, %v", how, err)
	}
	for {
		twice := true
		for _, holders := range c.Prober.Snapshot().Holders {
			twice = twice && (!holders.Has(1) || holders.Count() == 2)
		}
		if twice {
			break
		}
		time.Sleep(time.Millisecond) // the others have not taken over yet
	}
	if err := c.Leftovers(); err == nil || !strings.Contains(err.Error(), "node 1 does not run and still holds 10.77.0.101") {
		t.Errorf("Leftovers() = %v, want an error that names node 1 and 10.77.0.101", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	c.Prober.Begin()
	if err := c.Prober.WaitSteady(ctx, 20*time.Millisecond, nil); err == nil {
		t.Error("WaitSteady found the cluster settled while two nodes answer for an address")
	}
	for _, o := range c.Prober.Outcomes() {
		if o.First.Has(1) != (o.Twice > 0) {
			t.Errorf("%+v: want it answered twice exactly where node 1 held it", o)
		}
	}
}

func TestBalanced(t *testing.T) {
	c := newCluster(t)
	whole := c.Lab.Switch.Topology()
	one, two, three := lab.PortSet(1), lab.PortSet(2), lab.PortSet(3)
	tests := []struct {
		holders []lab.Ports
		want    bool
	}{
		{[]lab.Ports{one, two, three, one, two, three}, true},
		{[]lab.Ports{one, two, three, one, two}, true},
		{[]lab.Ports{one, two, one, one, two, three}, false},
		{[]lab.Ports{one, two}, true},
		{[]lab.Ports{one, one, two, two}, false},
	}
	for _, tt := range tests {
		if got := c.Balanced(lab.Snapshot{Topology: whole, Holders: tt.holders}); got != tt.want {
			t.Errorf("Balanced(%v) = %v, want %v", tt.holders, got, tt.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	list := addresses(600)
	seen := make(map[netip.Addr]bool)
	for _, a := range list {
		if seen[a] || a.As4()[3] == 0 || a.As4()[3] == 255 {
			t.Errorf("address %v: listed twice, or not one of a host", a)
		}
		seen[a] = true
	}
	if list[0] != netip.MustParseAddr("10.77.0.101") || list[150] != netip.MustParseAddr("10.77.1.1") {
		t.Errorf("addresses begin with %v, the 151st is %v", list[0], list[150])
	}
}
