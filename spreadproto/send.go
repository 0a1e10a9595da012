package spreadproto

import (
	"errors"
	"time"

	"wackamole/internal/fmt"
)

// ErrTooLong is the error of a message that the daemon would not survive.
var ErrTooLong = errors.New("message is too long for Spread")

// maxFrame is the largest frame buffer that is kept for the next message.
const maxFrame = 16 << 10

// Join asks to join a group. Success shows as a [Membership] message, from a
// daemon that has just started after several seconds. To join a group again
// has no effect.
func (c *Conn) Join(group string) error { return c.requestGroup("join", TypeJoin, group) }

// Leave asks to leave a group, which [SelfLeave] confirms. To leave a group
// that the session is not in has no effect.
func (c *Conn) Leave(group string) error { return c.requestGroup("leave", TypeLeave, group) }

func (c *Conn) requestGroup(verb string, request uint32, group string) error {
	if err := CheckGroupName(group); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.write(c.request(request, group), nil); err != nil {
		return fmt.Errorf("%s group %q: %w", verb, group, err)
	}
	return nil
}

// request returns the message of a request about one group, in the frame buffer.
// The caller holds c.writing.
func (c *Conn) request(request uint32, group string) []byte {
	return c.appendHead(request, 0, 0, group)
}

func (c *Conn) appendHead(typeWord uint32, messageType int16, length int, groups ...string) []byte {
	h := Header{
		Order:  c.options.Order,
		Type:   typeWord,
		Name:   c.private,
		Names:  len(groups),
		Hint:   NewHint(messageType, c.options.Order),
		Length: length,
	}
	c.frame = AppendNames(h.AppendBinary(c.frame[:0]), groups)
	return c.frame
}

// Multicast sends body to groups and private groups, members or not, with one
// service and the caller's type. Numbers in body are in the order of
// Options.Order. Nothing tells whether it arrived.
func (c *Conn) Multicast(service Service, messageType int16, body []byte, groups ...string) error {
	if !service.Valid() {
		return fmt.Errorf("multicast: service %#x is not exactly one of Spread's services", uint32(service))
	}
	if len(groups) == 0 || len(groups) > MaxDestinations {
		return fmt.Errorf("multicast to %d groups: Spread reaches 1 to %d with one message", len(groups), MaxDestinations)
	}
	for _, g := range groups {
		if err := checkDestination(g); err != nil {
			return fmt.Errorf("multicast: %w", err)
		}
	}
	if room := c.options.MaxMessage - HeaderSize - NameSize*len(groups); len(body) > room {
		return fmt.Errorf("multicast to %q: %w: %d bytes (%d at most)", groups[0], ErrTooLong, len(body), max(room, 0))
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	head := c.appendHead(uint32(service), messageType, len(body), groups...)
	if err := c.write(head, body); err != nil {
		return fmt.Errorf("multicast to %q: %w", groups[0], err)
	}
	return nil
}

// write sends head and body. The caller holds c.writing. After an error the
// stream may end within a message, so it ends the session.
func (c *Conn) write(head, body []byte) error {
	if c.writeErr != nil {
		return c.writeErr
	}
	if err := c.setWriteDeadline(); err != nil {
		return err
	}
	if len(head)+len(body) <= maxFrame {
		c.frame = append(head, body...)
		head, body = c.frame, nil
	}
	for _, b := range [][]byte{head, body} {
		if len(b) == 0 {
			continue
		}
		if _, err := c.nc.Write(b); err != nil {
			if c.closed.Load() {
				err = c.closedError()
			} else {
				err = fmt.Errorf("write to Spread daemon %s: %w", c.daemon, err)
			}
			c.writeErr = err
			c.nc.Close()
			return err
		}
	}
	return nil
}

func (c *Conn) setWriteDeadline() error {
	c.deadline.Lock()
	defer c.deadline.Unlock()
	if c.closed.Load() {
		return c.closedError()
	}
	return c.nc.SetWriteDeadline(time.Now().Add(c.options.WriteTimeout))
}
