package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A table is one part of the results: a title, columns, and what a reader needs to know to read them.
type table struct {
	title string
	head  []string
	rows  [][]string
	notes []string
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) note(format string, values ...any) {
	t.notes = append(t.notes, fmt.Sprintf(format, values...))
}

// write prints the table, each column as wide as its widest cell.
func (t *table) write(out io.Writer) {
	fmt.Fprintf(out, "\n%s\n", t.title)
	var widths []int
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range append([][]string{t.head}, t.rows...) {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString("  " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
		}
		if line := strings.TrimRight(b.String(), " "); line != "" {
			fmt.Fprintln(out, line)
		}
	}
	for _, note := range t.notes {
		fmt.Fprintln(out, "  "+note)
	}
}
