package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"time"
)

// A plan is what is measured, and how much of it.
type plan struct {
	runs      int
	sizes     []contestSize
	hooks     int // addresses of a daemon that has them
	failovers []failoverSize
	clusters  []clusterSize
	decisions int // rounds of each
	resident  residentOptions
	binaries  bool // the sizes of all binaries in dist/ too, and packed
}

type contestSize struct{ addresses, interfaces int }

// full is everything, within ten minutes.
func full(runs int) plan {
	return plan{
		runs: runs,
		sizes: []contestSize{
			{1, 1}, {10, 1}, {100, 1}, {254, 1}, {1000, 1}, {4000, 1},
			{10, 10}, {100, 10}, {250, 10}, {1000, 10}, {4000, 10},
		},
		hooks:     100,
		failovers: []failoverSize{{9, time.Millisecond}, {254, 5 * time.Millisecond}},
		clusters:  clusterSizes,
		decisions: runs,
		resident:  residentOptions{addresses: 254, runs: runs, busy: 10000, idle: time.Minute},
		binaries:  true,
	}
}

// quick is a little of everything, within seconds.
func quick() plan {
	return plan{
		runs:      2,
		sizes:     []contestSize{{1, 1}, {10, 1}, {100, 1}, {10, 10}},
		hooks:     20,
		failovers: []failoverSize{{9, 2 * time.Millisecond}},
		clusters:  clusterSizes[:2],
		decisions: 2,
		resident:  residentOptions{addresses: 20, runs: 2, busy: 20, idle: time.Second},
	}
}

// results is all that was measured.
type results struct {
	tables  []*table
	picture picture
}

func (r *results) write(out io.Writer) {
	for _, t := range r.tables {
		if t != nil {
			t.write(out)
		}
	}
}

// measure carries out the plan. What fails is left out and is the error; the results are those of the rest.
func (p plan) measure(binary string, log func(string)) (*results, error) {
	about := machine(binary)
	var contests []*contest
	var tables []*table
	var problems []error
	list := factories(binary)
	for _, s := range p.sizes {
		log(fmt.Sprintf("take-over of %d addresses on %d interfaces", s.addresses, s.interfaces))
		c, err := hold(s.addresses, s.interfaces, p.runs, list)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		contests = append(contests, c)
		tables = append(tables, c.table())
	}
	add := func(more []*table, err error) {
		tables = append(tables, more...)
		if err != nil {
			problems = append(problems, err)
		}
	}
	log(fmt.Sprintf("take-over of %d addresses with hooks", p.hooks))
	hooked, err := whileHooksRun(binary, p.hooks, p.runs)
	add([]*table{hooked}, err)
	add(failovers(binary, p.runs, p.failovers, log))
	var decided *table
	goals := targets(contests)
	more, err := residents(binary, p.resident, goals, log, func() error {
		decided = decisions(p.decisions, p.clusters)
		return nil
	})
	if decided == nil { // it did not come to that
		decided = decisions(p.decisions, p.clusters)
	}
	add(append([]*table{decided}, more...), err)
	log("sizes")
	binaries, err := sizes(binary, p.binaries)
	add([]*table{binaries}, err)
	about.row("load after", load())
	about.note("Medians of %d rounds each, least and most in brackets; ratios are taken round by round.", p.runs)
	about.note("Times count from the arrival of the last STATE at the daemon; for the floor and ip -batch from the first system")
	about.note("call on, for keepalived from the advertisement that makes it master (its skew time of %s included).", milliseconds(skewTime.Seconds()))
	about.note("The last announcement is that of the first round (two frames an address, keepalived five), not of the repetitions.")
	r := &results{picture: takeOverPicture(contests, fmt.Sprintf("medians of %d rounds; %s, %s", p.runs, about.rows[2][1], about.rows[1][1]))}
	r.tables = append([]*table{about, goals}, tables...)
	return r, errors.Join(problems...)
}

// goVersion is what a binary was built with.
func goVersion(binary string) string {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "an unknown Go"
	}
	return info.GoVersion
}
