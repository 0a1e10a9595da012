package alloc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestOriginals replays recordings of clusters of original wackamoles 2.1.4. A
// folder of testdata/originals is a scenario; in it, nI.K.trace is what one
// process was sent by Spread (recv), sent (send) and did to its addresses (up,
// down), in order, and nI.conf its configuration. The machine is given what the
// process was given, and has to decide the same: each STATE, MATURING and BALANCE
// byte for byte but for the trailer of STATE, and each address in order. The only
// differences allowed are these:
//
//   - "all" moves everything at once, the original half of the virtual interfaces,
//     once (section 4, balance timer): its moves are the first of ours;
//   - a down that the kernel refused, since removing one address had removed others
//     with it, left no line; what was lost in that way and still owned the original
//     puts back later, while we never lost it (section 4, reconcile; a merge);
//   - at the start the original releases by alias, eth0 itself where it handles
//     sets (section 8); we release by address, whether or not it is there.
func TestOriginals(t *testing.T) {
	traces, err := filepath.Glob("testdata/originals/*/*.trace")
	if err != nil || len(traces) == 0 {
		t.Fatal("no recordings", err)
	}
	// The processes that were killed left no line of their end.
	killed := map[string]bool{"02_kill_rejoin/n2.0": true, "09_two_at_once/n1.0": true}
	// Where a kernel took more than it was told to, after a merge and with sets.
	refusing := map[string]bool{
		"03_partition_merge/n3.0": true, "10_cut_while_joining/n3.0": true,
		"08_sets/n1.0": true, "08_sets/n2.0": true, "08_sets/n3.0": true,
	}
	seen := replayed{}
	for _, path := range traces {
		name := filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".trace")
		t.Run(name, func(t *testing.T) {
			node, _, _ := strings.Cut(filepath.Base(path), ".")
			r := &replay{t: t, config: originalConfig(t, filepath.Join(filepath.Dir(path), node+".conf")), seen: &seen,
				killed: killed[name], refusing: refusing[name]}
			r.config.Address = short(node[1:])
			r.m = New(r.config, binary.LittleEndian)
			r.run(path)
		})
	}
	// How much there is to compare, and how often each difference is met: a replay
	// that compares nothing, or allows more, would show here.
	want := replayed{states: 121, maturings: 15, balances: 16, ups: 203, downs: 173, refused: 26, putBack: 5, shorter: 1, aliases: 15}
	if diff := cmp.Diff(want, seen, cmp.AllowUnexported(replayed{})); diff != "" {
		t.Errorf("compared (-want +got):\n%s", diff)
	}
}

// replayed counts what was compared, and each allowed difference.
type replayed struct {
	states, maturings, balances, ups, downs int
	refused                                 int // releases that left no line
	putBack                                 int // addresses put back after that
	shorter                                 int // BALANCE with only the first of our moves
	aliases                                 int // alias names released at the start
}

type replay struct {
	t      *testing.T
	config Config
	m      *Machine
	seen   *replayed

	killed, refusing bool

	line     string   // being replayed
	releases []string // that we have decided and the trace has not shown yet
	acquires []string
	sends    []Multicast
	early    []string // downs that belong to the close that follows
}

func (r *replay) errorf(format string, args ...any) {
	r.t.Helper()
	r.t.Errorf("at %.60s: %s", r.line, fmt.Sprintf(format, args...))
}

func (r *replay) run(path string) {
	source, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	in := bufio.NewScanner(bytes.NewReader(source))
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		r.line = in.Text()
		f := strings.Fields(r.line)
		switch f[1] {
		case "connect":
			r.settled()
		case "session":
			r.step(Connected{f[2]})
			r.releases = nil // left over from nobody knows whom
		case "recv":
			r.settled()
			if e := r.decode(f[2]); e != nil {
				r.step(e)
			}
		case "send":
			r.sent(f[2])
		case "up":
			r.up(f[2])
		case "down":
			r.down(f[2])
		case "close", "closed":
			r.end()
		default:
			r.t.Fatalf("%s: unknown line", r.line)
		}
	}
	r.line = "the end of the trace"
	if r.killed {
		r.settled()
		return
	}
	r.end()
	r.settled()
}

