package daemonize

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// notifyTimeout is how long a supervisor that does not read may hold up a message.
const notifyTimeout = 2 * time.Second

// Notifier tells the supervisor how far the daemon is, by sd_notify(3) of systemd: datagrams of
// assignments to the unix socket that NOTIFY_SOCKET names. A nil Notifier, where there is no such
// supervisor, does nothing.
type Notifier struct {
	socket string
}

// NewNotifier reads NOTIFY_SOCKET and removes it from the environment, so that nothing that the daemon
// starts speaks in its name. It returns nil if the variable is not set.
func NewNotifier() *Notifier {
	socket := os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	return &Notifier{socket: socket}
}

// Ready says that the daemon is at work: after the start, and at the end of each reload.
func (n *Notifier) Ready() error { return n.send("READY=1") }

// Reloading says that a reload has begun. The supervisor tells it from others by its time.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("read the monotonic clock: %w", err)
	}
	return n.send("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10))
}

// Stopping says that the daemon is about to end.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// send sends one datagram. A name that begins with @ is in the abstract namespace.
func (n *Notifier) send(state string) error {
	if n == nil {
		return nil
	}
	err := n.try(state)
	if err != nil {
		return fmt.Errorf("notify the supervisor at NOTIFY_SOCKET=%s: %w", n.socket, err)
	}
	return nil
}

func (n *Notifier) try(state string) error {
	if n.socket[0] != '/' && n.socket[0] != '@' {
		return fmt.Errorf("neither a path nor an abstract name: %w", unix.EAFNOSUPPORT)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(notifyTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &timeout); err != nil {
		return err
	}
	for {
		err = unix.Sendto(fd, []byte(state), unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: n.socket})
		if err != unix.EINTR {
			return err
		}
	}
}
