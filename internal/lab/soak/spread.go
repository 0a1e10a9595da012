package main

import (
	"fmt"
	"net"
	"sync"

	"wackamole/internal/lab"
	"wackamole/spreadproto/spreadd"
)

// A door is one node's Spread daemon as its clients see it. The daemons of all nodes are one spreadd.Server; a
// door that is closed cuts the clients of one and refuses others, as a daemon that was stopped does.
type door struct {
	server *spreadd.Server
	host   *lab.Host
	name   string

	mu       sync.Mutex
	listener net.Listener // nil: closed
	clients  map[net.Conn]bool
}

func newDoor(s *spreadd.Server, h *lab.Host) *door {
	return &door{server: s, host: h, name: daemonName(h.Number), clients: make(map[net.Conn]bool)}
}

// daemonName is what the Spread daemon of a node calls itself.
func daemonName(node int) string { return fmt.Sprintf("node%d", node) }

// open lets clients in.
func (d *door) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener != nil {
		return nil
	}
	l, err := d.host.ListenSpread()
	if err != nil {
		return err
	}
	d.listener = l
	go d.server.Serve(spreadd.From(doorway{l, d}), d.name) // it ends with the listener
	return nil
}

// close cuts the clients and lets nobody in.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.listener == nil {
		return
	}
	d.listener.Close()
	d.listener = nil
	for c := range d.clients {
		c.Close()
	}
	clear(d.clients)
}

// A doorway keeps account of the clients that came in.
type doorway struct {
	net.Listener
	door *door
}

// Accept implements net.Listener.
func (w doorway) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w.door.mu.Lock()
	defer w.door.mu.Unlock()
	if w.door.listener != w.Listener {
		c.Close() // it came just before the door was closed
	}
	w.door.clients[c] = true
	return client{c, w.door}, nil
}

// A client is a connection that leaves the account when it is closed.
type client struct {
	net.Conn
	door *door
}

// Close implements net.Conn.
func (c client) Close() error {
	c.door.mu.Lock()
	delete(c.door.clients, c.Conn)
	c.door.mu.Unlock()
	return c.Conn.Close()
}
