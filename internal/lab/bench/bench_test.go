package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"wackamole/internal/cli"
	"wackamole/internal/guard"
	"wackamole/internal/lab/vnet"
)

// The tests run this binary in the place of a wackamole and of its guard.
func TestMain(m *testing.M) {
	daemon := len(os.Args) > 1 && (os.Args[1] == "-d" || os.Args[1] == "-v")
	if daemon || guard.IsGuard(os.Args) {
		os.Exit(cli.Main(os.Args, os.Stdout, os.Stderr))
	}
	os.Exit(vnet.Reexec(m))
}

// TestQuick plays everything once with small numbers, so that the benchmark does not rot. How fast anything is
// is nothing that a test can judge.
func TestQuick(t *testing.T) {
	if testing.Short() {
		t.Skip("a quarter of a minute; bench -small does the same")
	}
	vnet.Require(t)
	p := quick()
	var log []string
	r, err := p.measure("/proc/self/exe", func(what string) { log = append(log, what) })
	if err != nil {
		t.Fatalf("%v\nafter: %s", err, strings.Join(log, "; "))
	}
	var out bytes.Buffer
	r.write(&out)
	t.Log(out.String())
	for _, part := range []string{
		"Machine", "Targets", "Take-over of one address", "Take-over of 100 addresses on one interface",
		"Take-over of 10 addresses on 10 interfaces, 1 on each", "Take-over of 20 addresses by a daemon that has hooks", "Whole failover", "Hand-over", "Decision about a view",
		"Resident memory", "Processor", "Wake-ups", "Binaries",
	} {
		if !strings.Contains(out.String(), "\n"+part) {
			t.Errorf("no part %q in the results", part)
		}
	}
	drawn := make(map[string]int)
	for _, c := range r.picture.curves {
		drawn[c.name] = len(c.x)
		for i, v := range c.y {
			if v <= 0 {
				t.Errorf("%s: %d addresses took %v s", c.name, c.x[i], v)
			}
		}
	}
	for _, name := range []string{"floor: prepared messages", "floor: and prepared frames", "wackamole: last address", "wackamole: last announcement"} {
		if want := 3; drawn[name] != want {
			t.Errorf("curve %q has %d points, want %d", name, drawn[name], want)
		}
	}
	checkXML(t, r.picture)
}

// checkXML draws a picture and reads it as XML to its end.
func checkXML(t *testing.T, p picture) (texts []string) {
	t.Helper()
	var out bytes.Buffer
	if err := p.write(&out); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&out)
	root := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if root == "" {
				root = token.Name.Space + " " + token.Name.Local
			}
		case xml.CharData:
			texts = append(texts, string(token))
		}
	}
	if want := "http://www.w3.org/2000/svg svg"; root != want {
		t.Errorf("the root is %q, want %q", root, want)
	}
	return texts
}

func TestPicture(t *testing.T) {
	p := picture{title: "a < b & c", subtitle: "on \"one\" machine", curves: []curve{
		{name: "first", class: "ours", x: []int{1, 4000}, y: []float64{0.0002, 0.4}},
		{name: "not measured", class: "original"},
		{name: "one <point>", class: "floor", x: []int{10}, y: []float64{0.001}, dashed: true},
	}}
	texts := strings.Join(checkXML(t, p), "\n")
	for _, want := range []string{"a < b & c", "virtual addresses (number)", "time (milliseconds)", "first", "one <point>", "10,000", "0.1", "1,000"} {
		if !strings.Contains(texts, want) {
			t.Errorf("%q is not in the picture", want)
		}
	}
	if strings.Contains(texts, "not measured") {
		t.Error("a curve without values has a line in the legend")
	}
	if err := (picture{title: "x"}).write(io.Discard); err == nil {
		t.Error("a picture of nothing was drawn")
	}
}

func TestAxis(t *testing.T) {
	a := newAxis([]float64{1, 30, 4000}, 100, 500)
	if a.low != 1 || a.high != 10000 {
		t.Errorf("from %v to %v, want 1 to 10000", a.low, a.high)
	}
	for v, want := range map[float64]float64{1: 100, 10: 200, 100: 300, 10000: 500} {
		if got := a.place(v); got < want-0.01 || got > want+0.01 {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
	if n := len(a.decades()); n != 5 {
		t.Errorf("%d powers of ten, want 5", n)
	}
	if a := newAxis([]float64{1}, 0, 1); a.high <= a.low {
		t.Errorf("an axis of one value is from %v to %v", a.low, a.high)
	}
}

// TestCounters counts what every machine can count, by the same way as instructions.
func TestCounters(t *testing.T) {
	c, err := openCounters(os.Getpid(), unix.PERF_TYPE_SOFTWARE, unix.PERF_COUNT_SW_TASK_CLOCK)
	if err != nil {
		t.Skipf("this machine or its settings do not allow counting: %v", err)
	}
	defer c.close()
	before, err := c.sum()
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after == before; {
		if after, err = c.sum(); err != nil {
			t.Fatal(err)
		}
	}
}
