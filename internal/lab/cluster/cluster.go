// Package cluster runs a cluster of real wackamole processes in a lab: one on each host, each connected to the
// Spread daemon of its host, with a prober that asks for the virtual addresses.
//
// The Spread daemons are one spreadd.Server in this process that goes by a name for each host. It tells the
// others at once when a member's connection ends or the ring is split: what a real Spread needs to find out
// that a machine or a cable is gone is not part of what is measured here.
package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wackamole/internal/lab"
	"wackamole/spreadproto/spreadd"
)

// Options of a cluster.
type Options struct {
	Binary    string // the wackamole to run
	Nodes     int    // 1 to lab.MaxHosts
	Addresses int    // how many virtual interfaces of one address each
	Mature    time.Duration
	Settings  string        // more lines for each wackamole.conf: Balance, Notify and so on
	Interval  time.Duration // of the prober; 0 = its own default
	// Output gets each line that a node prints, Changed each change of who answers. Both may be nil; see
	// lab.Options and lab.ProberOptions.
	Output  func(h *lab.Host, line string)
	Changed func(lab.Snapshot)
	// Listener may put itself around what the Spread daemon of a host listens on, and Tap sees each frame before
	// the prober takes the answers to its own; either may be nil.
	Listener func(h *lab.Host, l net.Listener) net.Listener
	Tap      lab.Tap
}

// A Cluster is the lab, its Spread and its nodes, which are not started yet.
type Cluster struct {
	Lab       *lab.Lab
	Spread    *spreadd.Server
	Prober    *lab.Prober
	Nodes     []*Node // node I at I-1
	Addresses []netip.Addr
}

// New builds a cluster. The calling process must run below vnet.Reexec.
func New(o Options) (*Cluster, error) {
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", o.Binary, err)
	}
	l, err := lab.New(lab.Options{Hosts: o.Nodes, Output: o.Output})
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		l.Close()
		return nil, fmt.Errorf("find the program to run (in the lab /run is empty): %w", err)
	}
	c := &Cluster{Lab: l, Addresses: addresses(o.Addresses)}
	var daemons []string
	for _, h := range l.Hosts {
		daemons = append(daemons, daemonName(h.Number))
	}
	c.Spread = spreadd.New(spreadd.Options{Daemons: daemons})
	if o.Tap != nil {
		l.Switch.Tap(o.Tap)
	}
	c.Prober = lab.NewProber(l.Switch, lab.ProberOptions{Addresses: c.Addresses, Interval: o.Interval, Changed: o.Changed})
	c.serve()
	for _, h := range l.Hosts {
		n, err := c.newNode(h, binary, o)
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("make node %d: %w", h.Number, err)
		}
		c.Nodes = append(c.Nodes, n)
	}
	return c, nil
}

// Close kills whatever runs in the cluster.
func (c *Cluster) Close() error {
	c.Prober.Close()
	err := c.Lab.Close()
	c.Spread.Close()
	return err
}

// Node returns node I, from 1 on. It runs on host I.
func (c *Cluster) Node(number int) *Node { return c.Nodes[number-1] }

// Split parts the nodes: the switch and Spread at the same moment. Nodes in no list are together in one more
// component.
func (c *Cluster) Split(components ...[]int) {
	named := make(map[int]bool)
	var names [][]string
	for _, component := range components {
		var list []string
		for _, number := range component {
			named[number] = true
			list = append(list, daemonName(number))
		}
		names = append(names, list)
	}
	var rest []string
	for _, n := range c.Nodes {
		if !named[n.Number] {
			rest = append(rest, daemonName(n.Number))
		}
	}
	c.Lab.Switch.Split(components...)
	c.Spread.Partition(append(names, rest)...)
}

// Merge undoes Split.
func (c *Cluster) Merge() {
	c.Lab.Switch.Merge()
	c.Spread.Merge()
}

// Balanced tells whether, in each component, the running nodes hold equally many addresses, give or take one.
func (c *Cluster) Balanced(s lab.Snapshot) bool {
	running := c.running()
	for _, component := range s.Topology.Components() {
		least, most := len(s.Holders), 0
		for _, port := range (component & running).List() {
			count := 0
			for _, holders := range s.Holders {
				if holders.Has(port) {
					count++
				}
			}
			least, most = min(least, count), max(most, count)
		}
		if most-least > 1 {
			return false
		}
	}
	return true
}

// Leftovers returns an error that names each virtual address on a host whose node does not run.
func (c *Cluster) Leftovers() error {
	var problems []error
	for _, n := range c.Nodes {
		if n.Running() {
			continue
		}
		list, err := n.Host.Namespace.Addresses("eth0")
		problems = append(problems, err)
		for _, p := range list {
			if p.Addr() != lab.HostAddress(n.Number) {
				problems = append(problems, fmt.Errorf("node %d does not run and still holds %v", n.Number, p.Addr()))
			}
		}
	}
	return errors.Join(problems...)
}

// running is on which ports a node runs.
func (c *Cluster) running() lab.Ports {
	var ports lab.Ports
	for _, n := range c.Nodes {
		if n.Running() {
			ports |= lab.PortSet(n.Number)
		}
	}
	return ports
}

// serve tells the prober where somebody is to answer.
func (c *Cluster) serve() { c.Prober.SetServing(c.running()) }

// daemonName is what the Spread daemon of a host calls itself.
func daemonName(number int) string { return fmt.Sprintf("node%d", number) }

// addresses makes the virtual addresses: 10.77.0.101 to 250, then 10.77.1.1 and on.
func addresses(count int) []netip.Addr {
	var list []netip.Addr
	for i := range count {
		third, fourth := 0, 101+i
		if i >= 150 {
			third, fourth = 1+(i-150)/250, 1+(i-150)%250
		}
		list = append(list, netip.AddrFrom4([4]byte{10, 77, byte(third), byte(fourth)}))
	}
	return list
}

// config writes a node's wackamole.conf.
func (c *Cluster) config(h *lab.Host, o Options) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Spread = %s\nSpreadRetryInterval = 1s\nGroup = wack1\n", h.SpreadPort())
	fmt.Fprintf(&b, "Mature = %ds\nControl = %s\n%s\n", int(o.Mature.Seconds()), h.File("control"), o.Settings)
	b.WriteString("VirtualInterfaces {\n")
	for _, a := range c.Addresses {
		fmt.Fprintf(&b, "\teth0:%v/32\n", a)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}
