package rtnl

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// An EventKind says what changed.
type EventKind uint8

// The kinds of event.
const (
	// Lost: changes were missed. List links and addresses again.
	Lost EventKind = iota
	// LinkNew: an interface appeared.
	LinkNew
	// LinkChanged: its name, link-layer address or one of its states is another.
	LinkChanged
	// LinkGone: it vanished, and its addresses with it.
	LinkGone
	// AddressNew: somebody added an IPv4 address, or changed one.
	AddressNew
	// AddressGone: somebody, or the kernel, removed one.
	AddressGone
)

// String returns the kind in words.
func (k EventKind) String() string {
	names := [...]string{"lost", "link new", "link changed", "link gone", "address new", "address gone"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("event %d", uint8(k))
}

// An Event is a change of an interface or an address that was not made by the
// Conn that the watcher belongs to.
type Event struct {
	Kind EventKind
	// Link is the interface as it is now, or last was; for all kinds but Lost as
	// far as it is known.
	Link Link
	// Was is the interface before a LinkChanged.
	Was Link
	// Address is the address of AddressNew and AddressGone.
	Address Assigned
}

// String returns the event on one line.
func (e Event) String() string {
	switch e.Kind {
	case LinkNew, LinkGone:
		return e.Kind.String() + " " + e.Link.String()
	case LinkChanged:
		return e.Kind.String() + " " + e.Was.String() + " -> " + e.Link.String()
	case AddressNew, AddressGone:
		return e.Kind.String() + " " + e.Address.String()
	}
	return e.Kind.String()
}

const (
	// watchBuffer is the size asked for as receive buffer: a thousand changes.
	watchBuffer = 1 << 20
	// watchQueue is how many events wait for a reader that is busy. More wait in
	// the socket, and when it is full, the next event is Lost.
	watchQueue = 64
)

// A Watcher reports changes of interfaces and IPv4 addresses.
type Watcher struct {
	conn   *netlink.Conn
	lister session
	events chan Event
	done   chan struct{}
	once   sync.Once
	reader sync.WaitGroup
	links  map[int]Link
}

// Watch starts to watch. Changes that c itself makes are left out: the kernel
// filters them away, so that taking over thousands of addresses wakes nobody.
func (c *Conn) Watch() (*Watcher, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR})
	if err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	lister, err := openSocket()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	_ = conn.SetReadBuffer(watchBuffer) // the default is smaller, and does
	if s, ok := c.session.transport.(*socket); ok {
		if err := leaveOut(conn, s.port); err != nil {
			conn.Close()
			lister.close()
			return nil, fmt.Errorf("watch interfaces: set filter: %w", err)
		}
	}
	w := &Watcher{
		conn:   conn,
		lister: session{transport: lister},
		events: make(chan Event, watchQueue),
		done:   make(chan struct{}),
	}
	w.seed()
	w.reader.Go(w.run)
	return w, nil
}

// leaveOut attaches a filter that drops notifications of what the socket with
// the given port id did (nlmsg_pid, at offset 12 of the header).
func leaveOut(conn *netlink.Conn, port uint32) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	filter := ownFilter(port)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	})
	return first(err, failed)
}

// ownFilter returns the program in classic BPF, which loads in network order
// what netlink has in the machine's.
func ownFilter(port uint32) []unix.SockFilter {
	b := order.AppendUint32(nil, port)
	return []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 12},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
}

// Events returns the channel of events. It is closed when the watcher ends:
// after Close, or when the socket fails.
func (w *Watcher) Events() <-chan Event { return w.events }

// Close ends the watcher and waits for its goroutine.
func (w *Watcher) Close() error {
	w.once.Do(func() { close(w.done) })
	err := w.conn.Close()
	w.reader.Wait()
	return err
}

func (w *Watcher) run() {
	defer close(w.events)
	defer w.lister.transport.close()
	for {
		messages, err := w.conn.Receive()
		if errors.Is(err, syscall.ENOBUFS) {
			w.seed()
			if !w.emit(Event{Kind: Lost}) {
				return
			}
			continue
		}
		if err != nil {
			w.conn.Close()
			return
		}
		for _, m := range messages {
			e, ok := w.event(uint16(m.Header.Type), m.Data)
			if ok && !w.emit(e) {
				return
			}
		}
	}
}

func (w *Watcher) emit(e Event) bool {
	select {
	case w.events <- e:
		return true
	case <-w.done:
		return false
	}
}

// seed learns the links that there are, so that a change can be told from news.
func (w *Watcher) seed() {
	w.links = make(map[int]Link)
	list, err := w.lister.links()
	if err != nil {
		return // each link is news then
	}
	for _, l := range list {
		w.links[l.Index] = l
	}
}

// event returns the event that a notification stands for. Notifications that
// change nothing of what a Link says are none, nor are malformed ones.
func (w *Watcher) event(kind uint16, body []byte) (e Event, ok bool) {
	switch kind {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		if len(body) == 0 || body[0] != unix.AF_UNSPEC || partial(body) || e.Link.parse(body) != nil {
			return e, false // AF_BRIDGE ones are about a bridge's port
		}
		was, known := w.links[e.Link.Index]
		if kind == unix.RTM_DELLINK {
			delete(w.links, e.Link.Index)
			e.Kind = LinkGone
			return e, true
		}
		if !known && len(w.links) >= maxLinks {
			return e, false
		}
		w.links[e.Link.Index] = e.Link
		if !known {
			e.Kind = LinkNew
			return e, true
		}
		e.Kind, e.Was = LinkChanged, was
		return e, !was.equal(e.Link)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		var a addressMessage
		if ok, err := a.parse(body); err != nil || !ok {
			return e, false
		}
		e.Kind = AddressNew
		if kind == unix.RTM_DELADDR {
			e.Kind = AddressGone
		}
		e.Link = w.links[int(a.key.Index)]
		e.Address = a.assigned(e.Link.Name)
		return e, true
	}
	return e, false
}

// partial reports whether the body is a wireless driver's event: it has the form
// of a link message and few of its attributes.
func partial(body []byte) bool {
	const wireless = 11 // IFLA_WIRELESS
	found := false
	if len(body) >= unix.SizeofIfInfomsg {
		_ = eachAttribute(body[unix.SizeofIfInfomsg:], func(kind uint16, _ []byte) error {
			found = found || kind == wireless
			return nil
		})
	}
	return found
}
