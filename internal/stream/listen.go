package stream

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may wait to be accepted.
const backlog = 128

// A Listener accepts connections.
type Listener struct {
	socket
	at Address
}

// Listen waits for connections to an address, TCP or unix; port 0 stands for any
// free one. If setup is not nil, it sets options of the socket before it is
// bound. Close leaves the file of a unix socket alone.
func Listen(at Address, setup func(fd int) error) (*Listener, error) {
	l, err := listen(at, setup)
	if err != nil {
		return nil, failed("listen", at, err)
	}
	return l, nil
}

func listen(at Address, setup func(fd int) error) (*Listener, error) {
	sockaddr, err := at.sockaddr()
	if err != nil {
		return nil, err
	}
	fd, err := open(at, setup)
	if err != nil {
		return nil, err
	}
	if at.network == "tcp" {
		// Else a restarted listener finds its port in use by what its predecessor closed.
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = os.NewSyscallError("bind", syscall.Bind(fd, sockaddr))
	}
	if err == nil {
		err = os.NewSyscallError("listen", unix.Listen(fd, backlog))
	}
	if err == nil {
		sockaddr, err = syscall.Getsockname(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	l := &Listener{at: fromSockaddr(at.network, sockaddr)}
	l.file = os.NewFile(uintptr(fd), l.at.String())
	return l, nil
}

// Accept waits for a connection. After Close the error wraps os.ErrClosed.
func (l *Listener) Accept() (*Conn, error) {
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil, failed("accept", l.at, l.result(err))
	}
	var fd int
	var from syscall.Sockaddr
	var failure error
	err = raw.Read(func(listener uintptr) (done bool) {
		for {
			fd, from, failure = syscall.Accept4(int(listener), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			switch failure {
			case unix.EINTR, unix.ECONNABORTED: // the client has gone again
				continue
			case unix.EAGAIN:
				return false
			}
			return true
		}
	})
	if err == nil {
		err = failure
	}
	if err != nil {
		return nil, failed("accept", l.at, l.result(err))
	}
	if l.at.network == "tcp" {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	return newConn(fd, fromSockaddr(l.at.network, from)), nil
}

// Addr returns the address, with the port that was found.
func (l *Listener) Addr() Address { return l.at }
