package spreadproto

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/hosts"
	"wackamole/internal/stream"
)

// Options of a session. The zero value is usable.
type Options struct {
	// User is the private name to ask for, unique on the daemon. It is cut to
	// 10 bytes. If it is empty, the daemon invents one.
	User string
	// Membership asks for [Membership], [Transition] and [SelfLeave] messages.
	Membership bool
	// Priority asks for priority, which daemons accept and ignore.
	Priority bool
	// MaxMessage bounds messages that are sent, as DefaultMaxMessage does,
	// which 0 stands for. Only daemons built with raised limits take more.
	MaxMessage int
	// WriteTimeout bounds how long a request may take. A daemon stops reading
	// for seconds while its ring changes (12 s were seen with 3.17). A request
	// that takes longer ends the session. 0 stands for 30 s.
	WriteTimeout time.Duration
	// ConnectTimeout bounds connecting and the handshake, in addition to the
	// context. 0 stands for 10 s.
	ConnectTimeout time.Duration
	// Order is the byte order in which the payload has its numbers; headers are
	// written in it too. The default is that of this machine.
	Order Order
	// SocketDirs replaces the directories that are searched for the unix socket
	// of a port: /run/spread and /tmp.
	SocketDirs []string
	// Logf, if set, is told about oddities, one line each.
	Logf func(format string, args ...any)
}

const (
	defaultWriteTimeout   = 30 * time.Second
	defaultConnectTimeout = 10 * time.Second
	// closeTimeout bounds how long Close waits for a blocked writer, and for
	// the daemon to take the last message.
	closeTimeout = 100 * time.Millisecond
	// readBuffer is the size of the buffer in front of the socket.
	readBuffer = 8 << 10
)

// libraryVersion is the version that we claim. Any from 3.16.0 on is served by
// all daemons, and none changes what they send.
var libraryVersion = Version{Major: 4, Minor: 4}

func (o Options) withDefaults() Options {
	if o.MaxMessage == 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = defaultWriteTimeout
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = defaultConnectTimeout
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	if len(o.User) > MaxPrivateName {
		o.Logf("Spread user name %q is cut to %q, since %d characters are all that Spread takes", o.User, o.User[:MaxPrivateName], MaxPrivateName)
		o.User = o.User[:MaxPrivateName]
	}
	return o
}

// A Transport is a connection to a daemon; a net.Conn is one.
type Transport interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// A Conn is a session with a Spread daemon. One goroutine may call Receive
// while others call the other methods.
type Conn struct {
	options Options
	daemon  string // where the daemon is, for errors
	private string
	version Version
	nc      Transport

	// Of the receiving goroutine.
	r       *bufio.Reader
	scratch []byte

	// Writers hold writing from the first byte of a message to the last.
	writing  sync.Mutex
	frame    []byte
	writeErr error // why nothing can be written any more

	// deadline guards that no writer extends the deadline that Close set.
	deadline sync.Mutex
	closed   atomic.Bool
	closeErr error
	once     sync.Once
}

// Dial opens a session with the daemon that name tells, as ParseAddress takes
// it. Errors to test for are [ErrNotUnique], [*RejectError] and [*AuthError]; one
// from a daemon that closed the connection wraps what Receive's would. A missing
// daemon is the kernel's error (unix.ECONNREFUSED) or fs.ErrNotExist, and the error
// of a host without address wraps hosts.ErrNotFound.
func Dial(ctx context.Context, name string, o Options) (*Conn, error) {
	a, err := ParseAddress(name)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if err := CheckPrivateName(o.User); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	nc, err := dialAddress(ctx, a, o)
	if err != nil {
		return nil, err
	}
	return NewConn(ctx, nc, a.String(), o)
}

func dialAddress(ctx context.Context, a Address, o Options) (Transport, error) {
	if !a.Remote() {
		return newSocketFinder(o.SocketDirs).dial(ctx, a)
	}
	addresses, err := hosts.Lookup(ctx, a.Host)
	var failures []error
	for _, ip := range addresses {
		nc, err := stream.Dial(ctx, stream.TCP(netip.AddrPortFrom(ip, a.Port)), tcpOptions)
		if err == nil {
			return nc, nil
		}
		failures = append(failures, err)
	}
	if err == nil {
		err = errors.Join(failures...)
	}
	return nil, fmt.Errorf("reach Spread daemon %v: %w", a, err)
}

// NewConn opens a session over a connection that is there already. The name of
// the daemon is for errors. If NewConn fails, it closes the connection.
func NewConn(ctx context.Context, nc Transport, daemon string, o Options) (*Conn, error) {
	o = o.withDefaults()
	c := &Conn{options: o, daemon: daemon, nc: nc, r: bufio.NewReaderSize(nc, readBuffer)}
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	err := CheckPrivateName(o.User)
	if err == nil {
		err = c.handshake()
	}
	if !stop() && ctx.Err() != nil {
		err = fmt.Errorf("open a session with Spread daemon %s: no answer: %w", daemon, ctx.Err())
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// PrivateGroup returns the name of the session's private group, such as
// "#wack1234#node1": its identity in messages of every kind.
func (c *Conn) PrivateGroup() string { return c.private }

// DaemonVersion returns the version of the daemon.
func (c *Conn) DaemonVersion() Version { return c.version }

// Close ends the session: the daemon is told, so that it frees the name at
// once, unless it does not take that within a fraction of a second. A blocked
// Receive returns an error that wraps os.ErrClosed. Close may be called more
// than once.
func (c *Conn) Close() error {
	c.once.Do(func() {
		c.deadline.Lock()
		c.closed.Store(true)
		c.nc.SetWriteDeadline(time.Now().Add(closeTimeout))
		c.deadline.Unlock()

		c.writing.Lock()
		if c.writeErr == nil {
			// Errors don't matter: the end of the stream says the same.
			_, _ = c.nc.Write(c.request(TypeKill, c.private))
			c.writeErr = c.closedError()
		}
		c.writing.Unlock()
		c.closeErr = c.nc.Close()
	})
	if errors.Is(c.closeErr, os.ErrClosed) {
		return nil
	}
	return c.closeErr
}

// SyscallConn gives access to the socket of the session, for another process to
// share. The error is errors.ErrUnsupported where the transport has none.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.nc.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

func (c *Conn) closedError() error {
	return fmt.Errorf("session with Spread daemon %s: %w", c.daemon, os.ErrClosed)
}
