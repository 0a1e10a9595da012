package node

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/spreadproto"
)

// Conn is a session with a Spread daemon, as spreadproto.Conn is.
type Conn interface {
	PrivateGroup() string
	Join(group string) error
	Multicast(s spreadproto.Service, messageType int16, body []byte, groups ...string) error
	Receive() (spreadproto.Message, error)
	Close() error
	syscall.Conn // for the guard
}

// dialTime bounds an attempt to reach the daemon. One that has just started
// accepts at once; the time is for a host that drops what we send.
const dialTime = 10 * time.Second

// queued is how many messages may wait for a daemon that does not read, as it
// does for seconds while its ring changes. One that takes none of that many is
// as good as gone.
const queued = 256

// session is one connection with its two goroutines: Receive and Multicast can
// both block, and the loop must not.
type session struct {
	conn Conn
	out  chan outgoing
	done chan struct{}
}

type outgoing struct {
	service     spreadproto.Service
	messageType int16
	body        []byte
	group       string
}

// received is what a session gives to the loop. The last has an error.
type received struct {
	from    *session
	message spreadproto.Message
	err     error
}

// dialled is the end of an attempt to open a session.
type dialled struct {
	conn    Conn
	address netip.Addr // by which this member is to be known in it
	reason  string     // why that address is not the host name's
	err     error
}

// dial opens a session in the background, with another user name if the first is
// still taken by an old session.
func (n *Node) dial() {
	name, user, address, list := n.spread, n.user, n.address, n.config.Interfaces
	n.background.Go(func() {
		ctx, cancel := context.WithTimeout(n.context, dialTime)
		defer cancel()
		d := dialled{address: address}
		if !address.IsValid() {
			d.address, d.reason, d.err = findRealAddress(ctx, n.door, list)
		}
		if d.err == nil {
			d.conn, d.err = n.door.Dial(ctx, name, user)
		}
		for i := 0; i < retryNames && errors.Is(d.err, spreadproto.ErrNotUnique); i++ {
			d.conn, d.err = n.door.Dial(ctx, name, otherName(user, i))
		}
		select {
		case n.dials <- d:
		case <-n.context.Done():
			if d.err == nil {
				d.conn.Close()
			}
		}
	})
}

// retryNames is how many other endings of the user name are tried.
const retryNames = 5

// otherName gives a user name another ending within the length that Spread takes.
func otherName(user string, i int) string {
	return user[:min(len(user), spreadproto.MaxPrivateName-1)] + string(rune('a'+i))
}

// open starts a session on a connection: it asks for the group and passes on
// what arrives.
func (n *Node) open(conn Conn, group string) *session {
	s := &session{conn: conn, out: make(chan outgoing, queued), done: make(chan struct{})}
	n.background.Go(func() { s.receive(n.received) })
	n.background.Go(func() { s.send(group, n.received) })
	return s
}

func (s *session) receive(to chan<- received) {
	for {
		m, err := s.conn.Receive()
		select {
		case to <- received{s, m, err}:
		case <-s.done:
			return
		}
		if err != nil {
			return
		}
	}
}

func (s *session) send(group string, to chan<- received) {
	err := s.conn.Join(group)
	for err == nil {
		select {
		case o := <-s.out:
			err = s.conn.Multicast(o.service, o.messageType, o.body, o.group)
		case <-s.done:
			return
		}
	}
	select {
	case to <- received{s, nil, fmt.Errorf("send to Spread: %w", err)}:
	case <-s.done:
	}
}

// multicast queues a message. It reports false if the daemon has not taken
// anything for so long that there is no room.
func (s *session) multicast(o outgoing) bool {
	select {
	case s.out <- o:
		return true
	default:
		return false
	}
}

// close ends the session without waiting for the daemon: it tells Spread, which
// frees the name and tells the others at once. After that nothing more comes
// from the session.
func (s *session) close() {
	close(s.done)
	s.conn.Close()
}

// visit brings about a new view without our leaving: a session that joins the
// group and goes again changes its membership twice.
func (n *Node) visit() {
	name, user, group := n.spread, otherName(n.user, retryNames), n.config.Group
	n.background.Go(func() {
		ctx, cancel := context.WithTimeout(n.context, dialTime)
		defer cancel()
		conn, err := n.door.Dial(ctx, name, user)
		if err == nil {
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			if err = conn.Join(group); err == nil {
				err = awaitMembership(conn, group)
			}
			stop()
			conn.Close()
		}
		if err != nil && n.context.Err() == nil {
			n.log.Warningf("no new view to have the changed configuration agreed, the next one will do: %v", err)
		}
	})
}

func awaitMembership(conn Conn, group string) error {
	for {
		m, err := conn.Receive()
		if err != nil {
			return err
		}
		if v, ok := m.(*spreadproto.Membership); ok && v.Group == group {
			return nil
		}
	}
}
