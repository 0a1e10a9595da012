package conf

import (
	"fmt"
	"net/netip"
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

// What a file costs grows with its size and no faster: twice the virtual
// interfaces take about twice the allocations and twice the memory.
func TestLinear(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates too")
	}
	cost := func(n int) (allocations float64) {
		source := large(n)
		return testing.AllocsPerRun(3, func() {
			c, _, err := Parse("large", source)
			if err != nil || len(c.Interfaces) != n {
				t.Fatal(err)
			}
		})
	}
	small, big := cost(7500), cost(15000)
	if big > 2.2*small+100 {
		t.Errorf("7,500 virtual interfaces take %.0f allocations, 15,000 take %.0f", small, big)
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
	} {
		_, warnings, err := Parse(name, []byte(source))
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
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
