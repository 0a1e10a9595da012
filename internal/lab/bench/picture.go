package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
)

// A curve is one line of a picture: times in seconds by number of addresses.
type curve struct {
	name   string
	class  string // of the style sheet below
	x      []int
	y      []float64
	dashed bool
}

// A picture has logarithmic axes: numbers of addresses to the right, milliseconds upwards.
type picture struct {
	title, subtitle string
	curves          []curve
}

// style colours the picture for light and for dark backgrounds. All colours keep a contrast of at least 3:1 on
// both the white and the dark ground.
const style = `
text { font: 13px sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: bold }
.small { font-size: 12px }
.ground { fill: #ffffff }
.axis { stroke: #24292f; stroke-width: 1; fill: none }
.grid { stroke: #24292f; stroke-opacity: .15; stroke-width: 1 }
.curve { fill: none; stroke-width: 2 }
.dashed { stroke-dasharray: 6 4 }
.ours { stroke: #0969da } .ours.dot { fill: #0969da }
.floor { stroke: #57606a } .floor.dot { fill: #57606a }
.keepalived { stroke: #bc4c00 } .keepalived.dot { fill: #bc4c00 }
.original { stroke: #8250df } .original.dot { fill: #8250df }
.ip { stroke: #1a7f37 } .ip.dot { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .ground { fill: #0d1117 } .axis, .grid { stroke: #e6edf3 }
.ours { stroke: #58a6ff } .ours.dot { fill: #58a6ff }
.floor { stroke: #9aa4ae } .floor.dot { fill: #9aa4ae }
.keepalived { stroke: #f0883e } .keepalived.dot { fill: #f0883e }
.original { stroke: #bc8cff } .original.dot { fill: #bc8cff }
.ip { stroke: #3fb950 } .ip.dot { fill: #3fb950 }
}
`

// The frame of the curves within the picture.
const (
	pictureWidth, pictureHeight = 880, 560
	left, right, top, bottom    = 80, 270, 70, 60
)

// axis maps numbers to places on a logarithmic scale.
type axis struct {
	low, high float64 // powers of ten
	from, to  float64 // places
}

func (a axis) place(v float64) float64 {
	return a.from + (math.Log10(v)-math.Log10(a.low))/(math.Log10(a.high)-math.Log10(a.low))*(a.to-a.from)
}

// decades lists the powers of ten on the axis.
func (a axis) decades() (list []float64) {
	for v := a.low; v <= a.high*1.001; v *= 10 {
		list = append(list, v)
	}
	return list
}

// newAxis covers all values by whole decades, at least one.
func newAxis(values []float64, from, to float64) axis {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	low, high = math.Pow(10, math.Floor(math.Log10(low))), math.Pow(10, math.Ceil(math.Log10(high)))
	if high <= low {
		high = low * 10
	}
	return axis{low, high, from, to}
}

