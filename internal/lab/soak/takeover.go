package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"wackamole/internal/lab"
	"wackamole/rtnl"
	"wackamole/spreadproto/spreadd"
)

const (
	// heldAddresses is how many virtual interfaces change hands at a time.
	heldAddresses = 50
	// disturbEvery is after how many changes of hands something else happens to the daemon.
	disturbEvery = 10
	// mayGrow is the part by which anonymous memory may be larger at the end than after a tenth, and
	// mayGrowKiB what it may be larger in any case: the runtime gives memory back when it sees fit.
	mayGrow    = 0.20
	mayGrowKiB = 128
	// warm is how many take-overs it takes until memory has filled up to where it stays. A run of which a tenth
	// is less says nothing about memory.
	warm = 1000
	// handsTime bounds one change of hands.
	handsTime = 30 * time.Second
)

// A longRun is one daemon that lives through many take-overs, and a partner that comes and goes.
type longRun struct {
	lab       *lab.Lab
	server    *spreadd.Server
	node      *node
	kernel    *rtnl.Conn // in the node's namespace
	partnerAt string     // where the partner's Spread daemon is
	addresses []netip.Addr
	upset     int // how many disturbances there were
}

// takeOver drives one daemon through so many take-overs and sees whether it or its guard grows.
func takeOver(binary string, count int, out io.Writer) (err error) {
	l, err := newLongRun(binary)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			lines := l.node.process.Lines()
			for _, line := range lines[max(0, len(lines)-20):] {
				fmt.Fprintf(out, "  %s\n", line)
			}
		}
		err = errors.Join(err, l.close())
	}()
	cycles := max(20, (count+heldAddresses-1)/heldAddresses)
	begin := time.Now()
	var samples []sample
	for i := 1; i <= cycles; i++ {
		if err := l.cycle(i); err != nil {
			return fmt.Errorf("change of hands %d: %w", i, err)
		}
		if slices.Contains([]int{1, cycles / 10, cycles / 2, cycles}, i) {
			s, err := l.sample(i)
			if err != nil {
				return err
			}
			samples = append(samples, s)
		}
	}
	fmt.Fprintf(out, "%d take-overs, %d at a time, and %d disturbances, in %.0f s\n\n",
		cycles*heldAddresses, heldAddresses, l.upset, time.Since(begin).Seconds())
	printSamples(out, samples)
	if err := judgeGrowth(samples); err != nil {
		return err
	}
	return l.node.end(syscall.SIGTERM, "exit status 0")
}

func newLongRun(binary string) (*longRun, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, fmt.Errorf("find the program to run: %w", err)
	}
	inner, err := lab.New(lab.Options{Hosts: 1})
	if err != nil {
		return nil, err
	}
	l := &longRun{
		lab: inner, server: spreadd.New(spreadd.Options{Daemons: []string{"partner", daemonName(1)}}),
		partnerAt: lab.Directory + "/partner",
	}
	h := inner.Host(1)
	l.node = &node{number: 1, host: h, binary: binary, dir: lab.Directory + "/node1", door: newDoor(l.server, h)}
	if err := l.furnish(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *longRun) furnish() error {
	var list []vif
	for i := range heldAddresses {
		a := address{eth0, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, 101 + byte(i)}), 32)}
		list = append(list, vif{a})
		l.addresses = append(l.addresses, a.prefix.Addr())
	}
	listener, err := net.Listen("unix", l.partnerAt)
	if err != nil {
		return err
	}
	go l.server.Serve(spreadd.From(listener), "partner") // it ends with the server
	err = l.node.host.Namespace.Do(func() error {
		l.kernel, err = rtnl.Dial(rtnl.Options{})
		return err
	})
	for _, step := range []func() error{
		l.node.mount, func() error { return l.node.configure(list) }, l.node.door.open, l.node.start,
		func() error { return l.await(heldAddresses) },
	} {
		if err == nil {
			err = step()
		}
	}
	return err
}

func (l *longRun) close() error {
	if l.kernel != nil {
		l.kernel.Close()
	}
	err := l.lab.Close()
	l.server.Close()
	return err
}

