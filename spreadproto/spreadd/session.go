package spreadd

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"sync"

	"wackamole/internal/fmt"
	"wackamole/spreadproto"
)

// session is one client.
type session struct {
	private    string // its private group
	daemon     string
	membership bool // wants membership messages
	conn       spreadproto.Transport
	in         *bufio.Reader

	// All that follows is covered by the server's lock.
	component int
	groups    int // how many it is in
	queue     [][]byte
	queued    int        // bytes in queue
	more      *sync.Cond // there is more for the writer to do
	over      bool
}

// client serves a connection from its first byte to its last.
func (s *Server) client(conn spreadproto.Transport, daemon string) {
	defer conn.Close()
	x, err := s.handshake(conn, daemon)
	if err != nil {
		s.options.Logf("client of %s: %v", daemon, err)
		return
	}
	s.options.Logf("%s: session opened", x.private)
	var writer sync.WaitGroup
	writer.Go(func() { s.write(x) })
	err = s.read(x)
	conn.Close()
	s.mu.Lock()
	s.disconnect(x)
	s.mu.Unlock()
	writer.Wait()
	s.options.Logf("%s: session ended: %v", x.private, err)
}

// deliver queues a message. A session with too much unread is cut off: what it
// can still read ends somewhere in the middle. The lock is held.
func (s *Server) deliver(x *session, m []byte) {
	if x.over {
		return
	}
	if len(x.queue) >= maxQueue || x.queued+len(m) > maxQueueBytes {
		s.options.Logf("%s: does not read, cut off", x.private)
		x.finish()
		x.conn.Close() // its reader does the rest
		return
	}
	x.queue = append(x.queue, m)
	x.queued += len(m)
	x.more.Broadcast()
}

// finish drops the queue and ends the writer. The lock is held.
func (x *session) finish() {
	x.over, x.queue, x.queued = true, nil, 0
	x.more.Broadcast()
}

// write empties the session's queue.
func (s *Server) write(x *session) {
	for {
		m := s.next(x)
		if m == nil {
			return
		}
		if _, err := x.conn.Write(m); err != nil {
			x.conn.Close() // the reader does the rest
			return
		}
	}
}

// next takes a message from the queue, nil at the end of the session.
func (s *Server) next(x *session) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !x.over && (len(x.queue) == 0 || s.isPaused(x.daemon)) {
		x.more.Wait()
	}
	if x.over {
		return nil
	}
	m := x.queue[0]
	x.queue[0] = nil
	x.queue = x.queue[1:]
	if len(x.queue) == 0 {
		x.queue = nil
	}
	x.queued -= len(m)
	return m
}

// read applies the session's requests until its end.
func (s *Server) read(x *session) error {
	var r request
	for {
		if err := r.read(x); err != nil {
			return err
		}
		if err := s.apply(x, &r); err != nil {
			return err
		}
	}
}

// apply does what a session asks for.
func (s *Server) apply(x *session, r *request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.await(x.daemon)
	switch {
	case x.over:
		return errors.New("it did not read")
	case r.Type&spreadproto.TypeKill != 0:
		return errors.New("it said so")
	case r.Type&(spreadproto.TypeJoin|spreadproto.TypeLeave) == 0:
		s.multicast(x, r)
	case len(r.names) == 0:
	case r.Type&spreadproto.TypeJoin != 0:
		s.join(x, r.names[0])
	default:
		s.leave(x, r.names[0])
	}
	return nil
}

// request is a message from a client.
type request struct {
	spreadproto.Header
	names []string
	rest  []byte // names and body as they came
}

// read reads the next request of x. Memory for it grows with what arrives.
func (r *request) read(x *session) error {
	var head [spreadproto.HeaderSize]byte
	if _, err := io.ReadFull(x.in, head[:]); err != nil {
		return err
	}
	if err := r.Unmarshal(head[:]); err != nil {
		return err
	}
	if err := r.check(x); err != nil {
		return err
	}
	const step = 16 << 10
	if cap(r.rest) > step {
		r.rest = nil // large messages are rare
	}
	names := spreadproto.NameSize * r.Names
	r.rest = r.rest[:0]
	for left := names + r.Length; left > 0; {
		n, have := min(left, step), len(r.rest)
		r.rest = slices.Grow(r.rest, n)[:have+n]
		if _, err := io.ReadFull(x.in, r.rest[have:]); err != nil {
			return err
		}
		left -= n
	}
	var err error
	r.names, err = spreadproto.UnmarshalNames(r.rest[:names])
	return err
}

// internalBits are those that daemons use among themselves. A real daemon that
// gets them from a client does not always survive it.
const internalBits = 0x0000c000 | 0x00380000

// check is what daemons check of a header; one that fails ends the session.
func (r *request) check(x *session) error {
	one := r.Type & spreadproto.RequestMask
	switch {
	case one == 0 || one&(one-1) != 0 || r.Type&internalBits != 0:
		return fmt.Errorf("message of type %#x: not exactly one service or request", r.Type)
	case r.Name != x.private:
		return fmt.Errorf("message under the name %q", r.Name)
	case r.Names > maxNames:
		return fmt.Errorf("message to %d groups", r.Names)
	case !r.Hint.Valid():
		return fmt.Errorf("message with hint %x", r.Hint[:])
	case r.Length > maxMessage-spreadproto.HeaderSize-spreadproto.NameSize*r.Names:
		return fmt.Errorf("message of %d bytes to %d groups", r.Length, r.Names)
	}
	return nil
}
