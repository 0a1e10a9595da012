package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/lab/vnet"
)

// An addressEvent is an IPv4 address that came or went.
type addressEvent struct {
	at   time.Duration // when this process heard of it
	addr netip.Addr
	gone bool
}

// An addressListener hears of the IPv4 addresses of a namespace. So as not to disturb what is measured, a filter
// in the kernel lets only those through that were asked for: it wakes up for the first address and for the last.
// Its times are later than the kernel's deed by what waking up takes.
type addressListener struct {
	fd      int
	done    chan struct{}
	mu      sync.Mutex
	changed sync.Cond
	events  []addressEvent
	lost    bool
	closed  bool
}

func listenAddresses(n *vnet.Namespace) (*addressListener, error) {
	l := &addressListener{fd: -1, done: make(chan struct{})}
	l.changed.L = &l.mu
	err := n.Do(func() error {
		var err error
		l.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // as much as is to be had
		pause := unix.NsecToTimeval(int64(100 * time.Millisecond))
		if err := unix.SetsockoptTimeval(l.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &pause); err != nil {
			return err
		}
		return unix.Bind(l.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_IPV4_IFADDR})
	})
	if err != nil {
		if l.fd >= 0 {
			unix.Close(l.fd)
		}
		return nil, fmt.Errorf("listen for changes of addresses: %w", err)
	}
	go l.run()
	return l, nil
}

// close ends the listener; it takes up to the time of one pause.
func (l *addressListener) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	<-l.done
	unix.Close(l.fd)
}

// Offsets in a message about an address: struct nlmsghdr, struct ifaddrmsg, then the attributes, of which the
// kernel puts IFA_ADDRESS first.
const (
	offsetType    = 4
	offsetAddress = unix.SizeofNlMsghdr + unix.SizeofIfAddrmsg + unix.SizeofRtAttr
)

// watch forgets what was heard and from now on listens for these addresses only, for all where there are none.
func (l *addressListener) watch(only ...netip.Addr) error {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offsetAddress}}
	for i, a := range only {
		four := a.As4()
		filter = append(filter, unix.SockFilter{
			Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K,
			K:    binary.BigEndian.Uint32(four[:]), Jt: uint8(len(only) - i),
		})
	}
	if len(only) > 0 {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(l.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return fmt.Errorf("filter changes of addresses: %w", err)
	}
	l.mu.Lock()
	l.events, l.lost = nil, false
	l.mu.Unlock()
	return nil
}

func (l *addressListener) run() {
	runtime.LockOSThread() // one hop less from the kernel to here
	defer close(l.done)
	buffer := make([]byte, 8<<10)
	for {
		n, _, err := unix.Recvfrom(l.fd, buffer, 0)
		at := now()
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return
		}
		if err == unix.ENOBUFS {
			l.lost = true
		}
		if e, ok := parseAddressEvent(buffer[:max(n, 0)]); ok {
			e.at = at
			l.events = append(l.events, e)
		}
		l.changed.Broadcast()
		l.mu.Unlock()
	}
}

func parseAddressEvent(b []byte) (e addressEvent, ok bool) {
	if len(b) < offsetAddress+4 {
		return e, false
	}
	e.addr = netip.AddrFrom4([4]byte(b[offsetAddress:]))
	kind := binary.NativeEndian.Uint16(b[offsetType:])
	e.gone = kind == unix.RTM_DELADDR
	return e, e.gone || kind == unix.RTM_NEWADDR
}

var errTooLong = errors.New("nothing more happened for too long")

// wait waits until done says so of what has been heard since watch, and returns that.
func (l *addressListener) wait(limit time.Duration, done func([]addressEvent) bool) ([]addressEvent, error) {
	end := now() + limit
	l.mu.Lock()
	defer l.mu.Unlock()
	for !done(l.events) {
		if l.lost {
			return l.events, errors.New("changes of addresses were lost")
		}
		if now() > end {
			return l.events, errTooLong
		}
		l.changed.Wait() // the reader wakes up now and then
	}
	return append([]addressEvent(nil), l.events...), nil
}

// find returns the first event of an address.
func find(list []addressEvent, addr netip.Addr, gone bool) (time.Duration, bool) {
	for _, e := range list {
		if e.addr == addr && e.gone == gone {
			return e.at, true
		}
	}
	return 0, false
}
