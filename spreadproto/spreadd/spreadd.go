// Package spreadd is a Spread daemon for one machine: what clients need of one
// to try things out and to be tested, not what makes Spread worth its name.
//
// The model. A Server has sessions, each with a private group such as
// #wack1#node1, and groups of sessions. One lock covers all of it, and whatever
// a session is to receive is appended to its queue under that lock: this is the
// agreed order. Each session has a reader, which applies its requests, and a
// writer, which empties its queue; a session that does not read is cut off when a
// thousand messages wait for it, as the real daemon does.
//
// One Server can pretend to be several daemons, each with its own listener and
// name. All of them are one component (what Spread calls a ring) until Partition
// splits them; then each component has views of its own, and Merge brings them
// together again, with the membership messages that clients of real daemons see.
//
// To a client it looks like a daemon of the version that Options says; the
// package's tests hold it against recordings of real ones. It does not check who
// connects, so let it listen on loopback or on a network of its own. What it
// keeps for clients is bounded: the number of sessions, of groups of each, of
// messages and bytes that wait.
package spreadd

import (
	"sync"
	"time"

	"wackamole/internal/fmt"
	"wackamole/spreadproto"
)

// Limits of a daemon, as the real one has them.
const (
	maxSessions   = 997
	maxQueue      = 1000 // messages that wait for a session
	maxDaemonName = 19
	maxNames      = 100
	maxMessage    = 144_000
)

// Limits that a real daemon does not have.
const (
	maxQueueBytes = 16 << 20 // that wait for a session
	maxGroups     = 100      // that a session is in
)

// Authentication methods.
const (
	methodNULL = spreadproto.MethodNULL
	methodIP   = "IP" // the address of the client is checked; here all are good
)

// Options of a Server. The zero value is a little-endian or big-endian daemon, as
// the machine is, of version 4.4.0.
type Options struct {
	Version spreadproto.Version
	Order   spreadproto.Order // of what the daemon writes
	// Methods are the authentication methods that it offers: just NULL where nil.
	// A choice of NULL and IP is accepted if they are offered, others never are.
	Methods []string
	// RefuseAddresses makes it a daemon that requires the method IP and does not
	// know the address of any client.
	RefuseAddresses bool
	// Daemons gives the order of the daemons' names, which is that of the members
	// of a view in 4.x and 5.x. Those that it does not name follow.
	Daemons []string
	// MaxSessions is the number of clients beyond which others are refused: 997
	// where it is 0.
	MaxSessions int
	Logf        func(format string, args ...any)
}

// Server is the daemon. Make it with New.
type Server struct {
	options Options

	mu         sync.Mutex
	closed     bool
	listeners  map[Listener]bool
	conns      map[spreadproto.Transport]bool // all clients, in the handshake too
	sessions   map[string]*session            // by private group
	daemons    map[string]int                 // position of each name
	components []*component
	placed     map[string]int // component by daemon or private group, after Partition
	rings      uint32         // how many rings there have been, to tell their ids apart
	started    uint32
	invented   int // names made up for clients that gave none
	pausedAll  bool
	paused     map[string]bool
	resumed    sync.Cond // somebody may go on, with mu

	goroutines sync.WaitGroup
}

// New makes a server without any listener.
func New(o Options) *Server {
	if o.Version == (spreadproto.Version{}) {
		o.Version = spreadproto.Version{Major: 4, Minor: 4}
	}
	if o.Methods == nil {
		o.Methods = []string{methodNULL}
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = maxSessions
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	s := &Server{
		options:   o,
		listeners: make(map[Listener]bool),
		conns:     make(map[spreadproto.Transport]bool),
		sessions:  make(map[string]*session),
		daemons:   make(map[string]int),
		paused:    make(map[string]bool),
		started:   uint32(time.Now().Unix()),
	}
	s.resumed.L = &s.mu
	s.components = []*component{s.newComponent(0)}
	for _, name := range o.Daemons {
		s.daemons[name] = len(s.daemons)
	}
	return s
}

// Serve takes clients from a listener, TCP or unix, as the daemon of that name (1
// to 19 characters), until the listener fails or is closed, or the server is. It
// closes the listener, and returns nil after the server's Close.
func (s *Server) Serve(l Listener, daemon string) error {
	defer l.Close()
	if len(daemon) > maxDaemonName || spreadproto.CheckGroupName(daemon) != nil {
		return fmt.Errorf("daemon name %q: use 1 to %d printable ASCII characters other than space, !, \" and #", daemon, maxDaemonName)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.listeners[l] = true
	if _, ok := s.daemons[daemon]; !ok {
		s.daemons[daemon] = len(s.daemons)
	}
	s.mu.Unlock()
	for {
		conn, err := l.Accept()
		switch {
		case transient(err):
			s.options.Logf("%v", err)
			time.Sleep(10 * time.Millisecond)
			continue
		case err != nil:
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.closed {
				return nil
			}
			return err
		}
		if !s.admit(conn, daemon) {
			code := spreadproto.RejectQuota
			_, _ = conn.Write([]byte{byte(code)})
			conn.Close()
		}
	}
}

// admit starts to serve a client if there is room for one.
func (s *Server) admit(conn spreadproto.Transport, daemon string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.conns) >= s.options.MaxSessions {
		return false
	}
	s.conns[conn] = true
	s.goroutines.Go(func() {
		s.client(conn, daemon)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.conns, conn)
	})
	return true
}

// Close ends all sessions and listeners and waits until they are gone.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.resume()
	for l := range s.listeners {
		l.Close()
	}
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.goroutines.Wait()
}
