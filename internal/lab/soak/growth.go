package main

import (
	"fmt"
	"io"
	"slices"
	"syscall"
)

// growth watches whether processes that live through many rounds take more and more.
type growth struct {
	order []int // process ids in the order in which they were first seen
	by    map[int]*grown
}

type grown struct {
	node        int
	looks       int
	first, last footprint
}

// A footprint is what a daemon takes at one moment.
type footprint struct {
	descriptors, threads, goroutines int
	anonymous, file                  int // KiB
}

// slack is how many descriptors and goroutines a daemon may have more than at the first look, which may come
// before it has announced anything on each interface.
const slack = 8

// look looks at every daemon. It must be quiet.
func (g *growth) look(w *world) error {
	if g.by == nil {
		g.by = make(map[int]*grown)
	}
	for _, n := range w.nodes {
		now, err := n.footprint()
		if err != nil {
			return err
		}
		x := g.by[n.process.PID]
		if x == nil {
			x = &grown{node: n.number, first: now}
			g.by[n.process.PID] = x
			g.order = append(g.order, n.process.PID)
		}
		x.looks++
		x.last = now
		if now.descriptors > x.first.descriptors+slack || now.goroutines > x.first.goroutines+slack {
			return fmt.Errorf("node %d: %d descriptors and %d goroutines, %d and %d at first", n.number,
				now.descriptors, now.goroutines, x.first.descriptors, x.first.goroutines)
		}
	}
	return nil
}

// footprint measures the node's daemon.
func (n *node) footprint() (footprint, error) {
	list, err := processes(n.host.Namespace)
	if err != nil {
		return footprint{}, err
	}
	i := slices.IndexFunc(list, func(p process) bool { return p.PID == n.process.PID })
	if i < 0 {
		return footprint{}, fmt.Errorf("node %d: %w", n.number, syscall.ESRCH)
	}
	f := list[i].footprint()
	f.goroutines, err = askGauge(n.control(), "wackamole_goroutines")
	return f, err
}

func (p process) footprint() footprint {
	return footprint{descriptors: p.Descriptors, threads: p.Threads, anonymous: p.Anonymous, file: p.File}
}

// longest is how many processes are printed.
const longest = 4

// print prints those that lived through most rounds.
func (g *growth) print(w io.Writer) {
	pids := slices.Clone(g.order)
	slices.SortStableFunc(pids, func(a, b int) int { return g.by[b].looks - g.by[a].looks })
	fmt.Fprintf(w, "\n%-34s%s\n", "daemons that lived longest", footprintHeads)
	for _, pid := range pids[:min(longest, len(pids))] {
		x := g.by[pid]
		fmt.Fprintf(w, "%-34s%v\n", fmt.Sprintf("node %d, first look", x.node), x.first)
		fmt.Fprintf(w, "%-34s%v\n", fmt.Sprintf("node %d, %d rounds later", x.node, x.looks-1), x.last)
	}
}

const footprintHeads = "descriptors  goroutines  threads  anonymous KiB  file KiB"

func (f footprint) String() string {
	goroutines := fmt.Sprint(f.goroutines)
	if f.goroutines == 0 {
		goroutines = "."
	}
	return fmt.Sprintf("%11d%12s%9d%15d%10d", f.descriptors, goroutines, f.threads, f.anonymous, f.file)
}
