package rtnl

import (
	"strings"

	"golang.org/x/sys/unix"
)

// lookUp finds the interface of that name, whose Index and Up alone it tells, by
// two ioctls of netdevice(7), which any socket takes. RTM_GETLINK costs thirty
// times that, as its answer describes the interface in a thousand bytes, and on a
// take-over all wait for it, once an interface. ok is false where that is to be
// asked: about what ioctls would take for an alias of another interface, and about
// an interface that they do not find.
func (s *socket) lookUp(name string) (l Link, ok bool) {
	if strings.IndexByte(name, ':') >= 0 {
		return l, false
	}
	r, err := unix.NewIfreq(name)
	if err != nil || unix.IoctlIfreq(s.fd, unix.SIOCGIFINDEX, r) != nil {
		return l, false
	}
	// The answers share their place in the request.
	l.Index = int(r.Uint32())
	if unix.IoctlIfreq(s.fd, unix.SIOCGIFFLAGS, r) != nil {
		return l, false
	}
	l.Name, l.Up = name, r.Uint16()&unix.IFF_UP != 0
	return l, true
}
