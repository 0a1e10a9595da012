package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"time"

	"wackamole/internal/lab/vnet"
)

// A wire is a host under test and another host that hears it, connected by one or more cables:
//
//	host under test (subject)      other host (observer)
//	 bench0 10.91.0.1/24 --------- far0 10.91.0.2/24    a packet ring hears all ARP, with kernel time stamps
//	 bench1 ---------------------- far1
//	  a socket hears of addresses
//
// The observer sleeps while something is measured, but for the first and the last address (see addressListener).
type wire struct {
	subject, observer *vnet.Namespace
	links             []string // of the subject
	ring              *ring
	events            *addressListener
}

var (
	subjectAddress  = netip.MustParsePrefix("10.91.0.1/24")
	observerAddress = netip.MustParsePrefix("10.91.0.2/24")
)

// newWire makes the two hosts and so many cables.
func newWire(cables int) (w *wire, err error) {
	w = &wire{}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	for _, n := range []**vnet.Namespace{&w.subject, &w.observer} {
		if *n, err = vnet.NewNamespace(); err != nil {
			return nil, err
		}
		// Without IPv6 the kernel does not talk by itself.
		err = (*n).Sysctl("net/ipv6/conf/default/disable_ipv6", "1")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for i := range cables {
		near, far := fmt.Sprintf("bench%d", i), fmt.Sprintf("far%d", i)
		if err = w.subject.Veth(near, w.observer, far); err == nil {
			err = errors.Join(w.subject.SetUp(near), w.observer.SetUp(far))
		}
		if err != nil {
			return nil, err
		}
		w.links = append(w.links, near)
	}
	err = errors.Join(w.subject.AddAddress("bench0", subjectAddress), w.observer.AddAddress("far0", observerAddress))
	if err != nil {
		return nil, err
	}
	if w.ring, err = openRing(w.observer); err != nil {
		return nil, err
	}
	if w.events, err = listenAddresses(w.subject); err != nil {
		return nil, err
	}
	return w, w.running()
}

// running waits until frames get through: the kernel swallows them until it has dealt with the news of a
// carrier, which no flag of the interface tells.
func (w *wire) running() error {
	for _, name := range w.links {
		link, err := w.subject.Interface(name)
		if err != nil {
			return err
		}
		p, err := newPusher(w.subject, link, []netip.Addr{subjectAddress.Addr()})
		if err != nil {
			return err
		}
		defer p.close()
		w.ring.drain()
		for end := now() + 5*time.Second; ; time.Sleep(5 * time.Millisecond) {
			if err := p.push(); err != nil {
				return err
			}
			if len(w.ring.drain()) > 0 {
				break
			}
			if now() > end {
				return fmt.Errorf("nothing gets through from %s", name)
			}
		}
	}
	return nil
}

func (w *wire) close() {
	if w.events != nil {
		w.events.close()
	}
	if w.ring != nil {
		w.ring.close()
	}
	for _, n := range []*vnet.Namespace{w.subject, w.observer} {
		if n != nil {
			n.Close()
		}
	}
}

// present counts the virtual addresses on the subject.
func (w *wire) present() (count int, err error) {
	err = w.subject.Do(func() error {
		list, err := net.InterfaceAddrs()
		for _, a := range list {
			if p, err := netip.ParsePrefix(a.String()); err == nil && virtualBlock.Contains(p.Addr()) {
				count++
			}
		}
		return err
	})
	return count, err
}

// virtualBlock is where all virtual addresses are.
var virtualBlock = netip.MustParsePrefix("10.90.0.0/16")

// A virtual is a virtual address and the interface that it belongs on.
type virtual struct {
	addr netip.Addr
	link string
}

// virtuals shares out so many virtual addresses among the interfaces: the first of them to the first, and so on.
func virtuals(count int, links []string) []virtual {
	list := make([]virtual, count)
	for i := range list {
		n := i + 1
		list[i] = virtual{
			netip.AddrFrom4([4]byte{10, 90, byte(n >> 8), byte(n)}),
			links[i*len(links)/count],
		}
	}
	return list
}
