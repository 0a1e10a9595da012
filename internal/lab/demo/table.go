package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"wackamole/internal/lab"
)

// A measure is one of the two figures of an outcome.
type measure func(lab.Outcome) time.Duration

func unanswered(o lab.Outcome) time.Duration    { return o.Unanswered }
func answeredTwice(o lab.Outcome) time.Duration { return o.Twice }

// distribution sums up the values of a measure that are not zero.
type distribution struct {
	count               int
	least, median, most time.Duration
}

func distribute(values []time.Duration) distribution {
	if len(values) == 0 {
		return distribution{}
	}
	values = slices.Sorted(slices.Values(values))
	return distribution{len(values), values[0], values[len(values)/2], values[len(values)-1]}
}

// values lists what the measure finds, where it finds anything: an address that nothing happened to would only
// make the figures look better.
func values(outcomes []lab.Outcome, m measure) (list []time.Duration) {
	for _, o := range outcomes {
		if d := m(o); d > 0 {
			list = append(list, d)
		}
	}
	return list
}

func figures(outcomes []lab.Outcome, m measure) distribution { return distribute(values(outcomes, m)) }

// printTables prints both measures by act and address.
func printTables(w io.Writer, results []result) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintf(w, "\nHow long each address was unanswered, in ms (in a split: the longer of both sides)\n")
	printTable(w, results, unanswered)
	fmt.Fprintf(w, "\nHow long two nodes answered for it, in ms\n")
	printTable(w, results, answeredTwice)
	fmt.Fprintf(w, "\nn: how many addresses (in a split: on how many sides) this happened to; min, median and\n"+
		"max are over these. Spread's own time to notice that a machine is gone comes on top.\n")
	var all lab.Rounds
	for _, r := range results {
		all.Count += r.rounds.Count
		all.Total += r.rounds.Total
		all.Longest = max(all.Longest, r.rounds.Longest)
	}
	fmt.Fprintf(w, "Each address was asked for every %.1f ms on average, after %d ms at the longest.\n",
		all.Mean().Seconds()*1000, milliseconds(all.Longest))
}

func printTable(w io.Writer, results []result, m measure) {
	columns := columnsOf(results)
	head := fmt.Sprintf("%-15s", "")
	for _, a := range columns {
		head += fmt.Sprintf("%5s", "."+strconv.Itoa(int(a.As4()[3])))
	}
	fmt.Fprintf(w, "%s%4s%5s%5s%5s\n", head, "n", "min", "med", "max")
	for _, r := range results {
		line := fmt.Sprintf("%-15s", r.name)
		for _, a := range columns {
			var longest time.Duration
			for _, o := range r.outcomes {
				if o.Address == a {
					longest = max(longest, m(o))
				}
			}
			line += fmt.Sprintf("%5s", cell(longest))
		}
		fmt.Fprintln(w, line+row(figures(r.outcomes, m)))
	}
}

// columnsOf lists the addresses that are shown one by one.
func columnsOf(results []result) (list []netip.Addr) {
	for _, o := range results[0].outcomes {
		if len(list) < maxColumns && !slices.Contains(list, o.Address) {
			list = append(list, o.Address)
		}
	}
	return list
}

// row is the right part of a line: count, least, median and most.
func row(d distribution) string {
	return fmt.Sprintf("%4d%5s%5s%5s", d.count, cell(d.least), cell(d.median), cell(d.most))
}

// cell shows a time in ms, in seconds where it has more than four digits, and a point for nothing.
func cell(d time.Duration) string {
	switch {
	case d == 0:
		return "."
	case d >= 9999500*time.Microsecond:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return strconv.FormatInt(milliseconds(d), 10)
}
