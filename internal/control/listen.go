package control

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/rundir"
	"wackamole/internal/stream"
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
	// Linux gives the name the mode that the socket has when it is bound, less the umask: there is no
	// moment in which others could connect, and the umask, which all threads share, stays as it is.
	inner, err := stream.Listen(stream.Unix(path), func(fd int) error {
		return os.NewSyscallError("fchmod", unix.Fchmod(fd, 0o600))
	})
	if err != nil {
		return nil, cause(err)
	}
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		_ = inner.Close()
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
	conn, err := stream.Dial(context.Background(), stream.Unix(path), nil)
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
	*stream.Listener
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
