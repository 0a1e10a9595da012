package alloc_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wackamole/alloc"
	"wackamole/conf"
	"wackamole/spreadproto"
)

// A difference is a way in which this package decides otherwise than wackamole
// 2.1.4 did, or in which a recording does not show what the original decided. The
// sections are those of the description of the original that this package was
// written from.
type difference string

const (
	// With all, the original moves at most half the number of virtual interfaces,
	// once in a view, and leaves it at that; ours moves whatever there is to move.
	movesAll difference = "section 4, Balance timer fires: all moves everything at once"
	// No decision of the original's: the kernel removes addresses together with one
	// that was removed before them, and their own removal, which it then refuses,
	// leaves no line. With sets of addresses the whole interface goes.
	lostByKernel difference = "recording: a release that leaves no line"
	// No decision either: the original puts back what it owned all along and the
	// kernel had removed like that.
	putBack difference = "recording: an address put back after such a loss"
)

// allowed lists the differences of each recording, and how often each occurs.
// Nothing else may differ.
var allowed = map[string]map[difference]int{
	"03_partition_merge/n1.0":   {movesAll: 1},
	"03_partition_merge/n3.0":   {lostByKernel: 1, putBack: 3},
	"08_sets/n1.0":              {lostByKernel: 8},
	"08_sets/n2.0":              {lostByKernel: 8},
	"08_sets/n3.0":              {lostByKernel: 8},
	"10_cut_while_joining/n3.0": {lostByKernel: 1, putBack: 2},
}

// TestOriginals gives this package what members of clusters of originals were
// sent, as recorded in testdata/originals, and expects what they decided: each
// STATE, MATURING and BALANCE byte for byte, our trailer aside, and each address
// taken or given up, all of them in order and after the same event. The recordings
// lack only the ARP caches.
//
// A recording has a line for each thing that one process did or was told: the
// time in seconds and
//
//	session NAME ...  connected to Spread
//	close, closed     the session ended
//	recv, send HEX    a message of Spread: header, groups, body
//	up, down ADDRESS  an address operation that the kernel carried out
func TestOriginals(t *testing.T) {
	files, err := filepath.Glob("testdata/originals/*/*.trace")
	if err != nil || len(files) == 0 {
		t.Fatal("no recordings: ", err)
	}
	same := make(map[string]int)
	for _, path := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(path), "testdata/originals/"), ".trace")
		t.Run(name, func(t *testing.T) {
			r := newReplay(t, path)
			r.run()
			if want := allowed[name]; !maps.Equal(want, r.differences) {
				t.Errorf("differences %v, want %v", r.differences, want)
			}
			for kind, n := range r.same {
				same[kind] += n
			}
		})
	}
	// A replay that compares less than there is would show here.
	want := map[string]int{"STATE": 121, "MATURING": 15, "BALANCE": 15, "up": 203, "down": 173}
	if diff := cmp.Diff(want, same); diff != "" {
		t.Errorf("steps that were the same (-want +got):\n%s", diff)
	}
}

// step is a thing decided: a message sent or an address taken or given up.
type step struct {
	verb string // send, up, down
	what string // address, or message type and body
}

func (s step) String() string { return s.verb + " " + s.what }

// kind is the type of a message sent, else the verb.
func (s step) kind() string {
	if s.verb != "send" {
		return s.verb
	}
	kind, _, _ := strings.Cut(s.what, " ")
	return kind
}

// replay leads a machine through one recording.
type replay struct {
	t           *testing.T
	machine     *alloc.Machine
	config      alloc.Config
	lines       []string
	addresses   map[netip.Addr][]netip.Addr // of each key
	up          map[netip.Addr]bool         // keys that our member has taken
	merged      bool                        // the view came by a merge
	removed     bool                        // and the original removed an address in it
	where       string                      // the line of the event that the steps below follow
	theirs      []step
	ours        []step
	differences map[difference]int
	same        map[string]int // steps that were the same, by kind
}

