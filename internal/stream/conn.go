package stream

import (
	"errors"
	"io/fs"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A Conn is a connection. Its methods may be called from several goroutines.
type Conn struct {
	socket
	local, remote Address
}

// socket is an open socket in the runtime's poller.
type socket struct {
	file   *os.File
	closed atomic.Bool
}

// Close closes the socket. Calls of the other methods that wait return.
func (s *socket) Close() error {
	s.closed.Store(true)
	return s.result(s.file.Close())
}

// SetDeadline limits whatever may wait; the zero time lifts the limit.
func (s *socket) SetDeadline(t time.Time) error { return s.result(s.file.SetDeadline(t)) }

// result is err, except that the use of a closed socket is always os.ErrClosed.
// Package os has several errors for it, not all exported.
func (s *socket) result(err error) error {
	if err == nil || !s.closed.Load() {
		return err
	}
	var e *fs.PathError
	if errors.As(err, &e) {
		return &fs.PathError{Op: e.Op, Path: e.Path, Err: os.ErrClosed}
	}
	return os.ErrClosed
}

var _ syscall.Conn = (*Conn)(nil)

// newConn takes over a connected socket that does not block.
func newConn(fd int, remote Address) *Conn {
	c := &Conn{remote: remote}
	c.file = os.NewFile(uintptr(fd), remote.String())
	if local, err := syscall.Getsockname(fd); err == nil {
		c.local = fromSockaddr(remote.network, local)
	}
	return c
}

// Close ends the connection. It does so even if another process has the socket
// too. Calls of the other methods that wait return.
func (c *Conn) Close() error {
	c.closed.Store(true)
	if raw, err := c.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	}
	return c.socket.Close()
}

// Read reads what has come, at least a byte. At the stream's end it returns io.EOF.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.file.Read(b)
	return n, c.result(err)
}

// Write writes all of b. The error of a connection that the other end has closed
// wraps unix.EPIPE or unix.ECONNRESET; there is no signal.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	return n, c.result(err)
}

// LocalAddr returns the address of this end.
func (c *Conn) LocalAddr() Address { return c.local }

// RemoteAddr returns the address of the other end.
func (c *Conn) RemoteAddr() Address { return c.remote }

// SetReadDeadline limits reads.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.result(c.file.SetReadDeadline(t)) }

// SetWriteDeadline limits writes.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.result(c.file.SetWriteDeadline(t)) }

// SyscallConn gives access to the socket, for its options.
func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.file.SyscallConn() }
