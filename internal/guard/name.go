package guard

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// errForeign: somebody else's process has the name.
var errForeign = errors.New("another user's process has the name")

// A name is an abstract unix socket (unix(7)) that a guard has inherited and
// keeps as long as it exists.
type name string

func nameOf(group string) name {
	// 107 bytes is what fits beside the NUL.
	s := "@wackamole-guard/" + group
	return name(s[:min(len(s), 107)])
}

// claim binds the name and returns the socket, once no earlier guard has it any
// more, but waits no longer than patience for that. waiting is called if it has
// to wait. errForeign says that the name is not to be had and no guard's: any
// user can take an abstract name.
func (n name) claim(patience time.Duration, waiting func()) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket for the guard's name: %w", err)
	}
	address := &unix.SockaddrUnix{Name: string(n)}
	who := unknown
	for end := monotonic() + patience; ; time.Sleep(20 * time.Millisecond) {
		if err = unix.Bind(fd, address); err == nil {
			// It listens so that others can see whose it is.
			err = unix.Listen(fd, 8)
		}
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
		if who == unknown {
			if who = n.owner(); who == own && waiting != nil {
				waiting()
			}
		}
		late := monotonic() >= end
		if who == foreign || who == unknown && late {
			err = errForeign
			break
		}
		if late {
			err = fmt.Errorf("%w: another wackamole of this group runs here, or its guard cannot release its addresses", err)
			break
		}
	}
	unix.Close(fd)
	return -1, fmt.Errorf("claim the guard's name %s: %w", string(n), err)
}

// Whose a name is.
const (
	unknown = iota
	own     // a process of the same user, most likely a guard
	foreign // another user's
)

func (n name) owner() int {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return unknown
	}
	defer unix.Close(fd)
	if unix.Connect(fd, &unix.SockaddrUnix{Name: string(n)}) != nil {
		return unknown // just gone, not listening yet, or somebody fills its queue
	}
	peer, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	switch {
	case err != nil:
		return unknown
	case int(peer.Uid) != os.Geteuid():
		return foreign
	}
	return own
}
