package rtnl

import (
	"syscall"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// A transport carries netlink datagrams. send returns when the kernel has worked
// the request off; receive never waits.
type transport interface {
	send(b []byte) error
	// receive returns EAGAIN when nothing is queued, ENOBUFS when something was
	// lost since the last call.
	receive(b []byte) (int, error)
	close() error
}

// receiveBuffer is what is asked for as socket receive buffer: 200 negative
// answers charge about 200 KiB, a default socket takes 208 KiB. The kernel uses
// the memory only as answers are queued.
const receiveBuffer = 1 << 20

// A socket is a netlink socket outside the runtime's poller: rtnetlink works a
// request off before sendto returns, so there is nothing to wait for.
type socket struct {
	fd   int
	port uint32
}

func openSocket() (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	s := &socket{fd: fd}
	if err := s.setup(); err != nil {
		s.close()
		return nil, fmt.Errorf("set up rtnetlink socket: %w", err)
	}
	return s, nil
}

func (s *socket) setup() error {
	// All four are improvements that old kernels or small privileges may refuse:
	// short negative answers (4.3), dumps of one interface only (4.20).
	_ = unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1)
	_ = unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)
	if unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	if err := unix.Bind(s.fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	name, err := syscall.Getsockname(s.fd)
	if err != nil {
		return err
	}
	if own, ok := name.(*syscall.SockaddrNetlink); ok {
		s.port = own.Pid
	}
	return nil
}

func (s *socket) send(b []byte) error {
	for {
		err := unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if err != unix.EINTR {
			return err
		}
	}
}

func (s *socket) receive(b []byte) (int, error) {
	for {
		n, from, err := syscall.Recvfrom(s.fd, b, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if sender, ok := from.(*syscall.SockaddrNetlink); ok && sender.Pid != 0 {
			continue // another process, not the kernel
		}
		return n, nil
	}
}

func (s *socket) close() error { return unix.Close(s.fd) }
