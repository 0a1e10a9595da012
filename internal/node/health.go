package node

import (
	"time"

	"golang.org/x/sys/unix"

	"wackamole/conf"
	"wackamole/rtnl"
)

// How long an interface must be without a link before the others are told that
// this member may be unable to serve, and before it counts as failed: a shorter flap
// does nothing. How long it must have a link to count as back, the first time; each
// departure soon after another doubles that, up to longPause.
const (
	tellTime = time.Second
	failTime = 3 * time.Second
	backTime = 3 * time.Second
)

// trouble is why an interface cannot carry traffic.
type trouble uint8

const (
	working trouble = iota
	missing
	down
	noCarrier
	dormant
)

// String completes "interface eth0 ".
func (t trouble) String() string {
	return [...]string{"works", "is not there", "is down", "has no carrier", "is dormant"}[t]
}

// lasting completes "interface eth0 " before a time.
func (t trouble) lasting() string {
	return [...]string{"has worked", "has not been there", "has been down", "has had no carrier", "has been dormant"}[t]
}

// troubleOf says what is wrong with an interface. The kernel reports a carrier
// wherever a driver cannot tell (dummy, tunnels), and calls such an interface
// running as well. A bridge that has never had a port has a carrier, any other one
// while a port of its has; a VLAN and a bond while what is below them does. With a
// carrier and not running it waits for something else, such as 802.1X (RFC 2863,
// dormant). A loopback interface needs nothing but to be up.
func troubleOf(l rtnl.Link) trouble {
	switch {
	case !l.Up:
		return down
	case l.Type == unix.ARPHRD_LOOPBACK:
		return working
	case !l.Carrier:
		return noCarrier
	case !l.Running:
		return dormant
	}
	return working
}

// health is what is known of the interfaces that the virtual interfaces need, and
// how to judge it. It has no clock: it is told the time.
type health struct {
	links    []*link // in configuration order, each name once
	failures int     // departures for a failed interface, with never more than quietTime between return and next
	last     time.Time
}

// link is one interface.
type link struct {
	name    string
	trouble trouble
	since   time.Time // when it stopped to work, or began to; zero: it works, as long as we know
	excused bool      // the operator wants this member in spite of it, until it works again
	stayed  bool      // it is in the log that this member stays in spite of it
}

// String says what is the matter with an interface.
func (l *link) String() string { return "interface " + l.name + " " + l.trouble.String() }

// lasting says it with how long that has been so.
func (l *link) lasting(now time.Time) string {
	return "interface " + l.name + " " + l.trouble.lasting() + " for " + now.Sub(l.since).Truncate(time.Second).String()
}

// configure takes over what a configuration needs. An interface that it did not
// need before counts as working until it is looked at.
func (h *health) configure(list []conf.VirtualInterface) {
	old := health{links: h.links}
	h.links = nil
	for _, v := range list {
		for _, a := range v.Addresses {
			if h.find(a.Interface) != nil {
				continue
			}
			l := old.find(a.Interface)
			if l == nil {
				l = &link{name: a.Interface}
			}
			h.links = append(h.links, l)
		}
	}
}

func (h *health) find(name string) *link {
	for _, l := range h.links {
		if l.name == name {
			return l
		}
	}
	return nil
}

// note takes the state of an interface and reports whether it is news.
func (h *health) note(name string, t trouble, now time.Time) bool {
	l := h.find(name)
	if l == nil || l.trouble == t {
		return false
	}
	if (l.trouble == working) != (t == working) {
		l.since = now
	}
	l.trouble = t
	if t == working {
		l.excused, l.stayed = false, false
	}
	return true
}

// learn takes the list of all interfaces that there are.
func (h *health) learn(list []rtnl.Link, now time.Time) {
	for _, l := range h.links {
		t := missing
		for _, x := range list {
			if x.Name == l.name {
				t = troubleOf(x)
			}
		}
		h.note(l.name, t, now)
	}
}

// forget takes every interface for a working one: what cannot be seen is no
// reason to stay away.
func (h *health) forget() {
	for _, l := range h.links {
		*l = link{name: l.name}
	}
}

// troubled returns the first interface that has not worked for at least so long,
// nil if there is none.
func (h *health) troubled(now time.Time, long time.Duration) *link {
	for _, l := range h.links {
		if l.trouble != working && !l.excused && now.Sub(l.since) >= long {
			return l
		}
	}
	return nil
}

// next returns the interface that will be the next to have failed to work for so
// long, and when; nil if there is none.
func (h *health) next(now time.Time, long time.Duration) (next *link, wait time.Duration) {
	for _, l := range h.links {
		left := long - now.Sub(l.since)
		if l.trouble != working && !l.excused && left > 0 && (next == nil || left < wait) {
			next, wait = l, left
		}
	}
	return next, wait
}

// steady reports how long all interfaces must go on working to count as back; ok
// is false while one does not work.
func (h *health) steady(now time.Time) (wait time.Duration, ok bool) {
	for _, l := range h.links {
		switch {
		case l.excused:
		case l.trouble != working:
			return 0, false
		case !l.since.IsZero():
			wait = max(wait, h.hold()-now.Sub(l.since))
		}
	}
	return wait, true
}

// hold is how long interfaces must work before this member comes back.
func (h *health) hold() time.Duration {
	return min(backTime<<min(max(h.failures, 1)-1, 10), longPause)
}

// left notes that this member leaves for a failed interface, back that it comes
// back.
func (h *health) left(now time.Time) {
	if now.Sub(h.last) > quietTime {
		h.failures = 0
	}
	h.failures++
	h.last = now
}

func (h *health) back(now time.Time) { h.last = now }

// excuse has the interfaces that do not work count as working until they do.
func (h *health) excuse() {
	for _, l := range h.links {
		l.excused = l.trouble != working
	}
}
