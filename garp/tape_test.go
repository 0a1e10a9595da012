package garp

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A frame is what a tape recorded: when, where and what was sent.
type frame struct {
	at        time.Duration // since the tape was made
	iface     string
	addr      netip.Addr // the virtual address
	target    netip.Addr // of a notification or a ping
	targetAt  LinkAddr   // where that is said to be
	kind      string     // "announce", "gratuitous", "tell" or "ping"
	from      LinkAddr
	malformed string
}

func (f frame) String() string {
	s := fmt.Sprintf("%.3f %s %s %s", f.at.Seconds(), f.iface, f.kind, f.addr)
	if f.target.IsValid() {
		s += " to " + f.target.String()
		if f.targetAt != Broadcast {
			s += " at " + f.targetAt.String()
		}
	}
	if f.malformed != "" {
		s += " malformed: " + f.malformed
	}
	return s
}

func readFrame(b []byte) frame {
	var f frame
	if p, err := ParseARP(b); err == nil {
		f.addr = netip.AddrFrom4(p.Sender)
		f.from = p.Source
		switch {
		case len(b) != ARPFrameSize || p.Source != p.SenderLink:
			f.malformed = fmt.Sprintf("%x", b)
		case p.Operation == Request && p.Sender == p.Target && p.TargetLink == LinkAddr{} && p.Destination == Broadcast:
			f.kind = "announce"
		case p.Operation == Reply && p.Sender == p.Target && p.TargetLink == p.Source && p.Destination == Broadcast:
			f.kind = "gratuitous"
		case p.Operation == Reply && p.Destination == p.TargetLink:
			f.kind = "tell"
			f.target, f.targetAt = netip.AddrFrom4(p.Target), p.TargetLink
		default:
			f.malformed = fmt.Sprintf("%x", b)
		}
		return f
	}
	e, err := ParseEcho(b)
	if err != nil {
		f.malformed = err.Error()
	}
	f.kind, f.from = "ping", e.Source
	f.addr, f.target, f.targetAt = netip.AddrFrom4(e.From), netip.AddrFrom4(e.To), e.Destination
	return f
}

// A tape is a Sender that writes down what it is given.
type tape struct {
	t     testing.TB
	start time.Time

	mu     sync.Mutex
	links  map[string]LinkAddr // others have the address of ours
	errors map[string]error    // of Link
	frames []frame
	reads  int // calls of Link
	log    []string
	// accept, if set, decides how many frames of a Send are taken. It is called
	// without mu.
	accept func(name string, frames [][]byte) (int, error)
}

func newTape(t testing.TB) *tape {
	return &tape{t: t, start: time.Now(), links: make(map[string]LinkAddr), errors: make(map[string]error)}
}

func (r *tape) Link(name string) (LinkAddr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reads++
	if err := r.errors[name]; err != nil {
		return LinkAddr{}, err
	}
	if l, ok := r.links[name]; ok {
		return l, nil
	}
	return ours, nil
}

func (r *tape) Send(name string, frames [][]byte) (int, error) {
	n, err := len(frames), error(nil)
	if len(frames) == 0 || len(frames) > batchSize {
		r.t.Errorf("a batch of %d frames", len(frames))
	}
	if r.accept != nil {
		n, err = r.accept(name, frames)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range frames[:n] {
		f := readFrame(b)
		f.at, f.iface = time.Since(r.start), name
		r.frames = append(r.frames, f)
	}
	return n, err
}

func (r *tape) logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, fmt.Sprintf("%.3f ", time.Since(r.start).Seconds())+fmt.Sprintf(format, args...))
}

// all returns the frames once nothing more is sent at this moment.
func (r *tape) all() []frame {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.frames)
}

// text returns the frames as lines, equal ones that follow each other as one.
func (r *tape) text() string {
	var lines []string
	times := 0
	frames := r.all()
	for i, f := range frames {
		times++
		if i+1 < len(frames) && frames[i+1] == f {
			continue
		}
		line := f.String()
		if times > 1 {
			line += fmt.Sprintf(" x%d", times)
		}
		lines = append(lines, line)
		times = 0
	}
	return strings.Join(lines, "\n")
}

// looks returns how often the interfaces were looked at.
func (r *tape) looks() int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads
}

// logged returns the lines logged.
func (r *tape) logged() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Join(r.log, "\n")
}

// clear forgets the frames so far.
func (r *tape) clear() {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = nil
}

// fakeTime runs test in fake time with an Announcer that sends to a tape.
func fakeTime(t *testing.T, test func(*testing.T, *Announcer, *tape)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newTape(t)
		a := New(r, r.logf)
		defer a.Close()
		test(t, a, r)
		for _, f := range r.all() {
			if f.malformed != "" {
				t.Fatalf("malformed frame: %s", f)
			}
		}
	})
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func nth(first string, n int) netip.Addr {
	return netip.AddrFrom4(fromUint32(toUint32(ip(first).As4()) + uint32(n)))
}

// vif makes a virtual interface of words such as eth0:10.0.0.1 or
// eth0:10.0.0.1n16.
func vif(words ...string) VirtualInterface {
	var v VirtualInterface
	for _, word := range words {
		iface, rest, _ := strings.Cut(word, ":")
		addr, bits, given := strings.Cut(rest, "n")
		network := 24
		if given {
			fmt.Sscan(bits, &network)
		}
		v.Addresses = append(v.Addresses, Address{Addr: ip(addr), Interface: iface, Network: netip.PrefixFrom(ip(addr), network).Masked()})
	}
	v.Key = v.Addresses[0].Addr
	return v
}

// vifs makes n virtual interfaces of one address each.
func vifs(iface, first string, n, network int) []VirtualInterface {
	list := make([]VirtualInterface, n)
	for i := range list {
		addr := nth(first, i)
		list[i] = VirtualInterface{Key: addr, Addresses: []Address{{
			Addr: addr, Interface: iface, Network: netip.PrefixFrom(addr, network).Masked(),
		}}}
	}
	return list
}

func keys(list []VirtualInterface) []netip.Addr {
	var keys []netip.Addr
	for _, v := range list {
		keys = append(keys, v.Key)
	}
	return keys
}

// mostInASecond returns the greatest number of times within any one second.
func mostInASecond(times []time.Duration) int {
	most, from := 0, 0
	for i, at := range times {
		for at-times[from] >= time.Second {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

func times(frames []frame) []time.Duration {
	var list []time.Duration
	for _, f := range frames {
		list = append(list, f.at)
	}
	return list
}

func only(frames []frame, keep func(frame) bool) []frame {
	return slices.DeleteFunc(slices.Clone(frames), func(f frame) bool { return !keep(f) })
}

func isList(f frame) bool { return f.kind == "tell" || f.kind == "ping" }
