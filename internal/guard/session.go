package guard

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// The guard has a second reference to the daemon's connection with Spread, so that
// the order is always the same: the addresses go first, then Spread tells the other
// members, who take them over. Of a daemon that was killed the connection ends with
// the guard; of one that stands still the guard ends it. Without that nobody would
// serve the addresses until the next view.

// A session is the guard's reference. The zero value is none.
type session struct {
	fd    int // 0: none
	taken int
}

// sessionsTaken is how many connections a guard takes before it asks to be replaced
// by ending, while nothing is held: each costs it 200 bytes, which it never collects.
const sessionsTaken = 1000

// take takes the connections that the daemon has sent; the last one counts. It
// reports whether more may come, and whether the daemon has closed its end.
func (s *session) take(socket int) (more, closed bool) {
	var b [1]byte
	var control [32]byte
	for {
		n, length, _, _, err := syscall.Recvmsg(socket, b[:], control[:], syscall.MSG_DONTWAIT|syscall.MSG_CMSG_CLOEXEC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return true, false
		case err != nil || n == 0:
			return false, err == nil
		}
		if fd, ok := descriptorIn(control[:length]); ok {
			s.close()
			s.fd = fd
			s.taken++
		}
	}
}

// descriptorIn returns the descriptor in a control message (cmsg(3)): its length,
// level and type, and then one number. The kernel has written it; package syscall
// has functions for any such message, which take memory.
func descriptorIn(control []byte) (fd int, ok bool) {
	const number = 4
	if len(control) < syscall.CmsgLen(number) {
		return 0, false
	}
	at := func(offset int) int { return int(int32(binary.NativeEndian.Uint32(control[offset:]))) }
	level, kind := at(syscall.SizeofCmsghdr-8), at(syscall.SizeofCmsghdr-4)
	return at(syscall.CmsgLen(0)), level == syscall.SOL_SOCKET && kind == syscall.SCM_RIGHTS
}

// hangUp ends the connection for the daemon too.
func (s *session) hangUp() {
	if s.fd != 0 {
		_ = unix.Shutdown(s.fd, unix.SHUT_RDWR)
		s.close()
	}
}

func (s *session) close() {
	if s.fd != 0 {
		unix.Close(s.fd)
		s.fd = 0
	}
}

// Session hands the guard a connection with Spread, in place of the one before.
// Whoever closes it has to shut it down as well: the guard has it still.
func (g *Guard) Session(c syscall.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.session = c
	g.sendSession()
}

// sendSession sends what a guard needs to know of the present session. One that
// takes nothing is found out by checkReading.
func (g *Guard) sendSession() {
	if g.session == nil || g.sessions < 0 {
		return
	}
	raw, err := g.session.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.Sendmsg(g.sessions, []byte{0}, unix.UnixRights(int(fd)), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	})
}
