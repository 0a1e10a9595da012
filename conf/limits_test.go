package conf

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
)

// large is a configuration with n virtual interfaces.
func large(n int) []byte {
	var b strings.Builder
	b.WriteString("Group = g\nVirtualInterfaces {\n")
	for i := range n {
		fmt.Fprintf(&b, "\t{ eth0:10.%d.%d.%d/32 }\n", i>>16, i>>8&255, i&255)
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

// allocated returns how many bytes and objects f allocates.
func allocated(f func()) (size, count uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// What a file costs grows with its size and no faster: twice the virtual
// interfaces take about twice the allocations and twice the memory.
func TestLinear(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	cost := func(n int) (size, count float64) {
		source := large(n)
		s, c := allocated(func() {
			c, _, err := Parse("large", source)
			if err != nil || len(c.Interfaces) != n {
				t.Fatal(err)
			}
		})
		return float64(s), float64(c)
	}
	smallSize, smallCount := cost(7500)
	bigSize, bigCount := cost(15000)
	// Slices and maps grow in jumps, hence 3 and not 2 for the size.
	if bigCount > 2.2*smallCount+100 || bigSize > 3*smallSize {
		t.Errorf("7,500 virtual interfaces take %.0f allocations and %.0f bytes, 15,000 take %.0f and %.0f", smallCount, smallSize, bigCount, bigSize)
	}
	// The tables that live on are a good half of it.
	if each := bigSize / 15000; each > 600 {
		t.Errorf("a virtual interface takes %.0f bytes", each)
	}
}

// The lexer looks at each byte a few times at most, whatever the text is.
func TestLexerSteps(t *testing.T) {
	for name, piece := range map[string]string{
		"addresses":    "{ eth0:10.0.0.1/32 }\n",
		"quotes":       `"a" 'b' `,
		"runs":         `"a"b 'c'd `,
		"open quotes":  "\"\n'\n",
		"long runs":    strings.Repeat("x", 5000) + " ",
		"events":       "on \n up ",
		"no events":    "on \n\n\n\n\n\n\n\n post ",
		"equals":       "Group=Group=Group= ",
		"lone equals":  "= == === ",
		"comments":     "#'\"\n",
		"empty lines":  "\n\r\n",
		"braces":       "{}",
		"missing":      "Group=\nMature=\nControl=\n",
		"glued events": "on upon upon up",
	} {
		source := strings.Repeat(piece, 200000/len(piece))
		var problems collector
		l := newLexer(source, &problems, &problems)
		items := 0
		for l.next().kind != itemEOF {
			items++
		}
		if l.steps > 5*len(source) || items > len(source) {
			t.Errorf("%s: %d bytes take %d steps to %d items", name, len(source), l.steps, items)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{10, 254, 15000} {
		source := large(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(source)))
			for b.Loop() {
				if _, _, err := Parse("large", source); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A sole survivor's STATE has to fit a message of Spread.
func TestStateMustFit(t *testing.T) {
	for _, test := range []struct {
		n      int
		refuse bool
		warn   string
	}{
		{254, false, ""},
		{255, false, "254"},
		{15000, false, "254"},
		{17500, true, ""},
	} {
		_, warnings, err := Parse("large", large(test.n))
		if (err != nil) != test.refuse {
			t.Errorf("%d virtual interfaces: %v", test.n, err)
		}
		said := ""
		for _, w := range warnings {
			said += w.Message + "\n"
		}
		if (test.warn == "") != (said == "") || !strings.Contains(said, test.warn) {
			t.Errorf("%d virtual interfaces: warnings %q", test.n, said)
		}
	}
}

// entries are n addresses.
func entries(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " a:10.%d.%d.%d/8", i>>16, i>>8&255, i&255)
	}
	return b.String()
}

// names are n addresses on as many interfaces.
func names(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " if%d:10.%d.%d.%d/8", i, i>>16, i>>8&255, i&255)
	}
	return b.String()
}

// A hostile file costs no more than its size allows.
func TestHostileFiles(t *testing.T) {
	for name, source := range map[string]string{
		"braces":   strings.Repeat("{", 1<<20),
		"errors":   strings.Repeat("x ", 1<<20),
		"word":     strings.Repeat("x", 1<<20),
		"quote":    `"` + strings.Repeat("x\n", 1<<20),
		"comments": strings.Repeat("#\n", 1<<20),
		"too long": strings.Repeat(" ", MaxFileSize+1),
		"settings": strings.Repeat("Group = g ", 100000),
		"hooks":    strings.Repeat("RunDynamic a:b on up ", 100000),
		"entries":  "Group = g VIFS { {" + entries(maxEntries+1),
		"notify":   "Group = g VIFS { a:10.0.0.1/32 } Notify {" + entries(maxEntries+1) + "}",
		"prefer":   "Group = g VIFS { a:10.0.0.1/32 } Prefer {" + entries(maxEntries+1) + "}",
		"names":    "Group = g VIFS {" + names(50000) + "}",
		"unknown":  strings.Repeat("Gruop = g ", 100000),
		"quotes":   strings.Repeat("'a'b ", 200000),
	} {
		var warnings []Problem
		var err error
		size, _ := allocated(func() { _, warnings, err = Parse(name, []byte(source)) })
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		if bound := uint64(50*len(source) + 1<<20); size > bound && !raceDetector {
			t.Errorf("%s: %d bytes of text take %d bytes of memory, want at most %d", name, len(source), size, bound)
		}
		if text := err.Error(); len(text) > 100*1024 || len(warnings) > MaxProblems+1 {
			t.Errorf("%s: %d bytes of errors, %d warnings", name, len(text), len(warnings))
		}
	}
}

func TestCheckHost(t *testing.T) {
	c, _, err := Parse("wackamole.conf", []byte("Group = g\nVirtualInterfaces {\n eth0:10.0.0.1/32\n { eth0:10.0.0.2/32 eth1:10.1.0.2/32 }\n}\n"))
	if err != nil {
		t.Fatal(err)
	}
	all := func(string) bool { return true }
	if warnings, err := c.CheckHost(netip.Addr{}, all); err != nil || len(warnings) != 0 {
		t.Errorf("real address unknown: %v, %v", warnings, err)
	}
	if warnings, err := c.CheckHost(netip.MustParseAddr("10.0.0.9"), func(name string) bool { return name == "eth0" }); err != nil ||
		len(warnings) != 1 || !strings.HasPrefix(warnings[0].Error(), "wackamole.conf:4:") || !strings.Contains(warnings[0].Message, `"eth1"`) {
		t.Errorf("an interface that is not there yet: %v, %v", warnings, err)
	}
	if _, err := c.CheckHost(netip.MustParseAddr("10.1.0.2"), all); err == nil || !strings.HasPrefix(err.Error(), "wackamole.conf:4:") {
		t.Errorf("a virtual address that is the host's own: %v", err)
	}
}

func TestLoad(t *testing.T) {
	if _, _, err := Load("testdata/no-such-file"); err == nil || !strings.Contains(err.Error(), "no-such-file") {
		t.Errorf("a missing file: %v", err)
	}
	if c, _, err := Load("testdata/defaults.conf"); err != nil || c.Group != "wack1" {
		t.Errorf("%v, %v", c, err)
	}
}
