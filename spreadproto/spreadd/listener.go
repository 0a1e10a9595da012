package spreadd

import (
	"errors"
	"syscall"

	"wackamole/spreadproto"
)

// A Listener is where clients come in.
type Listener interface {
	Accept() (spreadproto.Transport, error)
	Close() error
}

// From makes a Listener of one of package net, or of any other whose connections
// are Transports.
func From[C spreadproto.Transport](l interface {
	Accept() (C, error)
	Close() error
}) Listener {
	return &listener[C]{l.Accept, l.Close}
}

type listener[C spreadproto.Transport] struct {
	accept func() (C, error)
	close  func() error
}

func (l *listener[C]) Accept() (spreadproto.Transport, error) { return l.accept() }
func (l *listener[C]) Close() error                           { return l.close() }

// transient says of an error of Accept that it may pass: out of descriptors or
// memory, or a client that went away at once.
func transient(err error) bool {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