// await waits until the node has so many virtual addresses.
func (l *longRun) await(count int) error {
	for deadline := time.Now().Add(handsTime); ; time.Sleep(time.Millisecond) {
		list, err := l.kernel.Addresses()
		if err != nil {
			return err
		}
		have := 0
		for _, a := range list {
			if a.Interface == "eth0" && a.Prefix.Addr() != lab.HostAddress(1) {
				have++
			}
		}
		if have == count {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d addresses after %v, not %d", have, handsTime, count)
		}
	}
}

// cycle has the partner come and go, and every now and then disturbs the daemon.
func (l *longRun) cycle(number int) error {
	p, err := newPartner(l.partnerAt, "wack1", l.addresses)
	if err != nil {
		return err
	}
	err = l.await(0)
	p.leave()
	if err == nil {
		err = l.await(heldAddresses)
	}
	if err == nil && number%disturbEvery == 0 {
		err = disturbances[l.upset%len(disturbances)](l)
		l.upset++
	}
	if err == nil {
		err = l.await(heldAddresses)
	}
	return err
}

// disturbances are what must not leak either.
var disturbances = []func(*longRun) error{
	func(l *longRun) error { // Spread goes away
		l.node.door.close()
		err := l.await(0)
		return errors.Join(err, l.node.door.open())
	},
	func(l *longRun) error { return l.node.process.Signal(syscall.SIGHUP) },
	func(l *longRun) error { // the cable is pulled
		err := l.lab.Switch.SetCarrier(1, false)
		return errors.Join(err, l.lab.Switch.SetCarrier(1, true))
	},
	func(l *longRun) error { // somebody removes an address
		return l.node.host.Namespace.DeleteAddress("eth0", netip.PrefixFrom(l.addresses[0], 32))
	},
	func(l *longRun) error { // the interface is replaced
		return errors.Join(l.node.host.Unplug(), l.node.host.Replug())
	},
	func(l *longRun) error { return errors.Join(l.node.tell("-f"), l.node.tell("-s")) },
}

// A sample is what daemon and guard take after some changes of hands.
type sample struct {
	takeOvers     int
	daemon, guard footprint
}

func (l *longRun) sample(cycles int) (s sample, err error) {
	s.takeOvers = cycles * heldAddresses
	time.Sleep(settleTime)
	if s.daemon, err = l.node.footprint(); err != nil {
		return s, err
	}
	guards, err := l.node.guards()
	if err == nil && len(guards) != 1 {
		err = fmt.Errorf("guards %v, not one", guards)
	}
	if err == nil {
		s.guard = guards[0].footprint()
	}
	return s, err
}

// settleTime is for announcements and sessions that end, before a sample.
const settleTime = time.Second

func printSamples(w io.Writer, samples []sample) {
	fmt.Fprintf(w, "%-34s%s\n", "after take-overs", footprintHeads)
	for _, s := range samples {
		fmt.Fprintf(w, "%-34s%v\n", fmt.Sprintf("%d, daemon", s.takeOvers), s.daemon)
	}
	for _, s := range samples {
		fmt.Fprintf(w, "%-34s%v\n", fmt.Sprintf("%d, guard", s.takeOvers), s.guard)
	}
}

// judgeGrowth compares the samples at the start, after a tenth and at the end.
func judgeGrowth(samples []sample) error {
	first, tenth, last := samples[0], samples[1], samples[len(samples)-1]
	var problems []string
	for _, x := range []struct {
		name               string
		first, tenth, last footprint
	}{{"daemon", first.daemon, tenth.daemon, last.daemon}, {"guard", first.guard, tenth.guard, last.guard}} {
		if x.last.descriptors > max(x.first.descriptors, x.tenth.descriptors) {
			problems = append(problems, fmt.Sprintf("the %s's descriptors grew to %d", x.name, x.last.descriptors))
		}
		if x.last.goroutines > max(x.first.goroutines, x.tenth.goroutines) {
			problems = append(problems, fmt.Sprintf("the %s's goroutines grew to %d", x.name, x.last.goroutines))
		}
		if limit := x.tenth.anonymous + max(mayGrowKiB, int(mayGrow*float64(x.tenth.anonymous))); tenth.takeOvers >= warm && x.last.anonymous > limit {
			problems = append(problems, fmt.Sprintf("the %s's anonymous memory grew to %d KiB, over %d", x.name, x.last.anonymous, limit))
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}
