package spreadproto

import (
	"errors"
	"io"
	"slices"
	"syscall"

	"wackamole/internal/fmt"
)

// handshake opens the session. Each piece of ours is one write, as daemons
// read it with one read.
func (c *Conn) handshake() error {
	hello := Hello{
		Version:    libraryVersion,
		Membership: c.options.Membership,
		Priority:   c.options.Priority,
		User:       c.options.User,
	}
	// A daemon may refuse without reading what we say, and close or reset the
	// connection. Its reason is still there to be read, so that an error of a
	// write says less than what is read next.
	_, _ = c.nc.Write(hello.AppendBinary(nil))
	methods, err := c.readAuthList()
	if err != nil {
		return c.handshakeError(err)
	}
	if !slices.Contains(methods, MethodNULL) {
		return &AuthError{Daemon: c.daemon, Offered: methods}
	}
	_, _ = c.nc.Write(AuthChoice{MethodNULL}.AppendBinary(nil))
	accept, err := c.readAccept()
	if err != nil {
		return c.handshakeError(err)
	}
	if !accept.Version.Supported() {
		return fmt.Errorf("open a session with Spread daemon %s: it has version %v; use 3.1 or later", c.daemon, accept.Version)
	}
	c.private, c.version = accept.PrivateGroup, accept.Version
	return nil
}

func (c *Conn) readAuthList() ([]string, error) {
	first, err := c.r.ReadByte()
	if err != nil {
		return nil, err
	}
	length := int8(first)
	if length < 0 {
		return nil, &RejectError{Code: RejectCode(length)}
	}
	list := make([]byte, length)
	if _, err := io.ReadFull(c.r, list); err != nil {
		return nil, err
	}
	return UnmarshalAuthList(list)
}

func (c *Conn) readAccept() (Accept, error) {
	var a Accept
	b := make([]byte, 0, acceptSize+MaxGroupName)
	for {
		need, err := a.Unmarshal(b)
		if err != nil || need == len(b) {
			return a, err
		}
		have := len(b)
		b = b[:need]
		if _, err := io.ReadFull(c.r, b[have:]); err != nil {
			return a, err
		}
	}
}

// handshakeError completes an error of the handshake.
func (c *Conn) handshakeError(err error) error {
	var reject *RejectError
	switch {
	case errors.As(err, &reject):
		reject.User, reject.Daemon = c.options.User, c.daemon
		return reject
	case isEnd(err):
		return fmt.Errorf("open a session with Spread daemon %s: it closed the connection; check that a Spread daemon listens there: %w", c.daemon, err)
	}
	return fmt.Errorf("open a session with Spread daemon %s: %w", c.daemon, err)
}

// isEnd reports whether err is the end of the stream. A daemon that closes the
// socket with bytes of ours unread resets the connection, which means no more.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
