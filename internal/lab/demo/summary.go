package main

import (
	"fmt"
	"io"
	"time"
)

// A summary gathers the figures of many runs, by act.
type summary struct {
	runs, failed int
	byAct        map[string]*figuresOfAct
}

type figuresOfAct struct{ silent, twice []time.Duration }

func (s *summary) add(results []result, err error) {
	s.runs++
	if err != nil {
		s.failed++
	}
	if s.byAct == nil {
		s.byAct = make(map[string]*figuresOfAct)
	}
	for _, r := range results {
		f := s.byAct[r.name]
		if f == nil {
			f = &figuresOfAct{}
			s.byAct[r.name] = f
		}
		f.silent = append(f.silent, values(r.outcomes, unanswered)...)
		f.twice = append(f.twice, values(r.outcomes, answeredTwice)...)
	}
}

// print prints a line an act, over all runs.
func (s *summary) print(w io.Writer) {
	fmt.Fprintf(w, "\n=== %d of %d runs ended well. Over all of them, in ms:\n\n", s.runs-s.failed, s.runs)
	fmt.Fprintf(w, "%-15s%s%s\n", "", fmt.Sprintf("%22s", "unanswered"), fmt.Sprintf("%25s", "answered twice"))
	fmt.Fprintf(w, "%-15s   %4s%5s%5s%5s      %4s%5s%5s%5s\n", "", "n", "min", "med", "max", "n", "min", "med", "max")
	for _, a := range acts {
		if f := s.byAct[a.name]; f != nil {
			fmt.Fprintf(w, "%-15s   %s      %s\n", a.name, row(distribute(f.silent)), row(distribute(f.twice)))
		}
	}
}
