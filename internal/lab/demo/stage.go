package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/lab"
	"wackamole/internal/lab/cluster"
)

// maxColumns is how many addresses are shown one by one: more do not fit into 80 columns.
const maxColumns = 9

// A stage is what the audience sees: the titles of the acts, and who answers for each address. One goroutine
// draws; the others send it what to draw, so that a slow terminal does not hold up the prober.
type stage struct {
	out      io.Writer
	terminal bool
	nodes    int
	columns  []string // heads of the columns: last bytes of the addresses
	events   chan any // string: a line to say; lab.Snapshot; marked
	finished chan struct{}

	// Of the drawing goroutine.
	snapshot lab.Snapshot
	marks    []string // what has become of each node
	drawn    int      // lines of the table on the terminal
	last     string   // line shown last, without its time
}

type marked struct {
	node int
	mark string
}

func newStage(out *os.File, o cluster.Options) *stage {
	s := &stage{
		out: out, terminal: isTerminal(out), nodes: o.Nodes,
		events: make(chan any, 1000), finished: make(chan struct{}), marks: make([]string, o.Nodes),
	}
	for i := range s.marks {
		s.marks[i] = "not started"
	}
	return s
}

// isTerminal tells whether f can show a table that is drawn anew.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "" && os.Getenv("TERM") != "dumb"
}

// open begins to draw.
func (s *stage) open(c *cluster.Cluster) {
	for _, a := range c.Addresses[:min(maxColumns, len(c.Addresses))] {
		s.columns = append(s.columns, "."+strconv.Itoa(int(a.As4()[3])))
	}
	go s.draw()
}

func (s *stage) close() {
	close(s.events)
	<-s.finished
}

func (s *stage) say(line string)                   { s.events <- line }
func (s *stage) mark(n *cluster.Node, mark string) { s.events <- marked{n.Number, mark} }

// changed takes a snapshot from the prober. Where drawing does not keep up, it is left out: another follows.
func (s *stage) changed(snapshot lab.Snapshot) {
	select {
	case s.events <- snapshot:
	default:
	}
}

func (s *stage) draw() {
	defer close(s.finished)
	for e := range s.events {
		switch e := e.(type) {
		case string:
			s.erase()
			if !strings.HasPrefix(e, " ") {
				e = "\n" + e
			}
			fmt.Fprintln(s.out, e)
			if !s.terminal && e[0] == '\n' {
				fmt.Fprintln(s.out, s.heads())
				s.last = ""
			}
		case marked:
			s.marks[e.node-1] = e.mark
		case lab.Snapshot:
			s.snapshot = e
			if line := s.line(); !s.terminal && line != s.last {
				fmt.Fprintf(s.out, "%9.3f%s\n", e.At.Seconds(), line)
				s.last = line
			}
		}
		if s.terminal && len(s.events) == 0 {
			s.erase()
			s.table()
		}
	}
}

// erase removes the table from the terminal.
func (s *stage) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

// heads is the first line of both forms of the table.
func (s *stage) heads() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9s", "seconds")
	for _, head := range s.columns {
		fmt.Fprintf(&b, "%7s", head)
	}
	return b.String()
}

// line shows a snapshot in one line, but for its time: for each address the nodes that answer, parts of a split
// separated by a bar, two holders in one part joined by a plus sign.
func (s *stage) line() string {
	var b strings.Builder
	for i := range s.columns {
		var cells []string
		for _, component := range s.snapshot.Topology.Components() {
			cells = append(cells, (s.snapshot.Holders[i] & component).String())
		}
		fmt.Fprintf(&b, "%7s", strings.Join(cells, "|"))
	}
	return b.String()
}

// table shows a snapshot as a table of nodes and addresses.
func (s *stage) table() {
	if s.snapshot.Topology == nil {
		return
	}
	lines := []string{"", s.heads()}
	components := s.snapshot.Topology.Components()
	for i, component := range components {
		if i > 0 {
			lines = append(lines, strings.Repeat("- ", 39))
		}
		for _, port := range component.List() {
			lines = append(lines, s.row(fmt.Sprintf("node %d", port), s.marks[port-1], func(holders lab.Ports) string {
				switch {
				case !holders.Has(port):
					return "."
				case (holders & component).Count() > 1:
					return "2x"
				}
				return "##"
			}))
		}
		lines = append(lines, s.row("nobody", "", func(holders lab.Ports) string {
			if holders&component == 0 {
				return "--"
			}
			return ""
		}))
	}
	for _, line := range lines {
		fmt.Fprintln(s.out, strings.TrimRight(line, " "))
	}
	s.drawn = len(lines)
}

// row is one line of the table. The mark of a node that does not run takes the place of its cells.
func (s *stage) row(head, mark string, cell func(holders lab.Ports) string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%9s", head)
	held := false
	for i := range s.columns {
		text := cell(s.snapshot.Holders[i])
		held = held || text == "##" || text == "2x"
		fmt.Fprintf(&b, "%7s", text)
	}
	if mark != "" && !held {
		return fmt.Sprintf("%9s   %s", head, mark)
	}
	return b.String()
}

// String tells in a line how an act went.
func (r result) String() string {
	silent, twice := figures(r.outcomes, unanswered), figures(r.outcomes, answeredTwice)
	text := fmt.Sprintf("settled within %.1f s; %s unanswered", max(r.took, 0).Seconds(), plural(silent.count))
	if silent.count > 0 {
		text += fmt.Sprintf(" for %d ms at most", milliseconds(silent.most))
	}
	if twice.count > 0 {
		text += fmt.Sprintf("; %s answered twice for %d ms at most", plural(twice.count), milliseconds(twice.most))
	}
	return text
}

func plural(count int) string {
	switch count {
	case 0:
		return "no address"
	case 1:
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", count)
}

func milliseconds(d time.Duration) int64 { return d.Round(time.Millisecond).Milliseconds() }
