package spreadd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"wackamole/spreadproto"
)

// session is one client.
type session struct {
	private    string // its private group
	user       string
	daemon     string
	membership bool // wants membership messages
	conn       net.Conn
	in         *bufio.Reader
	component  int
	out        chan []byte // closed when the session is over
	over       bool
}

// client serves a connection from its first byte to its last.
func (s *Server) client(conn net.Conn, daemon string) {
	defer conn.Close()
	x, err := s.handshake(conn, daemon)
	if err != nil {
		s.options.Logf("client of %s: %v", daemon, err)
		return
	}
	s.options.Logf("%s: session opened", x.private)
	written := make(chan struct{})
	go func() {
		defer close(written)
		s.write(x)
	}()
	err = s.read(x)
	conn.Close()
	s.mu.Lock()
	s.disconnect(x)
	s.mu.Unlock()
	<-written
	s.options.Logf("%s: session ended: %v", x.private, err)
}

// handshake opens a session, or refuses it with the code that a real daemon
// gives. It gives back the place that the connection took.
func (s *Server) handshake(conn net.Conn, daemon string) (x *session, err error) {
	defer func() {
		s.mu.Lock()
		s.opening--
		if err != nil && x != nil {
			delete(s.sessions, x.private)
		}
		s.mu.Unlock()
	}()
	conn.SetReadDeadline(time.Now().Add(firstBytes))
	buf := make([]byte, 2+1+2+spreadproto.MaxPrivateName)
	n, err := conn.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("nothing received: %w", err)
	}
	var hello spreadproto.Hello
	code, used, silent := hello.Unmarshal(buf[:n])
	if silent {
		return nil, errors.New("hello in pieces")
	}
	if code == spreadproto.Accepted {
		x, code = s.reserve(hello, conn, daemon)
	}
	if code != spreadproto.Accepted {
		_, _ = conn.Write([]byte{byte(code)})
		return nil, fmt.Errorf("refused with %v", code)
	}
	x.in = bufio.NewReader(io.MultiReader(bytes.NewReader(buf[used:n]), conn))
	if hello.Version.Authenticates() {
		if err := s.authenticate(x); err != nil {
			return x, err
		}
	}
	conn.SetReadDeadline(time.Time{})
	_, err = conn.Write(spreadproto.Accept{Version: s.options.Version, PrivateGroup: x.private}.AppendBinary(nil, hello.Version))
	return x, err
}

// reserve gives a name to a new session.
func (s *Server) reserve(h spreadproto.Hello, conn net.Conn, daemon string) (*session, spreadproto.RejectCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.User == "" {
		s.invented++
		h.User = fmt.Sprintf("r%d-%d", s.invented%10000, len(s.sessions)%1000)
	}
	x := &session{
		private: "#" + h.User + "#" + daemon, user: h.User, daemon: daemon, membership: h.Membership,
		conn: conn, out: make(chan []byte, maxQueue),
	}
	if s.sessions[x.private] != nil {
		return nil, spreadproto.RejectNotUnique
	}
	s.sessions[x.private] = x
	x.component = s.place(x)
	return x, spreadproto.Accepted
}

// authenticate offers the methods and takes the choice, which may name no method
// but NULL.
func (s *Server) authenticate(x *session) error {
	if _, err := x.conn.Write(spreadproto.AppendAuthList(nil, s.options.Methods)); err != nil {
		return err
	}
	offersNull := false
	for _, m := range s.options.Methods {
		offersNull = offersNull || m == spreadproto.MethodNULL
	}
	var choice spreadproto.AuthChoice
	buf := make([]byte, spreadproto.AuthChoiceSize)
	var err error
	if len(s.options.Methods) > 0 {
		if _, err = io.ReadFull(x.in, buf); err == nil {
			err = choice.Unmarshal(buf)
		}
	}
	ok := err == nil && offersNull && len(choice) > 0
	for _, m := range choice {
		ok = ok && m == spreadproto.MethodNULL
	}
	if !ok {
		code := spreadproto.RejectAuth
		_, _ = x.conn.Write([]byte{byte(code)})
		return fmt.Errorf("%s: authentication by %q refused", x.private, choice)
	}
	return nil
}

// write empties the session's queue.
func (s *Server) write(x *session) {
	for m := range x.out {
		s.awaitResume()
		if _, err := x.conn.Write(m); err != nil {
			x.conn.Close()
			for range x.out { // until the reader has noticed
			}
			return
		}
	}
	x.conn.Close()
}

// read applies the session's requests until its end.
func (s *Server) read(x *session) error {
	head := make([]byte, spreadproto.HeaderSize)
	for {
		if _, err := io.ReadFull(x.in, head); err != nil {
			return err
		}
		var h spreadproto.Header
		if err := h.Unmarshal(head); err != nil {
			return err
		}
		if err := check(&h, x); err != nil {
			return err
		}
		rest := make([]byte, 32*h.Names+h.Length)
		if _, err := io.ReadFull(x.in, rest); err != nil {
			return err
		}
		names, err := spreadproto.UnmarshalNames(rest[:32*h.Names])
		if err != nil {
			return err
		}
		if h.Type&spreadproto.TypeKill != 0 {
			return errors.New("it said so")
		}
		s.mu.Lock()
		switch {
		case h.Type&spreadproto.TypeJoin != 0:
			if len(names) > 0 {
				s.join(x, names[0])
			}
		case h.Type&spreadproto.TypeLeave != 0:
			if len(names) > 0 {
				s.leave(x, names[0])
			}
		default:
			s.multicast(x, h, names, rest)
		}
		s.mu.Unlock()
	}
}

// check is what daemons check of a header; one that fails ends the session.
func check(h *spreadproto.Header, x *session) error {
	one := h.Type & spreadproto.RequestMask
	switch {
	case one == 0 || one&(one-1) != 0:
		return fmt.Errorf("message of type %#x: not exactly one service or request", h.Type)
	case h.Name != x.private:
		return fmt.Errorf("message under the name %q", h.Name)
	case h.Names > maxNames:
		return fmt.Errorf("message to %d groups", h.Names)
	case !h.Hint.Valid():
		return fmt.Errorf("message with hint %x", h.Hint)
	case h.Length > maxMessage || spreadproto.HeaderSize+32*h.Names+h.Length > maxMessage:
		return fmt.Errorf("message of %d bytes", h.Length)
	}
	return nil
}
