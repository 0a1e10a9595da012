// Package control is the daemon's control socket and the controller, wackatrl, that talks to it.
//
// The protocol is the original's, byte for byte: over a unix stream socket a client sends one byte, the
// daemon answers, and the client may send another.
//
//	0  state as records of 900 bytes     int32 length, records (see Record)
//	1  simulate a failure                int32 zero
//	2  end the simulated failure         int32 zero
//	3  state as JSON                     int32 length, one JSON object and a newline (see State)
//	4  counters for Prometheus           int32 length, text exposition format (see State)
//	5  state as a table for people       int32 length, text
//
// Integers are big-endian. On any other byte the daemon closes the connection, and so an original does
// on 3 to 5, which are ours: that is how our controller tells an original daemon.
//
// Serve answers clients without ever making the daemon wait for one. It has one goroutine a client and
// a bound on clients, beyond which the one that was idle or stalled longest is thrown out; reads and
// writes have deadlines. The daemon is asked through Backend for a snapshot of its state, which clients
// that ask at the same time share, and which is encoded, piece by piece, outside of the daemon's loop.
//
// Main is the controller. It believes nothing that a daemon says about sizes, and prints nothing from
// it that could drive a terminal.
package control
