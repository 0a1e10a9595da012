package stream

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/context"
)

// Dial connects to an address until ctx ends. TCP connections have TCP_NODELAY.
// If setup is not nil, it sets more options of the socket before it connects. A
// unix listener whose queue is full is the error unix.EAGAIN.
func Dial(ctx context.Context, to Address, setup func(fd int) error) (*Conn, error) {
	c, err := dial(ctx, to, setup)
	if err != nil {
		return nil, failed("connect", to, err)
	}
	return c, nil
}

func dial(ctx context.Context, to Address, setup func(fd int) error) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sockaddr, err := to.sockaddr()
	if err != nil {
		return nil, err
	}
	fd, err := open(to, setup)
	if err != nil {
		return nil, err
	}
	err = syscall.Connect(fd, sockaddr)
	if err != nil && err != unix.EINPROGRESS && err != unix.EINTR { // after EINTR it goes on connecting
		_ = unix.Close(fd)
		return nil, err
	}
	c := newConn(fd, to)
	if err != nil {
		if err := c.connected(ctx, sockaddr); err != nil {
			_ = c.file.Close()
			return nil, err
		}
		if local, err := syscall.Getsockname(fd); err == nil {
			c.local = fromSockaddr(to.network, local)
		}
	}
	return c, nil
}

// open makes a socket for an address and sets its options.
func open(a Address, setup func(fd int) error) (fd int, err error) {
	if fd, err = a.socket(); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if a.network == "tcp" {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if setup != nil {
		err = setup(fd)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// connected waits for the end of connecting to an address.
func (c *Conn) connected(ctx context.Context, to syscall.Sockaddr) error {
	raw, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetWriteDeadline(time.Unix(1, 0)) })
	var result error
	err = raw.Write(func(fd uintptr) (done bool) {
		// To connect again tells how the first attempt ended, if it has.
		result = syscall.Connect(int(fd), to)
		return result != unix.EALREADY && result != unix.EINPROGRESS && result != unix.EINTR
	})
	switch {
	case !stop():
		return ctx.Err()
	case err != nil:
		return err
	case result == unix.EISCONN:
		return nil
	}
	return result
}
