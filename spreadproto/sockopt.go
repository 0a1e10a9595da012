package spreadproto

import (
	"net"
	"syscall"
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

// tcpDialer returns a dialer for connections to the daemon of another host.
// TCP_NODELAY is Go's default.
func tcpDialer() net.Dialer {
	return net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{
			Enable:   true,
			Idle:     keepAliveIdle,
			Interval: keepAliveInterval,
			Count:    keepAliveProbes,
		},
		Control: func(network, address string, c syscall.RawConn) error {
			if err := raiseBuffers(network, address, c); err != nil {
				return err
			}
			var failed error
			err := c.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(tcpUserTimeout/time.Millisecond))
			})
			if err == nil && failed != nil {
				err = failed
			}
			return err
		},
	}
}

// raiseBuffers asks for a large receive buffer: beyond the limit of the system
// if we may, otherwise as much as it gives.
func raiseBuffers(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, receiveBuffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer)
		}
	})
}
