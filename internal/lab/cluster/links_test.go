package cluster

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wackamole/internal/lab"
	"wackamole/internal/lab/vnet"
)

// realName is how the tests call this binary where it is to be wackamole itself.
const realName = "wackamole"

// newRealCluster is newCluster with the program itself.
func newRealCluster(t *testing.T) *Cluster {
	t.Helper()
	vnet.Require(t)
	binary, err := os.Executable()
	must(t, err)
	link := filepath.Join(t.TempDir(), realName)
	must(t, os.Symlink(binary, link))
	return startCluster(t, link, "Balance { AcquisitionsPerRound = all }")
}

// held lists the virtual addresses that the node's kernel has.
func (n *Node) held(t *testing.T) (list []netip.Addr) {
	t.Helper()
	all, err := n.Host.Namespace.Addresses("eth0")
	must(t, err)
	for _, p := range all {
		if slices.Contains(n.cluster.Addresses, p.Addr()) {
			list = append(list, p.Addr())
		}
	}
	return list
}

// await waits until the node has logged a line with the text so many times.
func (n *Node) await(t *testing.T, text string, times int) {
	t.Helper()
	for t.Context().Err() == nil {
		count := 0
		for _, line := range n.Lines() {
			if strings.Contains(line, text) {
				count++
			}
		}
		if count >= times {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("node %d has not logged %q", n.Number, text)
}

// Spread does not pass the switch here: each node reaches the others another way. A
// node whose interface loses its carrier, or vanishes, leaves to the others what it
// cannot serve, and takes its share again when it is back. What all lose moves
// nothing.
func TestFailedInterfaces(t *testing.T) {
	c := newRealCluster(t)
	for _, fault := range []struct {
		node        *Node
		begin, end  func(n *Node) error
		said, heard string
	}{
		{c.Node(2), func(n *Node) error { return c.Lab.Switch.SetCarrier(n.Number, false) },
			func(n *Node) error { return c.Lab.Switch.SetCarrier(n.Number, true) }, "interface eth0 has had no carrier for 3s: leaving the group", "interface eth0 has been back for 3s"},
		{c.Node(3), func(n *Node) error { return n.Host.Unplug() },
			func(n *Node) error { return n.Host.Replug() }, "interface eth0 has not been there for 3s: leaving the group", "interface eth0 has been back for 3s"},
	} {
		n := fault.node
		if len(n.held(t)) == 0 {
			t.Fatalf("node %d holds nothing", n.Number)
		}
		must(t, fault.begin(n))
		n.await(t, fault.said, 1)
		c.Prober.Begin()
		must(t, c.Prober.WaitSteady(t.Context(), 20*time.Millisecond, func(s lab.Snapshot) bool {
			return !slices.ContainsFunc(s.Holders, func(p lab.Ports) bool { return p == 0 || p.Has(n.Number) })
		}))
		must(t, fault.end(n))
		if list := n.held(t); len(list) != 0 {
			t.Errorf("node %d still holds %v", n.Number, list)
		}
		n.await(t, fault.heard, 1)
		c.Prober.Begin()
		settle(t, c)
	}
	var before [][]netip.Addr
	for _, n := range c.Nodes {
		before = append(before, n.held(t))
		must(t, c.Lab.Switch.SetCarrier(n.Number, false))
	}
	for i, n := range c.Nodes {
		n.await(t, "no other member could serve its addresses: staying in the group", 1)
		if after := n.held(t); !slices.Equal(before[i], after) {
			t.Errorf("node %d holds %v, before %v", n.Number, after, before[i])
		}
	}
	for _, n := range c.Nodes {
		must(t, c.Lab.Switch.SetCarrier(n.Number, true))
	}
	c.Prober.Begin()
	settle(t, c)
}
