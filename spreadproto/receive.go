package spreadproto

import (
	"errors"
	"io"
	"slices"

	"wackamole/internal/fmt"
)

// Receive waits for the next message and returns it. Messages of unknown kinds
// are skipped. After an error the session is over: the error wraps io.EOF if
// the daemon closed the connection (it ended, or it dropped this client because
// it had 1000 messages waiting; that may happen within a message, then it wraps
// io.ErrUnexpectedEOF), os.ErrClosed after Close, and [ErrMalformed] if the
// stream makes no sense.
func (c *Conn) Receive() (Message, error) {
	for {
		m, err := c.receive()
		if err != nil {
			if c.closed.Load() {
				return nil, c.closedError()
			}
			c.nc.Close()
			if isEnd(err) {
				return nil, fmt.Errorf("receive from Spread daemon %s: it closed the connection: %w", c.daemon, err)
			}
			return nil, fmt.Errorf("receive from Spread daemon %s: %w", c.daemon, err)
		}
		if m != nil {
			return m, nil
		}
	}
}

// receive reads one message, nil if it is of no known kind.
func (c *Conn) receive() (Message, error) {
	var fixed [HeaderSize]byte
	if _, err := io.ReadFull(c.r, fixed[:]); err != nil {
		return nil, err
	}
	var h Header
	if err := h.Unmarshal(fixed[:]); err != nil {
		return nil, err
	}
	if h.Names > MaxMembers {
		return nil, malformed("%d names (%d at most)", h.Names, MaxMembers)
	}
	m, err := c.receiveRest(&h)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return m, err
}

func (c *Conn) receiveRest(h *Header) (Message, error) {
	var request uint32
	if h.Kind() == KindRejected {
		var word [4]byte
		if _, err := io.ReadFull(c.r, word[:]); err != nil {
			return nil, err
		}
		request = h.Order.Uint32(word[:]) &^ markMask
	}
	var err error
	if c.scratch, err = c.read(c.scratch[:0], h.Names*NameSize); err != nil {
		return nil, err
	}
	names, err := UnmarshalNames(c.scratch)
	if err != nil {
		return nil, err
	}
	kind := h.Kind()
	if h.Length > h.bodyLimit() || kind == KindUnknown {
		if _, err := c.r.Discard(h.Length); err != nil {
			return nil, err
		}
		if kind == KindUnknown {
			return nil, nil
		}
		return h.oversized(names), nil
	}
	// Only regular data leaves this package as bytes; other bodies are decoded
	// from memory that serves again.
	if kind == KindRegular || kind == KindRejected {
		body, err := c.read(nil, h.Length)
		if err != nil {
			return nil, err
		}
		return h.decode(request, names, body, c.version.MembershipForm())
	}
	if c.scratch, err = c.read(c.scratch[:0], h.Length); err != nil {
		return nil, err
	}
	m, err := h.decode(request, names, c.scratch, c.version.MembershipForm())
	if cap(c.scratch) > maxFrame {
		c.scratch = nil
	}
	return m, err
}

// readStep bounds how much memory is prepared for bytes that have not come yet.
const readStep = 16 << 10

// read appends n bytes of the stream to buf. Memory grows with what arrives,
// not with what was announced.
func (c *Conn) read(buf []byte, n int) ([]byte, error) {
	for n > 0 {
		step := min(n, readStep)
		have := len(buf)
		buf = slices.Grow(buf, step)[:have+step]
		if _, err := io.ReadFull(c.r, buf[have:]); err != nil {
			return buf[:have], err
		}
		n -= step
	}
	return buf, nil
}