// step gives the machine an event and notes what the trace has to show next.
func (r *replay) step(e Event) {
	for _, a := range r.m.Step(e) {
		switch a := a.(type) {
		case Release:
			r.releases = append(r.releases, r.expand(a.Keys)...)
		case Acquire:
			r.acquires = append(r.acquires, r.expand(a.Keys)...)
		case Multicast:
			r.sends = append(r.sends, a)
		case Rejected:
			r.errorf("%v", a)
		case Log:
			if a.Level == Error {
				r.errorf("%v", a)
			}
		}
	}
}

func (r *replay) expand(keys []netip.Addr) (list []string) {
	for _, k := range keys {
		for _, a := range r.config.Interfaces[r.m.index[k]].Addresses {
			list = append(list, a.String())
		}
	}
	return list
}

// end is the end of a session, by whichever side, or of the process. The original
// drops its addresses before or after it.
func (r *replay) end() {
	r.settledDecisions()
	held := map[string]bool{}
	for _, s := range r.m.Status().Rows {
		if s.Held {
			for _, a := range r.expand([]netip.Addr{s.Key}) {
				held[a] = true
			}
		}
	}
	r.step(Lost{r.line})
	r.releases = slices.DeleteFunc(r.releases, func(a string) bool { return !held[a] })
	early := r.early
	r.early = nil
	for _, a := range early {
		r.down(a)
	}
}

func (r *replay) down(address string) {
	if strings.HasPrefix(address, "eth0") {
		r.seen.aliases++
		return
	}
	i := slices.Index(r.releases, address)
	if i < 0 {
		r.early = append(r.early, address)
		return
	}
	for _, a := range r.releases[:i] {
		r.noLine(a)
	}
	r.releases = r.releases[i+1:]
	r.seen.downs++
}

// noLine is a release of ours that the trace does not show.
func (r *replay) noLine(address string) {
	r.seen.refused++
	if !r.refusing {
		r.errorf("we release %v and it does not", address)
	}
}

func (r *replay) up(address string) {
	if len(r.acquires) > 0 && r.acquires[0] == address {
		r.acquires = r.acquires[1:]
		r.seen.ups++
		return
	}
	if r.refusing && r.m.Holds(netip.MustParseAddr(address)) {
		r.seen.putBack++
		return
	}
	r.errorf("we acquire %v", r.acquires)
}

// settled says that the trace should have shown all that we decided by now, but
// for the moves of BALANCE: "all" of the original balances a moment later.
func (r *replay) settled() {
	r.settledDecisions()
	if len(r.early) > 0 {
		r.errorf("it releases %v and we do not", r.early)
		r.early = nil
	}
	for _, s := range r.sends {
		if s.Type != BalanceMessage {
			r.errorf("we send a %v and it does not", s.Type)
		}
	}
	r.sends = slices.DeleteFunc(r.sends, func(s Multicast) bool { return s.Type != BalanceMessage })
}

func (r *replay) settledDecisions() {
	for _, a := range r.releases {
		r.noLine(a)
	}
	if len(r.acquires) > 0 {
		r.errorf("we acquire %v and it does not", r.acquires)
	}
	r.releases, r.acquires = nil, nil
}

