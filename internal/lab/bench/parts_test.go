package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"wackamole/alloc"
)

func TestSample(t *testing.T) {
	tests := []struct {
		s      sample
		median float64
		text   string
	}{
		{nil, 0, "-"},
		{sample{0.0015}, 0.0015, "1.50 ms"},
		{sample{0.003, 0.001, 0.002}, 0.002, "2.00 ms (1.00..3.00)"},
		{sample{0.4, 0.1, 0.3, 0.2}, 0.25, "250 ms (100..400)"},
		{sample{0.0000004, 0.00002}, 0.0000102, "0.010 ms (0.000..0.020)"},
	}
	for _, tt := range tests {
		given := append(sample(nil), tt.s...)
		if got := tt.s.median(); got < tt.median*0.999 || got > tt.median*1.001 {
			t.Errorf("median of %v: %v, want %v", tt.s, got, tt.median)
		}
		if got := tt.s.in(milliseconds); got != tt.text {
			t.Errorf("%v: %q, want %q", tt.s, got, tt.text)
		}
		if diff := cmp.Diff(given, tt.s); diff != "" {
			t.Errorf("the sample was changed: %s", diff)
		}
	}
	ratio := sample{3, 8, 5}.over(sample{2, 2, 0, 7})
	if diff := cmp.Diff(sample{1.5, 4}, ratio); diff != "" {
		t.Errorf("ratios round by round: %s", diff)
	}
	var s sample
	s.add(1500 * time.Millisecond)
	if diff := cmp.Diff(sample{1.5}, s); diff != "" {
		t.Error(diff)
	}
}

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0.00", 0.0004: "0.000", 0.1234: "0.123", 0.9996: "1.00", 1.005: "1.00", 9.996: "10.0",
		12.34: "12.3", 99.96: "100", 1234.5: "1234", -3.384: "-3.38", -250: "-250",
	} {
		if got := digits(v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	tab := table{title: "Title", head: []string{"", "µs", "last"}}
	tab.row("first", "1", "x")
	tab.row("2nd", "1000", "")
	tab.note("%d rounds", 10)
	var out bytes.Buffer
	tab.write(&out)
	want := strings.TrimPrefix(`

Title
         µs    last
  first  1     x
  2nd    1000
  10 rounds
`, "\n")
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// contestOf makes a contest in which each figure of a contestant is the same multiple of that of the floor.
func contestOf(addresses int, multiples map[string]float64) *contest {
	c := &contest{addresses: addresses, interfaces: 1}
	for _, name := range []string{floorName, oursName, keepalivedName} {
		m, ok := multiples[name]
		if !ok {
			continue
		}
		r := &result{name: name, announces: true}
		at := func(n float64) time.Duration {
			return time.Duration(n * m * float64(addresses) * float64(time.Microsecond))
		}
		for range 3 {
			r.add(round{added: at(10), firstFrame: at(11), behind: at(2), everyFrame: at(12), lastFrame: at(14), released: at(5)})
		}
		c.results = append(c.results, r)
	}
	return c
}

func TestTargets(t *testing.T) {
	var out bytes.Buffer
	targets([]*contest{
		contestOf(1, map[string]float64{floorName: 1, oursName: 2, keepalivedName: 9}),
		contestOf(254, map[string]float64{floorName: 1, oursName: 1.2, keepalivedName: 1.1}),
		contestOf(4000, map[string]float64{floorName: 1, oursName: 1.8}),
	}).write(&out)
	for _, want := range []string{
		"met     1 address: first announcement of the first address after that 0.004 ms (0.004..0.004) at most 1.00 ms",
		"met     254 addresses: last address in the kernel / floor 1.20 (1.20..1.20) at most 1.50",
		"MISSED  4000 addresses: first announcement of the first address after that 14.4 ms (14.4..14.4) at most 1.00 ms",
		"MISSED  4000 addresses: last address in the kernel / floor 1.80 (1.80..1.80) at most 1.50",
		"MISSED  ratio to the floor at 4000 / at 254 1.50 at most 1.30",
		"met     1 address: last address, ours / keepalived 0.222 (0.222..0.222) at most 1.00",
		"MISSED  254 addresses: last announcement, ours / keepalived 1.09 (1.09..1.09) at most 1.00",
	} {
		found := false
		for line := range strings.Lines(out.String()) {
			found = found || strings.Join(strings.Fields(line), " ") == strings.Join(strings.Fields(want), " ")
		}
		if !found {
			t.Errorf("no line %q in:\n%s", want, out.String())
		}
	}
}

func TestContestTable(t *testing.T) {
	c := contestOf(10, map[string]float64{floorName: 1, oursName: 2})
	c.results = append(c.results, &result{name: originalName, failed: errors.New("it does not start")})
	var out bytes.Buffer
	c.table().write(&out)
	for _, want := range []string{
		"Take-over of 10 addresses on one interface",
		"floor 0.100 (0.100..0.100) 0.110 (0.110..0.110) 0.120 (0.120..0.120) 0.140 (0.140..0.140) 0.050 (0.050..0.050)",
		"/ floor 2.00 (2.00..2.00) 2.00 (2.00..2.00) 2.00 (2.00..2.00) 2.00 (2.00..2.00)",
		"original - - - - -",
		"original: it does not start",
	} {
		found := false
		for line := range strings.Lines(out.String()) {
			found = found || strings.Join(strings.Fields(line), " ") == want
		}
		if !found {
			t.Errorf("no line %q in:\n%s", want, out.String())
		}
	}
}

func TestVirtuals(t *testing.T) {
	list := virtuals(4000, []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"})
	seen, count := make(map[netip.Addr]bool), make(map[string]int)
	for _, v := range list {
		seen[v.addr] = true
		count[v.link]++
		if !virtualBlock.Contains(v.addr) {
			t.Fatalf("%v is outside %v", v.addr, virtualBlock)
		}
	}
	if len(seen) != 4000 {
		t.Errorf("%d different addresses, want 4000", len(seen))
	}
	for link, n := range count {
		if n != 400 {
			t.Errorf("%d addresses on %s, want 400", n, link)
		}
	}
}

// TestAdvertisement compares with a frame made by hand from RFC 5798 section 5.1; the checksums were added up by hand.
func TestAdvertisement(t *testing.T) {
	got := advertisement(0, 100*time.Millisecond, netip.MustParseAddr("10.91.0.2"), netip.MustParseAddr("10.90.0.1"))
	want := "01005e000012" + "00005e000133" + "0800" +
		"45c00020" + "00000000" + "ff70d03e" + "0a5b0002" + "e0000012" +
		"31330001" + "000ad97a" + "0a5a0001"
	if diff := cmp.Diff(want, hex.EncodeToString(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ip := got[14:]
	if sum := checksum(ip[:20]); sum != 0 {
		t.Errorf("the header's checksum leaves %#x", sum)
	}
	pseudo := append(append([]byte{}, ip[12:20]...), 0, 112, 0, 12)
	if sum := checksum(append(pseudo, ip[20:]...)); sum != 0 {
		t.Errorf("the checksum leaves %#x", sum)
	}
}

func TestAddressEvent(t *testing.T) {
	message := func(kind uint16) []byte {
		b := make([]byte, offsetAddress, 40)
		binary.NativeEndian.PutUint16(b[offsetType:], kind)
		return append(b, 10, 90, 1, 2)
	}
	want := addressEvent{addr: netip.MustParseAddr("10.90.1.2")}
	for _, gone := range []bool{false, true} {
		kind := uint16(unix.RTM_NEWADDR)
		if want.gone = gone; gone {
			kind = unix.RTM_DELADDR
		}
		if e, ok := parseAddressEvent(message(kind)); !ok || e != want {
			t.Errorf("%v, %v, want %v", e, ok, want)
		}
	}
	if _, ok := parseAddressEvent(message(unix.RTM_NEWLINK)); ok {
		t.Error("a message about a link is taken for one about an address")
	}
	b := message(unix.RTM_NEWADDR)
	for n := range len(b) {
		if _, ok := parseAddressEvent(b[:n]); ok {
			t.Errorf("%d bytes are taken for a message", n)
		}
	}
}

// TestDecisionGrows: what a view makes alloc allocate grows with what it brings, not faster.
func TestDecisionGrows(t *testing.T) {
	small, large := clusterSize{6, 500}, clusterSize{24, 8000}
	for _, kind := range decisionKinds {
		perRow := func(s clusterSize) float64 {
			d := newDecision(s, kind)
			n := testing.AllocsPerRun(3, d.play)
			if d.machine.State() != alloc.Run || n == 0 {
				t.Errorf("%s: %v with %v allocations after a view of %v", kind, d.machine.State(), n, s)
			}
			return n / float64(s.interfaces+s.members)
		}
		if a, b := perRow(small), perRow(large); b > 1.5*a {
			t.Errorf("%s: %.3f allocations a row at %v, %.3f at %v", kind, a, small, b, large)
		}
	}
}
