package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"wackamole/internal/lab"
)

// figures gathers what rounds did to the addresses, by the name of the round.
type figures struct {
	names []string
	by    map[string]*tally
}

type tally struct {
	rounds int
	quiet  []time.Duration // from the last heal until it was quiet
	silent []time.Duration // the longest silence of each address that had one
	twice  []time.Duration // how long two answered for it
}

func (f *figures) add(name string, quiet time.Duration, outcomes []lab.Outcome) *tally {
	if f.by == nil {
		f.by = make(map[string]*tally)
	}
	t := f.by[name]
	if t == nil {
		t = &tally{}
		f.by[name] = t
		f.names = append(f.names, name)
	}
	t.rounds++
	t.quiet = append(t.quiet, quiet)
	one := &tally{rounds: 1, quiet: []time.Duration{quiet}}
	for _, o := range outcomes {
		if o.Longest > 0 {
			one.silent = append(one.silent, o.Longest)
		}
		if o.Twice > 0 {
			one.twice = append(one.twice, o.Twice)
		}
	}
	t.silent = append(t.silent, one.silent...)
	t.twice = append(t.twice, one.twice...)
	return one
}

// String sums up one round.
func (t *tally) String() string {
	text := fmt.Sprintf("quiet %s after the last heal", seconds(slices.Max(t.quiet)))
	if n := len(t.silent); n > 0 {
		text += fmt.Sprintf("; %d unanswered, %s at most", n, seconds(slices.Max(t.silent)))
	}
	if n := len(t.twice); n > 0 {
		text += fmt.Sprintf("; %d answered twice, %s at most", n, seconds(slices.Max(t.twice)))
	}
	return text
}

// print prints a line for each name, in alphabetical order.
func (f *figures) print(w io.Writer) {
	fmt.Fprintf(w, "\n%-19s%7s%22s%26s%26s\n", "in seconds", "", "until quiet  ", "longest unanswered  ", "answered twice  ")
	fmt.Fprintf(w, "%-19s%7s%22s%26s%26s\n", "", "rounds", heads(""), heads("n"), heads("n"))
	for _, name := range slices.Sorted(slices.Values(f.names)) {
		t := f.by[name]
		fmt.Fprintf(w, "%-19s%7d%22s%26s%26s\n", name, t.rounds, row3(t.quiet), counted(t.silent), counted(t.twice))
	}
	fmt.Fprintln(w, "n: on how many addresses, in as many parts of the network; min, median, max are over these. Quiet is\n"+
		"counted from the last heal. While a fault lasts, an address may be unanswered that nobody could serve.")
}

func heads(n string) string {
	text := fmt.Sprintf("%7s%7s%7s", "min", "med", "max")
	if n != "" {
		text = fmt.Sprintf("%4s", n) + text
	}
	return text
}

func counted(list []time.Duration) string { return fmt.Sprintf("%4d", len(list)) + row3(list) }

func row3(list []time.Duration) string {
	if len(list) == 0 {
		return fmt.Sprintf("%7s%7s%7s", ".", ".", ".")
	}
	list = slices.Sorted(slices.Values(list))
	return fmt.Sprintf("%7s%7s%7s", cell(list[0]), cell(list[len(list)/2]), cell(list[len(list)-1]))
}

func cell(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 2, 64) }

func seconds(d time.Duration) string { return cell(d) + " s" }
