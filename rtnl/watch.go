package rtnl

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
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
	// watchReceive is the longest datagram of changes that is read whole; the
	// kernel's are shorter than 2 KiB. A longer one counts as lost.
	watchReceive = 16 << 10
	// watchQueue is how many events wait for a reader that is busy. More wait in
	// the socket, and when it is full, the next event is Lost.
	watchQueue = 64
)

// maxDrain bounds how much is thrown away at once; more than fits the buffer.
const maxDrain = 1 << 16

// A Watcher reports changes of interfaces and IPv4 addresses.
type Watcher struct {
	conn   *os.File // in the runtime's poller
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
	var own uint32
	if s, ok := c.session.transport.(*socket); ok {
		own = s.port
	}
	conn, err := openWatch(own)
	if err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	lister, err := openSocket()
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("watch interfaces: %w", err)
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

// openWatch opens a socket that hears of changes, except for those that the
// socket with port id own makes, if that is not 0.
func openWatch(own uint32) (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, watchBuffer) // the default is smaller, and does
	if own != 0 {
		filter := ownFilter(own)
		program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR})
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up rtnetlink socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "rtnetlink"), nil
}

// ownFilter returns a program in classic BPF that drops notifications of what
// the socket with the given port id did (nlmsg_pid, at offset 12 of the header).
// BPF loads in network order what netlink has in the machine's.
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
	if errors.Is(err, os.ErrClosed) {
		return nil // by the goroutine, as the socket had failed
	}
	return err
}

func (w *Watcher) run() {
	defer close(w.events)
	defer w.lister.transport.close()
	defer w.conn.Close()
	buffer := make([]byte, watchReceive)
	for {
		b, err := w.receive(buffer)
		if err == unix.ENOBUFS {
			w.drain(buffer)
			w.seed()
			if !w.emit(Event{Kind: Lost}) {
				return
			}
			continue
		}
		if err != nil {
			return
		}
		for len(b) > 0 {
			var m message
			if m, b, err = next(b); err != nil {
				break
			}
			if e, ok := w.event(m.kind, m.body); ok && !w.emit(e) {
				return
			}
		}
	}
}

// receive waits for a datagram of the kernel's. The error is ENOBUFS where one
// was lost, or was too long.
func (w *Watcher) receive(buffer []byte) (b []byte, err error) {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) (done bool) {
		for {
			n, _, flags, from, err := syscall.Recvmsg(int(fd), buffer, nil, 0)
			sender, ok := from.(*syscall.SockaddrNetlink)
			switch {
			case err == unix.EAGAIN:
				return false
			case err == unix.EINTR, err == nil && ok && sender.Pid != 0:
				continue // another process, not the kernel
			case err == nil && flags&unix.MSG_TRUNC != 0:
				err = unix.ENOBUFS
			}
			b, failed = buffer[:max(n, 0)], err
			return true
		}
	})
	return b, first(err, failed)
}

// drain throws away what is queued. Until its queue is empty, a socket that has
// overflowed loses further changes without saying so again: only then is the
// listing that follows a Lost complete.
func (w *Watcher) drain(buffer []byte) {
	raw, err := w.conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		for range maxDrain {
			_, _, err := syscall.Recvfrom(int(fd), buffer, unix.MSG_DONTWAIT)
			if err == unix.EAGAIN {
				return
			}
		}
	})
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