func newReplay(t *testing.T, path string) *replay {
	node, _, _ := strings.Cut(filepath.Base(path), ".")
	c, _, err := conf.Load(filepath.Join(filepath.Dir(path), node+".conf"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{
		t: t, lines: strings.Split(strings.TrimSpace(string(source)), "\n"), where: "start",
		addresses: make(map[netip.Addr][]netip.Addr), up: make(map[netip.Addr]bool),
		differences: make(map[difference]int), same: make(map[string]int),
	}
	r.config = alloc.Config{
		Prefer: c.Prefer, Address: netip.MustParseAddr("10.77.0." + node[1:]), Group: c.Group, Mature: c.Mature,
		PerRound: c.Balance.PerRound, Interval: c.Balance.Interval, Share: c.ARPCache,
	}
	for _, v := range c.Interfaces {
		var list []netip.Addr
		for _, a := range v.Addresses {
			list = append(list, a.Addr())
		}
		r.config.Interfaces = append(r.config.Interfaces, alloc.VirtualInterface{Addresses: list})
		r.addresses[v.Key()] = list
	}
	// The originals ran on little-endian machines.
	r.machine = alloc.New(r.config, binary.LittleEndian)
	return r
}

func (r *replay) run() {
	for i, line := range r.lines {
		words := strings.Fields(line)
		switch verb := words[1]; verb {
		case "connect":
		case "session":
			r.event(line, alloc.Connected{Self: words[2]})
		case "close", "closed":
			r.event(line, alloc.Lost{Reason: verb})
		case "recv":
			r.receive(line, words[2])
		case "send":
			r.send(line, words[2])
		case "up", "down":
			s := step{verb, words[2]}
			if _, err := netip.ParseAddr(s.what); err != nil {
				// An alias of a predecessor that was killed. Releasing it is what a
				// member does first and last: nothing to compare with.
				if len(r.up) > 0 && !r.ending(i) {
					r.t.Errorf("%s: removes an alias while it holds addresses", line)
				}
				break
			}
			if r.ending(i) && !r.decided(s) {
				r.event(line, alloc.Lost{Reason: "the process ends"})
			}
			r.theirs = append(r.theirs, s)
		default:
			r.t.Fatalf("%s: what is that?", line)
		}
	}
	r.compare()
}

// ending reports whether from line i on the process does nothing but release and
// leave.
func (r *replay) ending(i int) bool {
	for _, line := range r.lines[i:] {
		words := strings.Fields(line)
		if words[1] != "down" {
			return words[1] == "close" || words[1] == "send" && decode(r.t, words[2]).header.Type&spreadproto.TypeKill != 0
		}
	}
	return true
}

// decided reports whether our member decided a step that the original has not
// carried out up to here.
func (r *replay) decided(s step) bool {
	return slices.Contains(r.ours, s) && !slices.Contains(r.theirs, s)
}

// packet is a message of Spread, decoded.
type packet struct {
	header spreadproto.Header
	groups []string
	body   []byte
}

func decode(t *testing.T, text string) packet {
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	var p packet
	if err := p.header.Unmarshal(b); err != nil {
		t.Fatal(err)
	}
	b = b[spreadproto.HeaderSize:]
	names := p.header.Names * spreadproto.NameSize
	if p.groups, err = spreadproto.UnmarshalNames(b[:names]); err != nil {
		t.Fatal(err)
	}
	p.body = b[names:]
	return p
}

func (p packet) messageType() alloc.MessageType {
	return alloc.MessageType(p.header.Hint.MessageType())
}

func (p packet) ordered() bool { return p.header.Type&uint32(spreadproto.Agreed) != 0 }

// receive gives our member a message that the original received.
func (r *replay) receive(line, text string) {
	p := decode(r.t, text)
	switch p.header.Kind() {
	case spreadproto.KindMembership:
		var m spreadproto.MembershipBody
		if err := m.Unmarshal(p.body, p.header.Order, spreadproto.LongForm); err != nil {
			r.t.Fatal(err)
		}
		r.event(line, alloc.View{ID: alloc.ViewID(m.ID), Members: p.groups})
		r.merged, r.removed = len(m.Sets) > 1, false
	case spreadproto.KindRegular:
		order := alloc.ByteOrder(binary.LittleEndian)
		if p.header.Hint.Order().IsBig() {
			order = binary.BigEndian
		}
		r.event(line, alloc.Message{
			Sender: p.header.Name, Groups: p.groups, Ordered: p.ordered(), Type: p.messageType(), Order: order, Body: p.body,
		})
	case spreadproto.KindTransition:
	default:
		r.t.Fatalf("%s: received an unexpected kind of message", line)
	}
}

// send takes down what the original sent. Where it was a timer that made the
// original send it, that timer fires in ours too.
func (r *replay) send(line, text string) {
	p := decode(r.t, text)
	if p.header.Kind() != spreadproto.KindRegular {
		return // to join or to leave
	}
	kind := p.messageType()
	if p.ordered() != kind.Ordered() || !slices.Equal(p.groups, []string{r.config.Group}) {
		r.t.Errorf("%s: sent %v to %s with service %#x", line, kind, p.groups, p.header.Type)
	}
	switch {
	case kind == alloc.MaturingMessage:
		r.event(line, alloc.TimerFired{Timer: alloc.MatureTimer})
	case kind == alloc.BalanceMessage && r.config.PerRound > 0:
		r.event(line, alloc.TimerFired{Timer: alloc.BalanceTimer})
	}
	r.theirs = append(r.theirs, sent(kind, p.body))
}

func sent(kind alloc.MessageType, body []byte) step {
	return step{"send", fmt.Sprintf("%v %x", kind, body)}
}

// event ends the comparison of what followed the event before, and gives our
// member the next one.
func (r *replay) event(line string, e alloc.Event) {
	r.compare()
	at, rest, _ := strings.Cut(line, " ")
	verb, _, _ := strings.Cut(rest, " ")
	r.where = fmt.Sprintf("%s %s, %v", at, verb, e)
	for _, a := range r.machine.Step(e) {
		switch a := a.(type) {
		case alloc.Release:
			r.operate("down", a.Keys, true)
		case alloc.Acquire:
			r.operate("up", a.Keys, false)
		case alloc.Multicast:
			if a.Type == alloc.StateMessage {
				a.Body = r.withoutTrailer(a.Body)
			}
			r.ours = append(r.ours, sent(a.Type, a.Body))
		case alloc.Rejected, alloc.Rejoin:
			r.t.Errorf("%s: %v", r.where, a)
		case alloc.Log:
			if a.Level == alloc.Error {
				r.t.Errorf("%s: %v", r.where, a)
			}
		}
	}
}

// operate takes down what our member does to its addresses. A release of what is
// not there, as at the start, does nothing.
func (r *replay) operate(verb string, keys []netip.Addr, present bool) {
	for _, k := range keys {
		if r.up[k] != present {
			if verb == "up" {
				r.t.Errorf("%s: acquires %v twice", r.where, k)
			}
			continue
		}
		delete(r.up, k)
		if !present {
			r.up[k] = true
		}
		for _, a := range r.addresses[k] {
			r.ours = append(r.ours, step{verb, a.String()})
		}
	}
}

// withoutTrailer takes our trailer off a STATE.
func (r *replay) withoutTrailer(body []byte) []byte {
	s, err := alloc.ParseState(body, binary.LittleEndian)
	if err != nil || s.Trailer == nil {
		r.t.Fatalf("%s: our STATE %x has no trailer (%v)", r.where, body, err)
	}
	whole := body
	s.Trailer = nil
	body = s.Append(nil, binary.LittleEndian)
	if !bytes.HasPrefix(whole, body) {
		r.t.Fatalf("%s: our STATE %x does not begin with %x", r.where, whole, body)
	}
	return body
}

// compare compares what both did after one event, and counts the differences that
// have a name.
func (r *replay) compare() {
	theirs, ours := r.theirs, r.ours
	r.theirs, r.ours = nil, nil
	for i, k := 0, 0; i < len(theirs) || k < len(ours); {
		switch {
		case i < len(theirs) && k < len(ours) && theirs[i] == ours[k]:
			r.removed = r.removed || theirs[i].verb == "down"
			r.same[theirs[i].kind()]++
			i, k = i+1, k+1
		case i < len(theirs) && k < len(ours) && r.movesMore(theirs[i], ours[k]):
			r.differences[movesAll]++
			i, k = i+1, k+1
		case k < len(ours) && r.lost(ours[k]) && !slices.Contains(theirs[i:], ours[k]):
			r.differences[lostByKernel]++
			k++
		case i < len(theirs) && r.puts(theirs[i]):
			r.differences[putBack]++
			i++
		default:
			r.t.Errorf("after %s (-original +ours):\n%s", r.where, cmp.Diff(texts(theirs), texts(ours)))
			return
		}
	}
}

// movesMore reports whether ours moves what theirs does, which is as much as an
// original moves at once, and then more.
func (r *replay) movesMore(theirs, ours step) bool {
	a, b := movesOf(theirs), movesOf(ours)
	return r.config.PerRound == 0 && len(a) == len(r.config.Interfaces)/2 && len(a) < len(b) && slices.Equal(a, b[:len(a)])
}

func movesOf(s step) []alloc.Move {
	body, ok := strings.CutPrefix(s.what, "BALANCE ")
	if !ok {
		return nil
	}
	b, _ := hex.DecodeString(body)
	moves, _ := alloc.ParseBalance(b, binary.LittleEndian)
	return moves
}

// lost reports whether the kernel may have removed an address before the original
// did.
func (r *replay) lost(s step) bool {
	sets := slices.ContainsFunc(r.config.Interfaces, func(v alloc.VirtualInterface) bool { return len(v.Addresses) > 1 })
	return s.verb == "down" && (sets || r.merged && r.removed)
}

// puts reports whether the original puts back an address that ours holds.
func (r *replay) puts(s step) bool {
	key, err := netip.ParseAddr(s.what)
	return s.verb == "up" && err == nil && r.merged && r.removed && r.up[key]
}

func texts(steps []step) (list []string) {
	for _, s := range steps {
		list = append(list, s.String())
	}
	return list
}
