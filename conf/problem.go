package conf

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"wackamole/internal/fmt"
)

// Position is a place in a configuration file. The zero Position is no place.
type Position struct {
	File string
	Line int // from 1
	// Column counts bytes from 1, as compilers do: a tab is one column, a
	// letter outside ASCII is as many as its UTF-8 form has bytes.
	Column int
}

// String returns file:line:column.
func (p Position) String() string {
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
}

// Problem is something wrong or doubtful at one place of a file. The message
// says what it is, and what to write instead.
type Problem struct {
	Position
	Message string
}

// Error returns file:line:column: message.
func (p Problem) Error() string { return p.Position.String() + ": " + p.Message }

// String returns the same as Error.
func (p Problem) String() string { return p.Error() }

// Problems are all the problems of a file, in the order of the file. Of more
// than MaxProblems the first are listed, and a last one gives the number of
// the others.
type Problems []Problem

// Error returns the problems, one a line.
func (p Problems) Error() string {
	var b strings.Builder
	for i, problem := range p {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(problem.Error())
	}
	return b.String()
}

// place is a Position without the name of the file, which all share.
type place struct{ line, column int }

// collector keeps the first MaxProblems problems and counts the others.
type collector struct {
	file  string
	list  Problems
	more  int   // how many were not kept
	rest  place // the first that was not kept
	muted bool  // reading was given up: later problems are only consequences
}

func (c *collector) add(at place, format string, args ...any) {
	switch {
	case c.muted:
	case len(c.list) < MaxProblems:
		c.list = append(c.list, Problem{c.position(at), fmt.Sprintf(format, args...)})
	default:
		if c.more == 0 {
			c.rest = at
		}
		c.more++
	}
}

func (c *collector) position(at place) Position {
	return Position{c.file, at.line, at.column}
}

// full reports whether further problems are only counted, so that their text
// does not matter.
func (c *collector) full() bool { return len(c.list) == MaxProblems }

// count returns how many problems were reported, kept or not.
func (c *collector) count() int { return len(c.list) + c.more }

// problems returns what was collected in the order of the file.
func (c *collector) problems() Problems {
	sort.Stable(byPosition(c.list))
	if c.more > 0 {
		return append(c.list, Problem{c.position(c.rest), fmt.Sprintf("and %d more problems", c.more)})
	}
	return c.list
}

type byPosition Problems

func (p byPosition) Len() int      { return len(p) }
func (p byPosition) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p byPosition) Less(i, j int) bool {
	return p[i].Line < p[j].Line || p[i].Line == p[j].Line && p[i].Column < p[j].Column
}

// quote puts text from the file into a message: quoted, with what is not
// printable escaped, and cut to a length that leaves the message readable.
func quote(text string) string { return strconv.Quote(clip(text)) }

func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "..."
}
