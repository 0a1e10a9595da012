package spreadproto

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// How a dead host is noticed: an idle connection is probed after keepAliveIdle
// and then every keepAliveInterval. With a user timeout set, Linux gives up
// after that time instead of counting probes. It also covers data that is not
// acknowledged or not taken, so it must be longer than the 12 s for which a
// 3.17 daemon reads nothing while its ring changes.
const (
	keepAliveIdle     = 5 * time.Second
	keepAliveInterval = 2 * time.Second
	keepAliveProbes   = 3
	tcpUserTimeout    = 15 * time.Second
)

// receiveBuffer is the socket buffer that is asked for. What fits there does
// not count to the 1000 messages after which a daemon drops a slow client.
const receiveBuffer = 512 << 10

// tcpOptions sets the options of a connection to the daemon of another host.
// TCP_NODELAY is set by package stream.
func tcpOptions(fd int) error {
	if err := raiseBuffers(fd); err != nil {
		return err
	}
	for _, o := range [...]struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAliveIdle / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveProbes},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(tcpUserTimeout / time.Millisecond)},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// raiseBuffers asks for a large receive buffer: beyond the limit of the system
// if we may, otherwise as much as it gives.
func raiseBuffers(fd int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
	}
	return nil
}
