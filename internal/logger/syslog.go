package logger

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// DevLog is where a syslogd listens on Linux.
const DevLog = "/dev/log"

// maxQueued bounds the bytes of lines that wait for syslogd: some 3,000 lines, a take-over of a
// thousand addresses.
const maxQueued = 256 << 10

// Retry times. A syslogd that is there takes the next datagrams at once; one that is gone takes seconds
// to come back.
const (
	retryBusy   = 10 * time.Millisecond
	retryAbsent = time.Second
	retryMax    = 10 * time.Second
)

// Syslog is the sink that talks to the machine's syslogd, in the form in which the C library does and
// both busybox syslogd and rsyslog's imuxsock expect it: RFC 3164 without the host name,
//
//	<29>Nov 22 15:58:58 wackamole[123]:   UP: eth0:1:10.0.0.5/255.255.255.0
//
// one line a datagram, or ended by a NUL where the socket is a stream. The socket is never waited for:
// what it does not take is queued and tried again, also on a new connection once syslogd was restarted;
// beyond maxQueued bytes the oldest lines are dropped and counted.
type Syslog struct {
	path, tag string
	now       func() time.Time

	mu       sync.Mutex
	facility Facility
	fd       int // -1 while not connected
	stream   bool
	queue    [][]byte
	queued   int // bytes in queue
	sent     int // bytes of queue[0] that a stream has taken already
	lost     int
	pause    time.Duration // before the last retry
	timer    *time.Timer   // not nil while a retry is due
	closed   bool
}

// NewSyslog returns a sink for the syslogd at path (DevLog), whose lines carry tag and pid. It connects
// with the first line; that nobody listens yet is no error.
func NewSyslog(path, tag string, pid int, facility Facility) *Syslog {
	return &Syslog{path: path, tag: fmt.Sprintf("%s[%d]: ", tag, pid), now: time.Now, facility: facility, fd: -1}
}

// SetFacility changes the facility of the lines logged from now on.
func (s *Syslog) SetFacility(facility Facility) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facility = facility
}

// Log queues the line and sends what syslogd takes without waiting.
func (s *Syslog) Log(level Level, line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.push(len(s.queue), s.format(level, line))
	for s.queued > maxQueued {
		s.dropOldest()
	}
	if pause := s.flush(); pause > 0 && s.timer == nil {
		s.retryAfter(pause)
	}
}

// Close sends what is queued, for at most wait where syslogd is there but slow, and closes the socket.
func (s *Syslog) Close(wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deadline := time.Now().Add(wait)
	for s.flush(); len(s.queue) > 0 && s.fd >= 0; s.flush() {
		left := time.Until(deadline)
		if left < time.Millisecond {
			break
		}
		fds := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}
		if _, err := unix.Poll(fds, int(left/time.Millisecond)); err != nil && err != unix.EINTR {
			break
		}
	}
	s.closed = true
	s.stopTimer()
	s.disconnect()
}

// format makes the packet.
func (s *Syslog) format(level Level, line string) []byte {
	packet := make([]byte, 0, len("<191>Nov 22 15:58:58 ")+len(s.tag)+len(line)+1)
	packet = appendTimestamp(fmt.Appendf(packet, "<%d>", int(s.facility)<<3|int(level)), s.now())
	packet = append(packet, s.tag...)
	return append(packet, line...)
}

func (s *Syslog) push(at int, packet []byte) {
	s.queue = append(s.queue, nil)
	copy(s.queue[at+1:], s.queue[at:])
	s.queue[at] = packet
	s.queued += len(packet)
}

// dropOldest drops the oldest line that is not half sent.
func (s *Syslog) dropOldest() {
	at := 0
	if s.sent > 0 {
		at = 1
	}
	s.queued -= len(s.queue[at])
	copy(s.queue[1:at+1], s.queue[:at])
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.lost++
}

// flush sends what syslogd takes. It returns zero when that was all, else when to try again at the soonest.
func (s *Syslog) flush() (pause time.Duration) {
	reconnected := false
	for len(s.queue) > 0 {
		if s.fd < 0 {
			if !s.connect() {
				return retryAbsent
			}
			reconnected = true
		}
		if s.lost > 0 && s.sent == 0 {
			note := fmt.Sprintf("%d lines of the log were lost here: syslog did not take them", s.lost)
			s.lost = 0
			s.push(0, s.format(Warning, note))
		}
		switch err := s.sendHead(); err {
		case nil:
			s.pause = 0
		case unix.EAGAIN, unix.ENOBUFS, unix.ENOMEM:
			return retryBusy
		default: // syslogd has gone, was restarted perhaps
			s.disconnect()
			if reconnected {
				return retryAbsent
			}
		}
	}
	s.queue = nil // gives back what a long absence made it grow to
	s.stopTimer()
	return 0
}

// sendHead sends queue[0], on a stream with its end mark and perhaps only a part of it.
func (s *Syslog) sendHead() error {
	packet := s.queue[0]
	if s.stream {
		packet = append(packet[:len(packet):len(packet)], 0)[s.sent:]
	}
	n, err := unix.SendmsgN(s.fd, packet, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	switch {
	case err == unix.EINTR:
		return nil // once more
	case err == unix.EMSGSIZE:
		s.lost++ // this one will never fit
	case err != nil:
		return err
	case s.stream && n < len(packet):
		s.sent += n
		return unix.EAGAIN
	}
	s.queued -= len(s.queue[0])
	s.queue[0] = nil
	s.queue = s.queue[1:]
	s.sent = 0
	return nil
}

// connect opens the datagram socket that syslogd has as a rule, or the stream that it may have.
func (s *Syslog) connect() bool {
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_STREAM} {
		fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return false
		}
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: s.path})
		if err == nil {
			s.fd, s.stream = fd, kind == unix.SOCK_STREAM
			return true
		}
		_ = unix.Close(fd)
		if err != unix.EPROTOTYPE {
			return false
		}
	}
	return false
}

func (s *Syslog) disconnect() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
	}
	s.fd, s.sent = -1, 0
}

// retryAfter sets the timer; each retry in vain makes the next one wait longer.
func (s *Syslog) retryAfter(pause time.Duration) {
	s.pause = pause
	s.timer = time.AfterFunc(pause, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.timer = nil
		if s.closed {
			return
		}
		if next := s.flush(); next > 0 {
			s.retryAfter(min(max(2*s.pause, next), retryMax))
		}
	})
}

func (s *Syslog) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}
