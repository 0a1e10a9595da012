package spreadd

import (
	"bufio"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"wackamole/internal/fmt"
	"wackamole/spreadproto"
)

const (
	firstBytes = time.Second      // for the hello, as in the real daemon
	restBytes  = 10 * time.Second // for the choice, which the real one awaits for ever
)

// handshake opens a session, or refuses it with the code that a real daemon
// gives.
func (s *Server) handshake(conn spreadproto.Transport, daemon string) (*session, error) {
	in := bufio.NewReader(conn)
	hello, err := s.readHello(conn, in, daemon)
	if err != nil {
		return nil, err
	}
	x, code := s.reserve(hello, conn, daemon)
	if code != spreadproto.Accepted {
		return nil, refuse(conn, code)
	}
	x.in = in
	if err := s.authenticate(x, hello.Version); err != nil {
		s.release(x)
		return nil, err
	}
	conn.SetReadDeadline(time.Time{})
	accept := spreadproto.Accept{Version: s.options.Version, PrivateGroup: x.private}
	if _, err := conn.Write(accept.AppendBinary(nil, hello.Version)); err != nil {
		s.release(x)
		return nil, err
	}
	return x, nil
}

// readHello reads the hello, which must come in one piece.
func (s *Server) readHello(conn spreadproto.Transport, in *bufio.Reader, daemon string) (spreadproto.Hello, error) {
	var h spreadproto.Hello
	conn.SetReadDeadline(time.Now().Add(firstBytes))
	_, err := in.Peek(1)
	s.mu.Lock()
	s.await(daemon)
	s.mu.Unlock()
	if err != nil {
		return h, fmt.Errorf("nothing received: %w", err)
	}
	first, _ := in.Peek(in.Buffered())
	code, used, silent := h.Unmarshal(first)
	// Daemons before 4.4 have a code for a hello without length and name.
	v := s.options.Version
	silent = silent || code == spreadproto.RejectNoName && (v.Major > 4 || v.Major == 4 && v.Minor >= 4)
	switch {
	case silent:
		return h, errors.New("hello in pieces")
	case code != spreadproto.Accepted:
		return h, refuse(conn, code)
	}
	_, err = in.Discard(used)
	return h, err
}

func refuse(conn spreadproto.Transport, code spreadproto.RejectCode) error {
	_, _ = conn.Write([]byte{byte(code)})
	return fmt.Errorf("refused with %v", code)
}

// reserve gives a name to a new session.
func (s *Server) reserve(h spreadproto.Hello, conn spreadproto.Transport, daemon string) (*session, spreadproto.RejectCode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for h.User == "" {
		s.invented++
		h.User = fmt.Sprintf("r%d-%d", s.invented%10000, len(s.conns)%1000)
		if s.sessions[privateGroup(h.User, daemon)] != nil {
			h.User = ""
		}
	}
	x := &session{private: privateGroup(h.User, daemon), daemon: daemon, membership: h.Membership, conn: conn}
	x.more = sync.NewCond(&s.mu)
	if s.sessions[x.private] != nil {
		return nil, spreadproto.RejectNotUnique
	}
	s.sessions[x.private] = x
	x.component = s.place(x)
	return x, spreadproto.Accepted
}

// release gives the name of a session that did not come about back.
func (s *Server) release(x *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, x.private)
}

func privateGroup(user, daemon string) string { return "#" + user + "#" + daemon }

// authenticate offers the methods and takes the choice. Libraries before 3.16 do
// not know of it; they get in by NULL or IP.
func (s *Server) authenticate(x *session, library spreadproto.Version) error {
	if !library.Authenticates() {
		if !slices.ContainsFunc(s.options.Methods, satisfied) {
			return refuse(x.conn, spreadproto.RejectAuth)
		}
		return nil
	}
	if _, err := x.conn.Write(spreadproto.AppendAuthList(nil, s.options.Methods)); err != nil {
		return err
	}
	if len(s.options.Methods) == 0 {
		return refuse(x.conn, spreadproto.RejectAuth)
	}
	choice, err := readChoice(x)
	if err != nil {
		return err
	}
	allowed := func(m string) bool { return satisfied(m) && slices.Contains(s.options.Methods, m) }
	refused := func(m string) bool { return !allowed(m) }
	if len(choice) == 0 || slices.ContainsFunc(choice, refused) || s.options.RefuseAddresses {
		return fmt.Errorf("%s chose %q: %w", x.private, strings.Join(choice, " "), refuse(x.conn, spreadproto.RejectAuth))
	}
	return nil
}

// satisfied reports whether everybody passes a method.
func satisfied(method string) bool { return method == methodNULL || method == methodIP }

// readChoice reads the choice of methods, which must come in one piece. One that
// does not is empty.
func readChoice(x *session) (spreadproto.AuthChoice, error) {
	x.conn.SetReadDeadline(time.Now().Add(restBytes))
	if _, err := x.in.Peek(1); err != nil {
		return nil, fmt.Errorf("%s chose no authentication: %w", x.private, err)
	}
	var choice spreadproto.AuthChoice
	b, _ := x.in.Peek(min(x.in.Buffered(), spreadproto.AuthChoiceSize))
	if choice.Unmarshal(b) != nil {
		return nil, nil
	}
	_, err := x.in.Discard(len(b))
	return choice, err
}