// write draws the picture as SVG. A curve without values is left out.
func (p picture) write(out io.Writer) error {
	var x, y []float64
	for _, c := range p.curves {
		for i := range c.x {
			x, y = append(x, float64(c.x[i])), append(y, c.y[i]*1e3)
		}
	}
	if len(x) == 0 {
		return fmt.Errorf("draw %s: nothing was measured", p.title)
	}
	across := newAxis(x, left, pictureWidth-right)
	up := newAxis(y, pictureHeight-bottom, top)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`+"\n", pictureWidth, pictureHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", escape(p.title), style)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d"/>`+"\n", pictureWidth, pictureHeight)
	label(&b, "title", left, 28, "start", p.title)
	label(&b, "small", left, 48, "start", p.subtitle)
	for _, v := range across.decades() {
		px := across.place(v)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fV%.1f"/>`+"\n", px, up.from, up.to)
		label(&b, "", px, up.from+20, "middle", thousands(v))
	}
	for _, v := range up.decades() {
		py := up.place(v)
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f %.1fH%.1f"/>`+"\n", across.from, py, across.to)
		label(&b, "", across.from-10, py+4, "end", thousands(v))
	}
	fmt.Fprintf(&b, `<path class="axis" d="M%.1f %.1fV%.1fH%.1f"/>`+"\n", across.from, up.to, up.from, across.to)
	label(&b, "", (across.from+across.to)/2, pictureHeight-16, "middle", "virtual addresses (number)")
	fmt.Fprintf(&b, `<text transform="translate(22 %.1f) rotate(-90)" text-anchor="middle">time (milliseconds)</text>`+"\n", (up.from+up.to)/2)
	row := 0
	for _, c := range p.curves {
		if len(c.x) > 0 {
			c.draw(&b, across, up, row)
			row++
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(out, b.String())
	return err
}

// draw draws a curve with its values as dots, and its line of the legend.
func (c curve) draw(b *strings.Builder, across, up axis, row int) {
	class := "curve " + c.class
	if c.dashed {
		class += " dashed"
	}
	fmt.Fprintf(b, `<path class="%s" d="`, class)
	for i := range c.x {
		command := "L"
		if i == 0 {
			command = "M"
		}
		fmt.Fprintf(b, "%s%.1f %.1f", command, across.place(float64(c.x[i])), up.place(c.y[i]*1e3))
	}
	b.WriteString("\"/>\n")
	for i := range c.x {
		fmt.Fprintf(b, `<circle class="%s dot" r="3.5" cx="%.1f" cy="%.1f"><title>%s, %d: %s</title></circle>`+"\n",
			c.class, across.place(float64(c.x[i])), up.place(c.y[i]*1e3), escape(c.name), c.x[i], milliseconds(c.y[i]))
	}
	const legend = pictureWidth - right + 20
	at := float64(top + 14 + 24*row)
	fmt.Fprintf(b, `<path class="%s" d="M%d %.1fh30"/>`+"\n", class, legend, at)
	fmt.Fprintf(b, `<circle class="%s dot" r="3.5" cx="%d" cy="%.1f"/>`+"\n", c.class, legend+15, at)
	label(b, "small", legend+38, at+4, "start", c.name)
}

func label(b *strings.Builder, class string, x, y float64, anchor, text string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(b, `<text%s x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, escape(text))
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text))
	return b.String()
}

// thousands writes a power of ten: 0.1, 1, 10,000.
func thousands(v float64) string {
	text := fmt.Sprintf("%g", v)
	if v >= 1e3 && v < 1e6 {
		text = fmt.Sprintf("%d,000", int(v/1e3+0.5))
	}
	return text
}

// takeOverPicture shows the contests on one interface: the last address, and for ours and the floor the last
// announcement too.
func takeOverPicture(contests []*contest, subtitle string) picture {
	p := picture{title: "Take-over of virtual addresses on one interface", subtitle: subtitle}
	for _, line := range []struct {
		name, class, contestant string
		announcement            bool
	}{
		{"floor: prepared messages", "floor", floorName, false},
		{"floor: and prepared frames", "floor", floorName, true},
		{"wackamole: last address", "ours", oursName, false},
		{"wackamole: last announcement", "ours", oursName, true},
		{"ip -batch: last address", "ip", ipName, false},
		{"keepalived: last address", "keepalived", keepalivedName, false},
		{"keepalived: last announcement", "keepalived", keepalivedName, true},
		{"original: last address", "original", originalName, false},
		{"original: last announcement", "original", originalName, true},
	} {
		c := curve{name: line.name, class: line.class, dashed: line.announcement}
		for _, contest := range contests {
			r := contest.find(line.contestant)
			s := r.added
			if line.announcement {
				s = r.lastFrame
			}
			if contest.interfaces == 1 && len(s) > 0 && r.failed == nil {
				c.x, c.y = append(c.x, contest.addresses), append(c.y, s.median())
			}
		}
		p.curves = append(p.curves, c)
	}
	return p
}
