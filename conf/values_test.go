package conf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	for _, test := range []struct {
		token                       string
		own, broadcast, mask, again string
	}{
		{"eth0:10.0.0.5/24", "10.0.0.0/24", "10.0.0.255", "[255 255 255 0]", "eth0:10.0.0.5/24"},
		{"eth0:10.0.0.5/32n16", "10.0.0.0/16", "invalid IP", "[255 255 255 255]", "eth0:10.0.0.5/32n16"},
		{"eth0:10.0.0.5/31n24", "10.0.0.0/24", "invalid IP", "[255 255 255 254]", "eth0:10.0.0.5/31"},
		{"eth0:10.0.0.5/30n32", "10.0.0.5/32", "10.0.0.7", "[255 255 255 252]", "eth0:10.0.0.5/30n32"},
		{"br-lan:200.1.2.3/1n0", "0.0.0.0/0", "255.255.255.255", "[128 0 0 0]", "br-lan:200.1.2.3/1n0"},
		{"eth0.7:200.1.2.3/0", "200.1.2.0/24", "255.255.255.255", "[0 0 0 0]", "eth0.7:200.1.2.3/0"},
	} {
		c, _, err := Parse("test", []byte("Group=g VIFS { "+test.token+" }"))
		if err != nil {
			t.Errorf("%s: %v", test.token, err)
			continue
		}
		a := c.Interfaces[0].Addresses[0]
		got := [...]string{a.OwnNetwork().String(), a.Broadcast().String(), fmt.Sprint(a.Netmask()), a.String()}
		if want := [...]string{test.own, test.broadcast, test.mask, test.again}; got != want {
			t.Errorf("%s: own network, broadcast, netmask, token\n got %q\nwant %q", test.token, got, want)
		}
	}
}

func TestVirtualInterface(t *testing.T) {
	c, _, err := Parse("file", []byte("Group=g\nVIFS {\n\t{ b:10.0.0.9/32\n\t  a:10.0.0.1/32 }\n}"))
	if err != nil {
		t.Fatal(err)
	}
	v := c.Interfaces[0]
	if got, want := fmt.Sprintf("%v %v %v", v.Key(), v, v.At), "10.0.0.9 { b:10.0.0.9/32 a:10.0.0.1/32 } file:3:2"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEvents(t *testing.T) {
	for event, want := range map[Event]string{
		OnUp: "on up on-up", OnDown: "on down on-down", PostUp: "post up post-up", PostDown: "post down post-down",
		0: "no event no-event", 77: "no event no-event",
	} {
		if got := event.String() + " " + event.Word(); got != want {
			t.Errorf("event %d is %q, want %q", event, got, want)
		}
	}
}

// The position says whether the file names a Spread daemon: only then can the
// command line differ from it.
func TestSpreadAt(t *testing.T) {
	for source, want := range map[string]Position{
		"Group=g VIFS { a:10.0.0.1/32 }":               {},
		"Group=g\n Spread=4803 VIFS { a:10.0.0.1/32 }": {"file", 2, 2},
	} {
		c, _, err := Parse("file", []byte(source))
		if err != nil || c.SpreadAt != want || c.Spread != DefaultSpread {
			t.Errorf("%q: %v, %v", source, c, err)
		}
	}
}

// What no file can say is an error, not a file that says something else.
func TestAppendTextRefuses(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no group":         func(c *Config) { c.Group = "" },
		"both quotes":      func(c *Config) { c.Group = `a "b' c` },
		"open quote":       func(c *Config) { c.Group = `"b'` },
		"quotes outside":   func(c *Config) { c.Group = `"b'c"` },
		"control":          func(c *Config) { c.Control = "a\x00b" },
		"no interfaces":    func(c *Config) { c.Interfaces = nil },
		"too long":         func(c *Config) { c.PerlUse = []string{strings.Repeat("x", maxToken+1)} },
		"hook with quotes": func(c *Config) { c.Hooks = []Hook{{Module: `"`, Function: `' x`, Event: OnUp}} },
	} {
		c, _, err := Parse("test", []byte("Group=g VIFS { a:10.0.0.1/32 }"))
		if err != nil {
			t.Fatal(err)
		}
		change(c)
		if text, err := c.AppendText([]byte("kept\n")); err == nil || !strings.HasPrefix(string(text), "kept\n") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

// Problems come in the order of the file, the first of them listed and the
// others counted.
func TestProblems(t *testing.T) {
	_, warnings, err := Parse("file", []byte("Mature = 1s\n"+strings.Repeat("Mature = 5\n", 60)+strings.Repeat("Mature = 6s\n", 70)))
	problems, ok := err.(Problems)
	if !ok || len(problems) != MaxProblems+1 || len(warnings) != MaxProblems+1 {
		t.Fatalf("%d problems, %d warnings: %v", len(problems), len(warnings), err)
	}
	if !slices.IsSortedFunc(problems[:MaxProblems], func(a, b Problem) int { return a.Line - b.Line }) {
		t.Errorf("not in order:\n%v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	// The missing Group and interfaces are found last.
	if got, want := lines[MaxProblems], "file:52:10: and 12 more problems"; got != want {
		t.Errorf("last is %q, want %q", got, want)
	}
	if got, want := lines[0], "file:2:10: the time 5 has no unit; write 5s, 5m or 5h for seconds, minutes or hours"; got != want {
		t.Errorf("first is %q, want %q", got, want)
	}
	if got, want := warnings[MaxProblems].Message, "and 20 more problems"; got != want {
		t.Errorf("last warning is %q, want %q", got, want)
	}
}

// TestOverlap compares the search for Notify entries without effect with
// looking at each network.
func TestOverlap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	block := func() netip.Prefix {
		// Few addresses, so that blocks meet often.
		return netip.PrefixFrom(fromUint32(0xfffffff0&^0xff|r.Uint32N(256)), 24+r.IntN(9)).Masked()
	}
	met := 0
	for range 2000 {
		var networks []netip.Prefix
		var s spans
		for range 1 + r.IntN(6) {
			networks = append(networks, block())
			s = append(s, spanOf(networks[len(networks)-1]))
		}
		entry := block()
		want := slices.ContainsFunc(networks, entry.Overlaps)
		if got := s.merge().overlap(spanOf(entry)); got != want {
			t.Fatalf("%v in %v: %v, want %v", entry, networks, got, want)
		}
		if want {
			met++
		}
	}
	if met < 200 || met > 1800 {
		t.Errorf("%d of 2000 met: the test does not test", met)
	}
}
