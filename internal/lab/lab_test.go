package lab

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"wackamole/internal/lab/vnet"
)

func TestMain(m *testing.M) { os.Exit(vnet.Reexec(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLab(t *testing.T, hosts int) *Lab {
	t.Helper()
	vnet.Require(t)
	l, err := New(Options{Hosts: hosts})
	must(t, err)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// hold and release make a host a fake member that has the address or not: its kernel does the rest.
func hold(t *testing.T, h *Host, a netip.Addr) {
	t.Helper()
	must(t, h.Namespace.AddAddress("eth0", netip.PrefixFrom(a, 32)))
}

func release(t *testing.T, h *Host, a netip.Addr) {
	t.Helper()
	must(t, h.Namespace.DeleteAddress("eth0", netip.PrefixFrom(a, 32)))
}

// A udpPair sends numbered datagrams from one host to others until they arrive.
type receiver struct {
	net.PacketConn
	arrived chan string
}

func listen(t *testing.T, h *Host) *receiver {
	t.Helper()
	r := &receiver{arrived: make(chan string, 1000)}
	must(t, h.Namespace.Do(func() (err error) {
		r.PacketConn, err = net.ListenPacket("udp4", HostAddress(h.Number).String()+":7000")
		return err
	}))
	t.Cleanup(func() { r.Close() })
	go func() {
		buffer := make([]byte, 2000)
		for {
			size, _, err := r.ReadFrom(buffer)
			if err != nil {
				return
			}
			r.arrived <- string(buffer[:size])
		}
	}()
	return r
}

func send(t *testing.T, from *Host, to int, text string) {
	t.Helper()
	must(t, from.Namespace.Do(func() error {
		c, err := net.Dial("udp4", HostAddress(to).String()+":7000")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte(text))
		return err
	}))
}

func TestSwitchForwards(t *testing.T) {
	l := newLab(t, 3)
	two, three := listen(t, l.Host(2)), listen(t, l.Host(3))
	send(t, l.Host(1), 2, "to two")
	send(t, l.Host(1), 3, "to three")
	if got := <-two.arrived; got != "to two" {
		t.Errorf("host 2 received %q", got)
	}
	if got := <-three.arrived; got != "to three" {
		t.Errorf("host 3 received %q", got)
	}
}

// A stream is more than single frames: segments that are left for a card to cut up, checksums for it to fill.
func TestSwitchCarriesTCP(t *testing.T) {
	l := newLab(t, 2)
	var listener net.Listener
	must(t, l.Host(2).Namespace.Do(func() (err error) {
		listener, err = net.Listen("tcp4", "10.77.0.2:7000")
		return err
	}))
	defer listener.Close()
	total := make(chan int)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			total <- -1
			return
		}
		defer c.Close()
		sum, buffer := 0, make([]byte, 64<<10)
		for {
			size, err := c.Read(buffer)
			sum += size
			if err != nil {
				total <- sum
				return
			}
		}
	}()
	const size = 1 << 20
	must(t, l.Host(1).Namespace.Do(func() error {
		c, err := net.Dial("tcp4", "10.77.0.2:7000")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(make([]byte, size))
		return err
	}))
	if got := <-total; got != size {
		t.Errorf("%d bytes arrived, want %d", got, size)
	}
}

// Frames keep their order on a way that is not cut. So what is sent after a cut was healed proves that what was
// sent during the cut would have arrived before.
func TestCutAndSplitStopFrames(t *testing.T) {
	l := newLab(t, 3)
	two := listen(t, l.Host(2))
	send(t, l.Host(1), 2, "whole") // both know each other's link-layer address from here on
	if got := <-two.arrived; got != "whole" {
		t.Fatalf("host 2 received %q", got)
	}
	tests := []struct {
		name       string
		stop, undo func()
	}{
		{"cut of the sender", func() { l.Switch.Cut(1) }, func() { l.Switch.Heal(1) }},
		{"cut of the receiver", func() { l.Switch.Cut(2) }, func() { l.Switch.Heal(2) }},
		{"split", func() { l.Switch.Split([]int{1, 3}, []int{2}) }, l.Switch.Merge},
		{"split, receiver in the rest", func() { l.Switch.Split([]int{1}) }, l.Switch.Merge},
	}
	for _, tt := range tests {
		before := l.Switch.Statistics(1).Received
		tt.stop()
		send(t, l.Host(1), 2, "while stopped")
		for l.Switch.Statistics(1).Received == before {
			time.Sleep(ms) // the switch has not seen it yet
		}
		tt.undo()
		send(t, l.Host(1), 2, "after")
		if got := <-two.arrived; got != "after" {
			t.Errorf("%s: host 2 received %q, want what was sent after it", tt.name, got)
		}
	}
	l.Switch.Split([]int{1, 2}, []int{3})
	send(t, l.Host(1), 2, "within a component")
	if got := <-two.arrived; got != "within a component" {
		t.Errorf("host 2 received %q", got)
	}
}

func TestCarrierAndReplug(t *testing.T) {
	l := newLab(t, 2)
	one := l.Host(1)
	running := func() bool {
		link, err := one.Namespace.Interface("eth0")
		must(t, err)
		return link.Flags&net.FlagRunning != 0
	}
	must(t, l.Switch.SetCarrier(1, false))
	for running() {
		time.Sleep(ms)
	}
	must(t, l.Switch.SetCarrier(1, true))
	for !running() {
		time.Sleep(ms)
	}
	must(t, one.Unplug())
	if _, err := one.Namespace.Interface("eth0"); err == nil {
		t.Error("eth0 is still there after Unplug")
	}
	must(t, one.Replug())
	two := listen(t, l.Host(2))
	send(t, one, 2, "with a new card")
	if got := <-two.arrived; got != "with a new card" {
		t.Errorf("host 2 received %q", got)
	}
}

// holders waits until the prober has found exactly these ports for its addresses.
func holders(t *testing.T, p *Prober, want ...Ports) {
	t.Helper()
	for {
		have := p.Snapshot().Holders
		same := true
		for i := range want {
			same = same && have[i] == want[i]
		}
		if same {
			return
		}
		time.Sleep(ms)
	}
}

func TestProberCountsSilenceAndDoubleAnswers(t *testing.T) {
	l := newLab(t, 3)
	p := NewProber(l.Switch, ProberOptions{Addresses: []netip.Addr{vip1, vip2}, Interval: 2 * ms})
	defer p.Close()
	one, two, three, all := PortSet(1), PortSet(2), PortSet(3), PortSet(1, 2, 3)

	holders(t, p, 0, 0)
	hold(t, l.Host(1), vip1)
	hold(t, l.Host(3), vip2)
	must(t, p.WaitSteady(t.Context(), 10*ms, nil))

	// Both addresses change hands; the first is held by nobody for a while, the second by both.
	p.Begin()
	began := time.Now()
	must(t, p.WaitSteady(t.Context(), 10*ms, nil))
	release(t, l.Host(1), vip1)
	hold(t, l.Host(2), vip2)
	holders(t, p, 0, two|three)
	hold(t, l.Host(2), vip1)
	release(t, l.Host(3), vip2)
	must(t, p.WaitSteady(t.Context(), 10*ms, func(s Snapshot) bool { return s.Holders[0] == two && s.Holders[1] == two }))
	outcomes := p.Outcomes()
	if len(outcomes) != 2 {
		t.Fatalf("outcomes %+v, want one for each address", outcomes)
	}
	longest := time.Since(began)
	first, second := outcomes[0], outcomes[1]
	if first.Component != all || first.First != one || first.Last != two || first.Twice != 0 ||
		first.Unanswered <= 0 || first.Unanswered > longest || first.Longest != first.Unanswered {
		t.Errorf("the address that nobody held for a part of %v: %+v", longest, first)
	}
	if second.First != three || second.Last != two || second.Unanswered != 0 || second.Twice <= 0 || second.Twice > longest {
		t.Errorf("the address that two held for a part of %v: %+v", longest, second)
	}
}

func TestProberJudgesComponentsApart(t *testing.T) {
	l := newLab(t, 3)
	p := NewProber(l.Switch, ProberOptions{Addresses: []netip.Addr{vip1}, Interval: 2 * ms})
	defer p.Close()
	hold(t, l.Host(1), vip1)
	must(t, p.WaitSteady(t.Context(), 10*ms, nil))

	p.Begin()
	l.Switch.Split([]int{1, 2}, []int{3})
	hold(t, l.Host(3), vip1)
	must(t, p.WaitSteady(t.Context(), 10*ms, nil)) // two holders, but one in each component
	for _, o := range p.Outcomes() {
		if o.Twice != 0 {
			t.Errorf("answered twice within one component: %+v", o)
		}
	}

	p.Begin()
	l.Switch.Merge()
	ctx, cancel := context.WithTimeout(t.Context(), 300*ms)
	defer cancel()
	if err := p.WaitSteady(ctx, 10*ms, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two holders after the merge: WaitSteady returned %v, want the deadline's error", err)
	}
	release(t, l.Host(1), vip1)
	must(t, p.WaitSteady(t.Context(), 10*ms, nil))
	if o := p.Outcomes(); len(o) != 1 || o[0].Twice == 0 || o[0].Last != PortSet(3) {
		t.Errorf("outcomes of the merge %+v, want one, answered twice for a while, then by port 3", o)
	}

	// Nobody serves behind port 2 alone: its silence is no fault.
	p.SetServing(PortSet(1, 3))
	p.Begin()
	l.Switch.Split([]int{1, 3}, []int{2})
	must(t, p.WaitSteady(t.Context(), 10*ms, nil))
}

func TestProberLeavesNoTraceInNeighbourTables(t *testing.T) {
	l := newLab(t, 1)
	p := NewProber(l.Switch, ProberOptions{Addresses: []netip.Addr{vip1}, Interval: 2 * ms})
	defer p.Close()
	hold(t, l.Host(1), vip1)
	must(t, p.WaitSteady(t.Context(), 10*ms, nil))
	must(t, l.Host(1).Namespace.Do(func() error {
		table, err := os.ReadFile("/proc/thread-self/net/arp")
		if lines := strings.Count(string(table), "\n"); lines != 1 {
			t.Errorf("neighbour table with %d lines, want its heading alone:\n%s", lines, table)
		}
		return err
	}))
}

func TestProcesses(t *testing.T) {
	l := newLab(t, 1)
	h := l.Host(1)
	p, err := h.Start("/bin/sh", "-c", "echo begun; echo to stderr >&2; exec sleep 1000")
	must(t, err)
	for len(p.Lines()) < 2 {
		time.Sleep(ms)
	}
	if got := strings.Join(p.Lines(), ","); got != "begun,to stderr" {
		t.Errorf("printed %q", got)
	}
	must(t, p.Signal(syscall.SIGTERM))
	if got := p.Wait(); got != "signal: terminated" {
		t.Errorf("ended with %q, want signal: terminated", got)
	}
	must(t, p.Signal(syscall.SIGTERM)) // it has ended: no error
}

func TestKillAllFindsOrphans(t *testing.T) {
	l := newLab(t, 2)
	h := l.Host(1)
	p, err := h.Start("/bin/sh", "-c", "setsid sleep 1000 & setsid sleep 1000 & echo begun")
	must(t, err)
	other, err := l.Host(2).Start("/bin/sleep", "1000")
	must(t, err)
	if got := p.Wait(); got != "exit status 0" {
		t.Fatalf("ended with %q", got)
	}
	list, err := h.Namespace.Processes()
	if err != nil || len(list) != 2 {
		t.Errorf("processes on the host: %v, %v; want the two orphans", list, err)
	}
	must(t, h.KillAll())
	if list, err := h.Namespace.Processes(); err != nil || len(list) != 0 {
		t.Errorf("processes after KillAll: %v, %v", list, err)
	}
	if list, err := l.Host(2).Namespace.Processes(); err != nil || len(list) != 1 || list[0] != other.PID {
		t.Errorf("processes on the other host: %v, %v; want %d alone", list, err, other.PID)
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	vnet.Require(t)
	l, err := New(Options{Hosts: 2})
	must(t, err)
	var left []*vnet.Namespace
	for _, h := range l.Hosts {
		// It ignores what it can, and its child has left it.
		p, err := h.Start("/bin/sh", "-c", "trap '' TERM HUP INT; setsid sleep 1000 & echo begun; while :; do sleep 1000; done")
		must(t, err)
		for len(p.Lines()) < 1 {
			time.Sleep(ms)
		}
		var n *vnet.Namespace
		must(t, h.Namespace.Do(func() (err error) {
			n, err = vnet.Here()
			return err
		}))
		left = append(left, n)
	}
	must(t, l.Close())
	for i, n := range left {
		if list, err := n.Processes(); err != nil || len(list) != 0 {
			t.Errorf("processes on host %d after Close: %v, %v", i+1, list, err)
		}
		n.Close()
	}
}

func TestLongLinesAreCut(t *testing.T) {
	l := newLab(t, 1)
	p, err := l.Host(1).Start("/bin/sh", "-c", "head -c 10000 /dev/zero | tr '\\0' x; echo; echo next")
	must(t, err)
	<-p.read
	lines := p.Lines()
	if len(lines) != 2 || len(lines[0]) != maxLine || lines[1] != "next" {
		t.Errorf("%d lines, the first of %d bytes; want %d bytes, then \"next\"", len(lines), len(lines[0]), maxLine)
	}
}
