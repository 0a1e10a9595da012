package main

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"wackamole/internal/lab"
)

// options of a run.
type options struct {
	binary string
	nodes  int
	length time.Duration
	rounds int // at most; 0: as many as fit
	seed   uint64
	kinds  []kind
	logs   bool
}

// A soak is a run.
type soak struct {
	options
	out     io.Writer
	world   *world
	figures figures
	growth  growth
	began   time.Time
}

// soakFor runs rounds of faults for the time given. The error tells what was wrong; what ran before it counts.
func soakFor(o options, out io.Writer) (err error) {
	r := &soak{options: o, out: out, began: time.Now()}
	if r.world, err = newWorld(o.binary, o.nodes); err != nil {
		return err
	}
	defer func() {
		if err != nil || o.logs {
			r.printLogs()
		}
		err = errors.Join(err, r.world.close())
	}()
	for _, n := range r.world.nodes {
		if err := r.world.start(n); err != nil {
			return err
		}
	}
	took, err := r.world.await(everybody(o.nodes, vifs))
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	r.say("    all started and quiet after %s", seconds(took))
	if err := r.play(); err != nil {
		return err
	}
	return r.leave()
}

func (r *soak) say(format string, args ...any) {
	fmt.Fprintf(r.out, "%7.1f  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// play plays rounds until the time is over.
func (r *soak) play() error {
	plan := newPlanner(r.seed, r.kinds, r.nodes)
	defer r.figures.print(r.out)
	for number := 1; time.Since(r.began) < r.length && (r.rounds == 0 || number <= r.rounds); number++ {
		next := plan.next()
		r.say("%3d %v", number, next)
		if err := r.round(next); err != nil {
			return fmt.Errorf("round %d (%v), seed %d, %d nodes: %w", number, next, r.seed, r.nodes, err)
		}
		if err := r.growth.look(r.world); err != nil {
			return fmt.Errorf("after round %d: %w", number, err)
		}
	}
	r.say("    %d rounds", sum(r.figures))
	r.growth.print(r.out)
	return nil
}

func sum(f figures) (n int) {
	for _, t := range f.by {
		n += t.rounds
	}
	return n
}

// round lets faults happen and judges: while a single one lasts, and when all are healed.
func (r *soak) round(faults round) error {
	w := r.world
	w.prober.Begin()
	begin := time.Now()
	for _, e := range faults.events() {
		time.Sleep(time.Until(begin.Add(e.at)))
		f := faultNamed(e.fault.kind)
		step := f.strike
		if e.heal {
			step = f.heal
			if f.expect != nil && len(faults) == 1 {
				if _, err := w.await(f.expect(w, e.fault, everybody(r.nodes, vifs))); err != nil {
					return fmt.Errorf("while it lasts: %w", err)
				}
			}
		}
		if err := step(w, e.fault); err != nil {
			return fmt.Errorf("%v: %w", e.fault, err)
		}
	}
	took, err := w.await(everybody(r.nodes, vifs))
	if err != nil {
		return err
	}
	t := r.figures.add(faults.name(), took, r.outcomes(faults))
	r.say("    %v", t)
	return nil
}

// outcomes leaves out addresses that nobody was to answer for at some time.
func (r *soak) outcomes(faults round) (list []lab.Outcome) {
	for _, o := range r.world.prober.Outcomes() {
		if always[o.Address] || listed[o.Address] && faults[0].kind != "reload" {
			list = append(list, o)
		}
	}
	return list
}

// leave ends all daemons and sees that they hold nothing any more, and that every address that is not managed is
// still there.
func (r *soak) leave() error {
	e := expectation{}
	for _, n := range r.world.nodes {
		if err := n.end(syscall.SIGTERM, "exit status 0"); err != nil {
			return err
		}
		e.empty, e.untouched = append(e.empty, n.number), append(e.untouched, n.number)
	}
	r.world.serve()
	if _, err := r.world.await(e); err != nil {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

// printLogs shows what the daemons said last.
func (r *soak) printLogs() {
	for _, n := range r.world.nodes {
		if n.process == nil {
			continue
		}
		fmt.Fprintf(r.out, "\nlast lines of node %d:\n", n.number)
		for _, line := range n.process.Lines() {
			fmt.Fprintf(r.out, "  %s\n", line)
		}
	}
}
