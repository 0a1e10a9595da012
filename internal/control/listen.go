package control

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"wackamole/internal/rundir"
)

// ErrInUse is the error of Listen when another daemon answers on the socket.
var ErrInUse = errors.New("another daemon answers there")

// Listen opens the control socket at path: directories that are missing are made, what a dead daemon
// left there is unlinked, and the socket has mode 0600 from its first moment, whatever the umask. Only
// a socket is ever unlinked, and only one on which nobody answers (else the error is ErrInUse). Close
// unlinks the socket, if it is still the same one.
func Listen(path string) (*Listener, error) {
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	return l, nil
}

func listen(path string) (*Listener, error) {
	if limit := len(unix.RawSockaddrUnix{}.Path) - 1; len(path) > limit {
		return nil, fmt.Errorf("the name has %d bytes, a unix socket's may have %d: choose a shorter one for Control", len(path), limit)
	}
	if err := rundir.MakeFor(path); err != nil {
		return nil, err
	}
	if err := clearWay(path); err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close() // net.FileListener has its own copy
	// Linux gives the name the mode that the socket has when it is bound, less the umask: there is no
	// moment in which others could connect, and the umask, which all threads share, stays as it is.
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return nil, os.NewSyscallError("fchmod", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	var stat unix.Stat_t
	err = unix.Lstat(path, &stat)
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	var inner net.Listener
	if err == nil {
		inner, err = net.FileListener(file)
	}
	if err != nil {
		_ = os.Remove(path)
		return nil, err
	}
	return &Listener{Listener: inner, path: path, stat: stat}, nil
}

// clearWay unlinks the socket of a dead daemon.
func clearWay(path string) error {
	info, err := os.Lstat(path)
	switch {
	case os.IsNotExist(err):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != os.ModeSocket:
		return errors.New("something that is not a socket has this name: remove it, or choose another name for Control")
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return ErrInUse
	}
	if errors.Is(err, unix.EAGAIN) {
		return ErrInUse // it is alive, so many wait for it
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// Listener is an open control socket.
type Listener struct {
	net.Listener
	path string
	stat unix.Stat_t
}

// Close closes the socket and unlinks its name, unless a successor has it already.
func (l *Listener) Close() error {
	var now unix.Stat_t
	if unix.Lstat(l.path, &now) == nil && now.Dev == l.stat.Dev && now.Ino == l.stat.Ino {
		_ = os.Remove(l.path)
	}
	return l.Listener.Close()
}
