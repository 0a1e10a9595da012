package main

import (
	"fmt"
	"slices"
	"time"
)

// A sample is one figure measured several times. Times are in seconds.
type sample []float64

// add adds a time to the sample.
func (s *sample) add(d time.Duration) { *s = append(*s, d.Seconds()) }

// median is the middle value, or the mean of the two in the middle; 0 of nothing.
func (s sample) median() float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// over divides each value by that of the same round in other: what disturbed both of a pair does not show.
func (s sample) over(other sample) sample {
	var ratios sample
	for i := range min(len(s), len(other)) {
		if other[i] > 0 {
			ratios = append(ratios, s[i]/other[i])
		}
	}
	return ratios
}

// A unit is how a figure is written.
type unit func(v float64) string

func milliseconds(v float64) string { return digits(v*1e3) + " ms" }
func times(v float64) string        { return digits(v) }
func plain(v float64) string        { return digits(v) }
func kibibytes(v float64) string    { return fmt.Sprintf("%.0f KiB", v/1024) }

// digits writes a number with three significant digits, and those before the point whatever they are.
func digits(v float64) string {
	switch a := max(v, -v); {
	case a >= 99.95:
		return fmt.Sprintf("%.0f", v)
	case a >= 9.995:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.9995 || a == 0:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// in writes the median, and the spread of more than one value: "1.25 ms (1.20..1.40)".
func (s sample) in(u unit) string {
	if len(s) == 0 {
		return "-"
	}
	if len(s) == 1 {
		return u(s[0])
	}
	number := func(v float64) string {
		text := u(v)
		for i := range len(text) {
			if text[i] == ' ' {
				return text[:i]
			}
		}
		return text
	}
	return fmt.Sprintf("%s (%s..%s)", u(s.median()), number(slices.Min(s)), number(slices.Max(s)))
}
