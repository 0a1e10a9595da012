package main

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"wackamole/internal/lab"
	"wackamole/spreadproto/spreadd"
)

// A world is a cluster and everything that can happen to it.
type world struct {
	lab     *lab.Lab
	prober  *lab.Prober
	spread  *spreadd.Server
	nodes   []*node // node I at I-1
	asked   []netip.Addr
	changes atomic.Uint64 // how often it was seen that who answers has changed
}

// probeInterval is how often each address is asked for on each port. There are twice as many ports as nodes.
const probeInterval = 15 * time.Millisecond

// newWorld builds a cluster whose daemons are not started yet. The process must run below vnet.Reexec.
func newWorld(binary string, count int) (*world, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("find the program to run: %w", err)
	}
	// A switch port for each interface: the hosts of the second half give theirs to those of the first.
	l, err := lab.New(lab.Options{Hosts: count * int(places)})
	if err != nil {
		return nil, err
	}
	w := &world{lab: l, asked: everyAddress()}
	var names []string
	for i := range count {
		names = append(names, daemonName(i+1))
	}
	w.spread = spreadd.New(spreadd.Options{Daemons: names})
	for i := range count {
		n := &node{
			number: i + 1, host: l.Host(i + 1), far: l.Host(port(count, i+1, eth1)), binary: binary,
			dir: fmt.Sprintf("%s/node%d", lab.Directory, i+1),
		}
		n.door = newDoor(w.spread, n.host)
		w.nodes = append(w.nodes, n)
	}
	w.prober = lab.NewProber(l.Switch, lab.ProberOptions{
		Addresses: w.asked, Interval: probeInterval, Changed: func(lab.Snapshot) { w.changes.Add(1) },
	})
	w.prober.SetServing(0)
	for _, n := range w.nodes {
		if err := w.furnish(n); err != nil {
			return nil, errors.Join(fmt.Errorf("make node %d: %w", n.number, err), w.close())
		}
	}
	return w, nil
}

// furnish gives a node its interfaces, addresses, files and Spread daemon.
func (w *world) furnish(n *node) error {
	// By default Linux answers for each of its addresses on every interface. Who has several interfaces in one
	// network sets this, and the prober could not tell them apart otherwise.
	if err := n.host.Namespace.Sysctl("net/ipv4/conf/all/arp_ignore", "1"); err != nil {
		return err
	}
	if err := n.plug(); err != nil {
		return err
	}
	for at := range places {
		if err := n.addOwn(at); err != nil {
			return err
		}
	}
	if err := n.mount(); err != nil {
		return err
	}
	if err := n.configure(vifs); err != nil {
		return err
	}
	return n.door.open()
}

func (w *world) close() error {
	w.prober.Close()
	err := w.lab.Close()
	w.spread.Close()
	return err
}

func (w *world) node(number int) *node { return w.nodes[number-1] }

// start starts a node's daemon.
func (w *world) start(n *node) error {
	err := n.start()
	w.serve()
	return err
}

// serve tells the prober where somebody is to answer.
func (w *world) serve() {
	var all lab.Ports
	for _, n := range w.nodes {
		if n.running() {
			all |= ports(len(w.nodes), n.number)
		}
	}
	w.prober.SetServing(all)
}

// split parts the nodes: the switch and Spread at the same moment.
func (w *world) split(halves [][]int) {
	var names [][]string
	var components [][]int
	for _, half := range halves {
		var list []string
		var component []int
		for _, n := range half {
			list = append(list, daemonName(n))
			component = append(component, ports(len(w.nodes), n).List()...)
		}
		names, components = append(names, list), append(components, component)
	}
	w.lab.Switch.Split(components...)
	w.spread.Partition(names...)
}

func (w *world) merge() {
	w.lab.Switch.Merge()
	w.spread.Merge()
}

// observe looks at every node.
func (w *world) observe(e expectation) ([]observed, error) {
	var list []observed
	for _, n := range w.nodes {
		o := observed{number: n.number}
		for at := range places {
			// An interface that is gone has no addresses.
			o.kernel[at], _ = n.host.Namespace.Addresses(at.String())
		}
		var err error
		if o.guards, err = n.guards(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(e.parts, func(part []int) bool { return slices.Contains(part, n.number) }) {
			o.report, o.silent = askReport(n.control())
		}
		list = append(list, o)
	}
	return list, nil
}

// problems lists what is not as expected at this moment.
func (w *world) problems(e expectation) ([]string, error) {
	list, err := w.observe(e)
	if err != nil {
		return nil, err
	}
	snapshot := w.prober.Snapshot()
	return e.problems(list, func(a netip.Addr) lab.Ports { return snapshot.Holders[slices.Index(w.asked, a)] }), nil
}

const (
	// steady is how long everything must be as expected and nothing change: longer than the prober's answers
	// take to be judged.
	steady = 700 * time.Millisecond
	// patience is how long it may take to become quiet: more than the longest pause between two attempts of the
	// daemon to put back an address that somebody keeps removing.
	patience = 2 * time.Minute
	// look is the time between two looks.
	look = 100 * time.Millisecond
)

// await waits until everything is as expected and stays so for a while. It returns how long it took.
func (w *world) await(e expectation) (time.Duration, error) {
	begin := time.Now()
	for {
		before, quiet := w.changes.Load(), time.Now()
		found, err := w.problems(e)
		if err != nil {
			return 0, err
		}
		if len(found) == 0 {
			time.Sleep(steady)
			if found, err = w.problems(e); err != nil {
				return 0, err
			}
			if len(found) == 0 && w.changes.Load() == before {
				return quiet.Sub(begin), nil
			}
		}
		if waited := time.Since(begin); waited > patience {
			return waited, notQuiet(found)
		}
		time.Sleep(look)
	}
}

// notQuiet is what was wrong at last.
func notQuiet(found []string) error {
	problems := []error{fmt.Errorf("not quiet after %v", patience)}
	for _, text := range found {
		problems = append(problems, errors.New(text))
	}
	return errors.Join(problems...)
}
