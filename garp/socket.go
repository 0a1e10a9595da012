package garp

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"unsafe"

	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// Sockets is the Sender of this host: one packet socket (packet(7)) for each
// interface, opened when the first frame leaves and again after the interface was
// replaced. It is not safe for concurrent use, which an Announcer never makes.
type Sockets struct {
	byName map[string]*socket
}

type socket struct {
	conn  *packet.Conn
	index int
	batch sendBatch
}

// NewSockets returns a Sender that has not opened anything yet.
func NewSockets() *Sockets { return &Sockets{byName: make(map[string]*socket)} }

// Close closes all sockets.
func (s *Sockets) Close() error {
	var first error
	for name, x := range s.byName {
		if err := x.conn.Close(); first == nil {
			first = err
		}
		delete(s.byName, name)
	}
	return first
}

// Link reads the interface's present link-layer address and opens a socket for it
// where there is none.
func (s *Sockets) Link(name string) (LinkAddr, error) {
	i, err := net.InterfaceByName(name)
	switch {
	case err != nil:
		s.forget(name)
		return LinkAddr{}, fmt.Errorf("look up interface %s: %w", name, err)
	case i.Flags&(net.FlagLoopback|net.FlagPointToPoint) != 0 || len(i.HardwareAddr) != len(LinkAddr{}):
		return LinkAddr{}, ErrNoARP
	case i.Flags&net.FlagUp == 0:
		return LinkAddr{}, fmt.Errorf("interface %s: %w", name, unix.ENETDOWN)
	}
	if x := s.byName[name]; x == nil || x.index != i.Index {
		s.forget(name)
		// Protocol 0: the socket only sends, the kernel queues nothing for it.
		conn, err := packet.Listen(i, packet.Raw, 0, nil)
		if err != nil {
			return LinkAddr{}, fmt.Errorf("open a packet socket on %s (needs root or CAP_NET_RAW): %w", name, err)
		}
		s.byName[name] = &socket{conn: conn, index: i.Index}
	}
	return LinkAddr(i.HardwareAddr), nil
}

func (s *Sockets) forget(name string) {
	if x := s.byName[name]; x != nil {
		x.conn.Close()
		delete(s.byName, name)
	}
}

// Send hands frames to the interface with as few system calls as it can.
func (s *Sockets) Send(name string, frames [][]byte) (int, error) {
	x := s.byName[name]
	if x == nil {
		return 0, fmt.Errorf("send on %s: %w", name, unix.ENODEV)
	}
	raw, err := x.conn.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("send on %s: %w", name, err)
	}
	sent := 0
	var failed error
	err = raw.Control(func(fd uintptr) { sent, failed = x.batch.send(fd, frames) })
	if err == nil {
		err = failed
	}
	switch {
	case err == nil:
		return sent, nil
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM):
		return sent, ErrBusy
	}
	s.forget(name)
	return sent, fmt.Errorf("send on %s: %w", name, err)
}

// sendBatch is the memory of sendmmsg(2) calls.
type sendBatch struct {
	messages []multiMessage
	vectors  []unix.Iovec
}

// multiMessage is struct mmsghdr: a message and how much of it was sent.
type multiMessage struct {
	header unix.Msghdr
	sent   uint32
}

// send sends frames until one is refused. The kernel reports an error only where
// it refuses the first of a call.
func (b *sendBatch) send(fd uintptr, frames [][]byte) (sent int, err error) {
	for sent < len(frames) {
		n := b.fill(frames[sent:])
		done, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&b.messages[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
		runtime.KeepAlive(frames)
		switch {
		case errno == unix.EINTR:
		case errno == unix.ENOSYS:
			return sendEach(int(fd), frames, sent)
		case errno != 0:
			return sent, errno
		default:
			sent += int(done)
		}
	}
	return sent, nil
}

// fill prepares as many frames as one call takes.
func (b *sendBatch) fill(frames [][]byte) int {
	n := min(len(frames), batchSize)
	if len(b.messages) < n {
		b.messages, b.vectors = make([]multiMessage, n), make([]unix.Iovec, n)
	}
	for i, f := range frames[:n] {
		b.vectors[i].Base = &f[0]
		b.vectors[i].SetLen(len(f))
		b.messages[i].header.Iov = &b.vectors[i]
		b.messages[i].header.SetIovlen(1)
	}
	return n
}

// sendEach is for kernels before 3.0, which have no sendmmsg.
func sendEach(fd int, frames [][]byte, sent int) (int, error) {
	for _, f := range frames[sent:] {
		if _, err := unix.SendmsgN(fd, f, nil, nil, unix.MSG_DONTWAIT); err != nil {
			return sent, err
		}
		sent++
	}
	return sent, nil
}
