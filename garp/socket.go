package garp

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// Sockets is the Sender of this host: one packet socket (packet(7)) for each
// interface, so that the full queue of one leaves the others alone. A socket is
// opened when the first frame is about to leave, and again after the interface was
// replaced; it receives nothing. Root or CAP_NET_RAW is needed.
//
// It is not safe for concurrent use, which an Announcer never makes.
type Sockets struct {
	control int // any socket, to look at interfaces with; -1 before the first use
	byName  map[string]*socket
	single  bool // the kernel has no sendmmsg: one system call a frame

	// Of the batch being sent; kept so that sending allocates nothing.
	messages [batchSize]unix.Mmsghdr
	vectors  [batchSize]unix.Iovec
}

// A socket is the way to one interface as it was when last looked at.
type socket struct {
	index int32
	fd    int
	// Destinations: the interface, and the frame's EtherType, which traffic
	// control filters by. Kernels before 5.0 do not read it from the frame.
	arp, ip unix.RawSockaddrLinklayer
}

// NewSockets returns a Sender that has not opened anything yet.
func NewSockets() *Sockets {
	return &Sockets{control: -1, byName: make(map[string]*socket)}
}

// Close closes all sockets.
func (s *Sockets) Close() error {
	var err error
	if s.control >= 0 {
		err = unix.Close(s.control)
		s.control = -1
	}
	for name := range s.byName {
		err = errors.Join(err, s.forget(name))
	}
	return err
}

// forget closes the socket of an interface, if there is one.
func (s *Sockets) forget(name string) error {
	x := s.byName[name]
	if x == nil {
		return nil
	}
	delete(s.byName, name)
	return unix.Close(x.fd)
}

// Link reads the interface's present link-layer address and opens a socket for
// it where there is none. Errors other than ErrNoARP wrap the kernel's: ENODEV
// if there is no such interface, ENETDOWN if it is down, EPERM.
func (s *Sockets) Link(name string) (LinkAddr, error) {
	if s.control < 0 {
		control, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return LinkAddr{}, fmt.Errorf("open a socket to look at interface %s: %w", name, err)
		}
		s.control = control
	}
	addr, index, err := lookAt(s.control, name)
	if err != nil {
		if errors.Is(err, unix.ENODEV) {
			err = errors.Join(err, s.forget(name))
		}
		return LinkAddr{}, err
	}
	x := s.byName[name]
	if x != nil && x.index == index {
		return addr, nil
	}
	if err := s.forget(name); err != nil {
		return LinkAddr{}, fmt.Errorf("close the packet socket on the interface that was %s: %w", name, err)
	}
	if x, err = open(index); err != nil {
		return LinkAddr{}, fmt.Errorf("open a packet socket on %s (needs root or CAP_NET_RAW): %w", name, err)
	}
	s.byName[name] = x
	return addr, nil
}

// open makes a socket that only sends: with protocol 0 the kernel queues
// nothing for it.
func open(index int32) (*socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: int(index)}); err != nil {
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return &socket{
		index: index, fd: fd,
		arp: destination(index, etherARP), ip: destination(index, etherIPv4),
	}, nil
}

// destination is the sockaddr_ll of packet(7). A raw socket takes the
// link-layer address from the frame.
func destination(index int32, etherType uint16) unix.RawSockaddrLinklayer {
	to := unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Ifindex: index}
	protocol := (*[2]byte)(unsafe.Pointer(&to.Protocol)) // big-endian on every machine
	protocol[0], protocol[1] = byte(etherType>>8), byte(etherType)
	return to
}

// Send hands frames to the interface with as few system calls as it can. After
// an error other than ErrBusy the interface must be looked at again.
func (s *Sockets) Send(name string, frames [][]byte) (int, error) {
	x := s.byName[name]
	if x == nil {
		return 0, fmt.Errorf("send on %s: %w", name, unix.ENODEV)
	}
	sent := 0
	for sent < len(frames) {
		n, err := s.sendSome(x, frames[sent:])
		sent += n
		switch {
		case err == nil, errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM):
			return sent, ErrBusy
		case errors.Is(err, unix.ENOSYS) && !s.single:
			s.single = true // before Linux 3.0
		default:
			return sent, errors.Join(fmt.Errorf("send on %s: %w", name, err), s.forget(name))
		}
	}
	return sent, nil
}

// sendSome sends as many of frames, of which there are some, as one system call
// takes. The kernel reports an error only where it refuses the first.
func (s *Sockets) sendSome(x *socket, frames [][]byte) (n int, err error) {
	frames = frames[:min(len(frames), batchSize)]
	if s.single {
		frames = frames[:1]
	}
	for i, frame := range frames {
		to := &x.arp
		if frame[12] == etherIPv4>>8 && frame[13] == etherIPv4&0xff {
			to = &x.ip
		}
		s.vectors[i].Base = &frame[0]
		s.vectors[i].SetLen(len(frame))
		message := &s.messages[i].Hdr
		message.Name = (*byte)(unsafe.Pointer(to))
		message.Namelen = unix.SizeofSockaddrLinklayer
		message.Iov = &s.vectors[i]
		message.SetIovlen(1)
	}
	var errno unix.Errno
	if s.single {
		_, _, errno = unix.Syscall(unix.SYS_SENDMSG, uintptr(x.fd), uintptr(unsafe.Pointer(&s.messages[0].Hdr)), unix.MSG_DONTWAIT)
		n = 1
	} else {
		var r uintptr
		r, _, errno = unix.Syscall6(unix.SYS_SENDMMSG, uintptr(x.fd), uintptr(unsafe.Pointer(&s.messages[0])), uintptr(len(frames)), unix.MSG_DONTWAIT, 0, 0)
		n = int(r)
	}
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}
