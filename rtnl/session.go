package rtnl

import (
	"errors"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

const (
	// chunk is the most messages in a system call. Longer ones overflow the
	// receive buffer with answers, and the send buffer with requests.
	chunk = 200
	// chunkMost is what a chunk may grow to where messages belong together.
	chunkMost = 400
	// receiveSize is the size of the kernel's largest part of a dump.
	receiveSize = 32 << 10
	// dumpTries is how often an interrupted listing is begun anew.
	dumpTries = 16
)

// errLost: an answer was lost; only the kernel's list can say what happened.
var errLost = errors.New("answers lost")

// A session sends requests over a transport and matches the answers. It is not
// safe for concurrent use.
type session struct {
	transport transport
	sequence  uint32
	out, in   []byte // kept from call to call, made when first needed
}

// exchange sends count messages in one system call and sets errnos[i] to the
// answer to message i, 0 for success. put appends message i with the given flags
// and sequence number. Only the last asks for an acknowledgement: the kernel
// works the messages off in order, and answers those that fail anyway.
//
// errLost says that errnos with a 0 are not known.
func (s *session) exchange(count int, errnos []unix.Errno, put func(b []byte, i int, flags uint16, sequence uint32) []byte) error {
	first := s.sequence + 1
	s.sequence += uint32(count)
	s.out = s.out[:0]
	for i := range count {
		errnos[i] = 0
		flags := uint16(unix.NLM_F_REQUEST)
		if i == count-1 {
			flags |= unix.NLM_F_ACK
		}
		s.out = put(s.out, i, flags, first+uint32(i))
	}
	if err := s.transport.send(s.out); err != nil {
		return err
	}
	lost := false
	for {
		b, err := s.receive()
		switch {
		case err == unix.ENOBUFS:
			lost = true
			continue
		case err == unix.EAGAIN: // the last answer never came
			return errLost
		case err != nil:
			return err
		}
		for len(b) > 0 {
			var m message
			if m, b, err = next(b); err != nil {
				return errLost
			}
			i := m.sequence - first
			if m.kind != unix.NLMSG_ERROR || i >= uint32(count) {
				continue // left over from a request given up
			}
			if errnos[i], err = m.errno(); err != nil {
				return errLost
			}
			if i != uint32(count-1) {
				continue
			}
			if lost {
				return errLost
			}
			return nil
		}
	}
}

func (s *session) receive() ([]byte, error) {
	if s.in == nil {
		s.in = make([]byte, receiveSize)
	}
	n, err := s.transport.receive(s.in)
	return s.in[:n], err
}

// dump asks for a table and calls each with every message of it, and reset
// before it begins anew because the table changed meanwhile or a part was lost.
// More than limit messages are an error (0: no limit; the rest is then each's to
// leave out).
func (s *session) dump(kind uint16, request []byte, limit int, reset func(), each func(message) error) error {
	err := errLost
	for range dumpTries {
		reset()
		if err = s.dumpOnce(kind, request, limit, each); err != errLost {
			return err
		}
	}
	return fmt.Errorf("the table kept changing while it was read: %w", err)
}

func (s *session) dumpOnce(kind uint16, request []byte, limit int, each func(message) error) error {
	s.sequence++
	s.out = begin(s.out[:0], kind, unix.NLM_F_REQUEST|unix.NLM_F_DUMP, s.sequence)
	s.out = finish(append(s.out, request...), 0)
	if err := s.transport.send(s.out); err != nil {
		return err
	}
	// The first error is kept, and the dump read to its end: the kernel refuses
	// the next one before.
	var failed error
	count := 0
	for {
		b, err := s.receive()
		switch {
		case err == unix.ENOBUFS:
			failed = first(failed, errLost)
			continue
		case err == unix.EAGAIN:
			return first(failed, errLost)
		case err != nil:
			return err
		}
		for len(b) > 0 {
			var m message
			if m, b, err = next(b); err != nil {
				failed = first(failed, err)
				break
			}
			if m.sequence != s.sequence {
				continue
			}
			if m.flags&unix.NLM_F_DUMP_INTR != 0 {
				failed = first(failed, errLost)
			}
			switch m.kind {
			case unix.NLMSG_NOOP:
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				errno, err := m.errno()
				if err == nil && errno != 0 {
					err = errno
				}
				return first(failed, err)
			default:
				if count++; limit > 0 && count > limit {
					failed = first(failed, fmt.Errorf("more than %d entries", limit))
				}
				if failed == nil {
					failed = each(m)
				}
			}
		}
	}
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// addresses lists the IPv4 addresses of the interface index, or of all for 0.
// each gets the decoded message and its body, both for the time of the call only.
func (s *session) addresses(index uint32, reset func(), each func(a *addressMessage, body []byte)) error {
	request := append(make([]byte, 0, unix.SizeofIfAddrmsg), unix.AF_INET, 0, 0, 0)
	request = order.AppendUint32(request, index)
	var a addressMessage
	err := s.dump(unix.RTM_GETADDR, request, maxAddresses, reset, func(m message) error {
		if m.kind != unix.RTM_NEWADDR {
			return nil
		}
		ok, err := a.parse(m.body)
		if ok && (index == 0 || index == a.key.Index) { // Linux before 4.20 sends all
			each(&a, m.body)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	return nil
}