// sent compares a message that the original sent.
func (r *replay) sent(text string) {
	h := parseHeader(r.t, text)
	if h.service&0x3f == 0 || h.messType == ARPCacheMessage {
		return // join, leave, kill; the test knows of no ARP cache
	}
	switch h.messType {
	case MaturingMessage:
		r.step(TimerFired{MatureTimer})
	case BalanceMessage:
		if r.config.PerRound > 0 {
			r.step(TimerFired{BalanceTimer})
		}
	}
	i := slices.IndexFunc(r.sends, func(s Multicast) bool { return s.Type == h.messType })
	if i < 0 {
		r.errorf("it sends a %v and we do not", h.messType)
		return
	}
	ours := r.sends[i].Body
	r.sends = slices.Delete(r.sends, i, i+1)
	switch h.messType {
	case StateMessage:
		r.seen.states++
		ours = ours[:len(ours)-trailerSize]
	case MaturingMessage:
		r.seen.maturings++
	case BalanceMessage:
		r.seen.balances++
		if r.config.PerRound == 0 && len(ours) > len(h.body) {
			r.seen.shorter++
			n := len(h.body) - 4
			if n/8 != len(r.config.Interfaces)/2 {
				r.errorf("%d moves of %d virtual interfaces", n/8, len(r.config.Interfaces))
			}
			ours = append(binary.LittleEndian.AppendUint32(nil, uint32(n/8)), ours[4:4+n]...)
		}
	}
	if !bytes.Equal(ours, h.body) {
		r.errorf("%v sent:\n it %x\nwe %x", h.messType, h.body, ours)
	}
}

// decode makes an event of a message of Spread, nil for a transitional membership.
func (r *replay) decode(text string) Event {
	h := parseHeader(r.t, text)
	switch {
	case h.service&0x3f != 0:
		return Message{
			Sender: h.name, Groups: h.groups, Ordered: h.service&0x30 != 0, Type: h.messType,
			Order: binary.LittleEndian, Body: h.body,
		}
	case h.service&0x1000 != 0:
		r.sends = nil // what was to be balanced is so no more
		v := View{Members: h.groups}
		for i := range v.ID {
			v.ID[i] = binary.LittleEndian.Uint32(h.body[4*i:])
		}
		return v
	}
	return nil
}

type spreadHeader struct {
	service  uint32
	name     string
	groups   []string
	messType MessageType
	body     []byte
}

// parseHeader decodes a message of Spread 4 on a little-endian machine: type (4),
// name (32), number of groups (4), hint (4), length (4), groups (32 each), body.
func parseHeader(t *testing.T, text string) spreadHeader {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) < 48 {
		t.Fatalf("%s: no message of Spread: %v", text, err)
	}
	name := func(at int) string {
		s, _, _ := strings.Cut(string(b[at:at+32]), "\x00")
		return s
	}
	h := spreadHeader{
		service: binary.LittleEndian.Uint32(b) & 0x7fffff7f, name: name(4),
		messType: MessageType(binary.LittleEndian.Uint32(b[40:]) >> 8),
	}
	n := int(binary.LittleEndian.Uint32(b[36:]))
	for i := range n {
		h.groups = append(h.groups, name(48+32*i))
	}
	h.body = b[48+32*n:]
	if want := int(binary.LittleEndian.Uint32(b[44:])); len(h.body) != want {
		t.Fatalf("%d bytes in a message of %d", len(h.body), want)
	}
	return h
}

var (
	originalVIF  = regexp.MustCompile(`(?m)^\t\{ (.*) \}$`)
	originalAddr = regexp.MustCompile(`eth0:([0-9.]+)/`)
)

// originalConfig reads the one form of wackamole.conf that the recordings have.
func originalConfig(t *testing.T, path string) Config {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	addresses := func(s string) (list []netip.Addr) {
		for _, m := range originalAddr.FindAllStringSubmatch(s, -1) {
			list = append(list, netip.MustParseAddr(m[1]))
		}
		return list
	}
	setting := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s: no %s", path, pattern)
		}
		return m[1]
	}
	c := Config{Group: setting(`Group = (\S+)`), Mature: 5 * time.Second}
	for _, m := range originalVIF.FindAllStringSubmatch(text, -1) {
		c.Interfaces = append(c.Interfaces, VirtualInterface{addresses(m[1])})
	}
	if prefer := setting(`Prefer (.*)`); prefer == "None" {
		c.Prefer = []netip.Addr{netip.IPv4Unspecified()}
	} else {
		c.Prefer = addresses(prefer)
	}
	if n := setting(`AcquisitionsPerRound = (\S+)`); n != "all" {
		if c.PerRound, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	return c
}
