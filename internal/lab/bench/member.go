package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"wackamole/alloc"
	"wackamole/spreadproto"
	"wackamole/spreadproto/spreadd"
)

// groupName is the group of every cluster here; each has a Spread of its own.
const groupName = "bench"

// A spread is the Spread daemon of a wackamole under test and of the other member, which this program plays.
// Being the daemon, it knows when it told the member under test what.
type spread struct {
	server  *spreadd.Server
	port    string // the name of the daemon for the member under test: its socket is in /tmp
	stamps  *stamps
	folder  string
	sockets []string
}

// stamps are when the daemon last wrote something to the member under test.
type stamps struct {
	view  atomic.Int64 // a membership message
	state atomic.Int64 // a STATE
}

func newSpread() (*spread, error) {
	s := &spread{server: spreadd.New(spreadd.Options{Daemons: []string{"other", "subject"}}), stamps: &stamps{}}
	// Only in /tmp do all clients look for a daemon.
	s.port = strconv.Itoa(20000 + rand.IntN(40000))
	var err error
	if s.folder, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	s.sockets = []string{filepath.Join("/tmp", s.port), s.other()}
	for i, path := range s.sockets {
		l, err := net.Listen("unix", path)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("listen as a Spread daemon: %w", err)
		}
		name := "other"
		if i == 0 {
			l, name = stampingListener{l, s.stamps}, "subject"
		}
		go s.server.Serve(spreadd.From(l), name) // it ends with Close
	}
	return s, nil
}

// other is where the member that this program plays connects.
func (s *spread) other() string { return filepath.Join(s.folder, "other") }

func (s *spread) close() {
	s.server.Close()
	for _, path := range s.sockets {
		os.Remove(path)
	}
	os.Remove(s.folder)
}

// A stampingListener notes when messages are written to its clients.
type stampingListener struct {
	net.Listener
	stamps *stamps
}

func (l stampingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return stampingConn{c, l.stamps}, nil
}

type stampingConn struct {
	net.Conn
	stamps *stamps
}

// Write writes a message; the daemon writes one a call.
func (c stampingConn) Write(b []byte) (int, error) {
	at := int64(now())
	var h spreadproto.Header
	if h.Unmarshal(b) == nil {
		switch {
		case h.Kind() == spreadproto.KindMembership:
			c.stamps.view.Store(at)
		case h.Kind() == spreadproto.KindRegular && alloc.MessageType(h.Hint.MessageType()) == alloc.StateMessage:
			c.stamps.state.Store(at)
		}
	}
	return c.Conn.Write(b)
}

// A member is a wackamole that only talks: to each view it answers that it holds everything and prefers it, so
// that the member under test lets go of everything when it comes, and takes over everything when it goes.
type member struct {
	conn  *spreadproto.Conn
	views chan int // how many members each view had
	ended chan error
}

// joinAs opens a session under the name and answers views until it is closed.
func joinAs(name, path string, list []virtual) (*member, error) {
	conn, err := spreadproto.Dial(context.Background(), path, spreadproto.Options{User: name, Membership: true})
	if err != nil {
		return nil, err
	}
	m := &member{conn: conn, views: make(chan int, 100), ended: make(chan error, 1)}
	state := alloc.StateBody{Address: observerAddress.Addr(), Mature: true}
	interfaces := make([]alloc.VirtualInterface, len(list))
	for i, v := range list {
		state.Claims = append(state.Claims, alloc.ClaimOf{Key: v.addr, Claim: alloc.PreferredClaimed})
		interfaces[i].Addresses = []netip.Addr{v.addr}
	}
	state.Trailer = &alloc.Trailer{Abilities: alloc.CanGoOn, Fingerprint: alloc.Fingerprint(interfaces)}
	if err := conn.Join(groupName); err != nil {
		conn.Close()
		return nil, err
	}
	go func() { m.ended <- m.answer(state) }()
	return m, nil
}

func (m *member) answer(state alloc.StateBody) error {
	for {
		message, err := m.conn.Receive()
		if err != nil {
			return err
		}
		v, ok := message.(*spreadproto.Membership)
		if !ok || v.Group != groupName {
			continue
		}
		state.View, state.Index = alloc.ViewID(v.ID), v.Index(m.conn.PrivateGroup())
		body := state.Append(nil, binary.NativeEndian)
		if err := m.conn.Multicast(spreadproto.Agreed, int16(alloc.StateMessage), body, groupName); err != nil {
			return err
		}
		select {
		case m.views <- len(v.Members):
		default: // nobody waits for them
		}
	}
}

// leave ends the session, of which Spread tells the others at once.
func (m *member) leave() { m.conn.Close() }

// awaitView waits for a view of so many members.
func (m *member) awaitView(members int, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case n := <-m.views:
			if n == members {
				return nil
			}
		case err := <-m.ended:
			return err
		case <-timer.C:
			return errors.New("no view with the member under test came")
		}
	}
}
