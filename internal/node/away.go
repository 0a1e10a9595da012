package node

import (
	"slices"
	"time"

	"wackamole/alloc"
	"wackamole/rtnl"
	"wackamole/spreadproto"
)

// A member whose virtual interfaces need an interface that has failed leaves the
// group, as wackatrl -f would have it, so that the others serve what it cannot. It
// comes back by itself. Two things must hold before it leaves.
//
// Spread must reach the others another way than over that interface. Where it does
// not, the ring of the daemons is broken, this member will be alone in the next
// view, and leaving would help nobody. So the member first multicasts that it is
// unable to serve, with Spread's agreed service: no ring that is broken delivers
// that, and it leaves in no view in which the message has not come back.
//
// And another member must be able to serve. A switch that fails, fails for all: if
// all left, the addresses on their other interfaces would be lost as well. A member
// that knows all others of the view to be unable stays. That all leave, each before it
// hears of the last, cannot be: the messages are totally ordered, and who leaves
// has heard all that came before its own. That all stay where all have failed, with
// their addresses where they are, needs all to have spoken before the first leaves;
// hence the time between tellTime and failTime, in which their drivers notice.
//
// The message is an OPERATOR, of which originals take no notice; they never send it
// and count as able.
//
//	0  4  "WKu1"
//	4  1  1: unable to serve; 0: able again
//
// It is sent before this member's STATE, so that who has all STATEs of a view knows
// who is unable.
type standing struct {
	inView bool
	peers  []string        // the other members of the view
	unable map[string]bool // those of them that have said so
	said   bool            // they have heard it of us, or are about to, and not that we are able again
	told   bool            // said in this view
	heard  bool            // and come back
}

// unableMagic begins the body of the message.
const unableMagic = "WKu1"

// learnLinks looks at all interfaces: at the beginning, after changes were missed,
// after the configuration changed.
func (n *Node) learnLinks() {
	list, err := n.door.Kernel.Links()
	if err != nil {
		n.unseen(&n.unlooked.links, "whether the interfaces work is not known", err)
		return
	}
	n.unlooked.links = false
	n.health.learn(list, time.Now())
	n.checkHealth()
}

// noteLink takes an event about an interface.
func (n *Node) noteLink(e rtnl.Event) {
	now, news := time.Now(), false
	if e.Kind == rtnl.LinkChanged && e.Was.Name != e.Link.Name {
		news = n.health.note(e.Was.Name, missing, now)
	}
	t := missing
	if e.Kind != rtnl.LinkGone {
		t = troubleOf(e.Link)
	}
	if n.health.note(e.Link.Name, t, now) || news {
		n.checkHealth()
	}
}

// checkHealth does what the state of the interfaces asks for now, and sets the
// alarm for what time alone will change. It is called after every change of theirs, of
// the view and of what the machine is doing.
func (n *Node) checkHealth() {
	n.alarms.stop(healthAlarm)
	switch now := time.Now(); {
	case n.failed: // the operator's word
	case n.away != nil:
		n.comeBack(now)
	case n.session == nil:
		if l, _ := n.health.next(now, failTime); n.putOff && l == nil {
			n.connect()
		}
	case n.standing.inView:
		n.tell(now)
		n.judge(now)
	}
}

// waitForLinks reports whether it is too early to join: an interface does not work
// and has not failed yet. Who joins now would be given addresses that nobody can
// reach there. It works soon, as after a start of the machine, or the others of the
// view decide.
func (n *Node) waitForLinks() bool {
	l, wait := n.health.next(time.Now(), failTime)
	n.putOff = l != nil
	if l != nil {
		n.log.Warningf("interface %s %v: waiting up to %v for it before joining the group", l.name, l.trouble, failTime)
		n.alarms.set(connectAlarm, wait)
	}
	return n.putOff
}

// seeView takes a new view. It comes before the machine, which multicasts STATE.
func (n *Node) seeView(members []string) {
	s, self := &n.standing, n.session.conn.PrivateGroup()
	s.peers = slices.DeleteFunc(slices.Clone(members), func(m string) bool { return m == self })
	for m := range s.unable {
		if !slices.Contains(s.peers, m) {
			delete(s.unable, m)
		}
	}
	s.inView, s.told, s.heard = true, false, false
	n.tell(time.Now())
}

// tell multicasts that this member is unable to serve, or able again.
func (n *Node) tell(now time.Time) {
	s := &n.standing
	if l, wait := n.health.next(now, tellTime); l != nil {
		n.alarms.setBy(healthAlarm, wait)
	}
	switch wait, steady := n.health.steady(now); {
	case n.health.troubled(now, tellTime) != nil || s.said && !steady:
		s.said = true
	case s.said && wait > 0:
		n.alarms.setBy(healthAlarm, wait)
	case s.said:
		s.said, s.told, s.heard = false, false, false
		n.say(0)
	}
	if s.said && !s.told && len(s.peers) > 0 {
		s.told = true
		n.say(1)
	}
}

func (n *Node) say(unable byte) {
	n.send(outgoing{spreadproto.Agreed, int16(alloc.WithoutMessage), append([]byte(unableMagic), unable), n.config.Group})
}

// judge leaves the group if an interface has failed and that helps.
func (n *Node) judge(now time.Time) {
	if l, wait := n.health.next(now, failTime); l != nil {
		n.alarms.setBy(healthAlarm, wait)
	}
	l := n.health.troubled(now, failTime)
	switch s := &n.standing; {
	case l == nil, n.machine.State() == alloc.Gather:
	case !n.otherAble():
		if !l.stayed {
			l.stayed = true
			n.log.Errorf("%s, but no other member could serve its addresses: staying in the group", l.lasting(now))
		}
	case s.heard:
		n.log.Errorf("%s: leaving the group so that the others serve its addresses", l.lasting(now))
		n.counters.LinkFailures++
		n.health.left(now)
		n.away = l
		n.lose(n.awayReason())
		n.checkHealth()
	}
}

// otherAble reports whether another member of the view can serve, as far as known.
func (n *Node) otherAble() bool {
	self := n.session.conn.PrivateGroup()
	return slices.ContainsFunc(n.machine.Status().Members, func(m alloc.MemberStatus) bool {
		return m.Name != self && !m.Silent && !n.standing.unable[m.Name]
	})
}

// hearUnable takes a member's word that it is unable to serve, or able again. It
// reports whether the message was one; whatever is not is for the machine to judge.
func (n *Node) hearUnable(m *spreadproto.Regular) bool {
	if alloc.MessageType(m.Type) != alloc.WithoutMessage || len(m.Body) != len(unableMagic)+1 || string(m.Body[:len(unableMagic)]) != unableMagic ||
		m.Service&(spreadproto.Agreed|spreadproto.Safe) == 0 || len(m.Groups) != 1 || m.Groups[0] != n.config.Group {
		return false
	}
	s, unable := &n.standing, m.Body[len(unableMagic)] != 0
	switch {
	case m.Sender == n.session.conn.PrivateGroup():
		s.heard = unable && s.told
	case !slices.Contains(s.peers, m.Sender):
		return false
	case unable:
		if s.unable == nil {
			s.unable = make(map[string]bool)
		}
		s.unable[m.Sender] = true
	default:
		delete(s.unable, m.Sender)
	}
	n.checkHealth()
	return true
}

// awayReason says why this member has left by itself.
func (n *Node) awayReason() string {
	if l := n.health.troubled(time.Now(), 0); l != nil {
		return l.String()
	}
	return "interface " + n.away.name + " is back, but not for long enough"
}

// comeBack ends the time away once all interfaces have worked for long enough, or
// if the one for which this member has left is not needed any more.
func (n *Node) comeBack(now time.Time) {
	wait, ok := n.health.steady(now)
	switch {
	case n.health.find(n.away.name) == nil:
		n.log.Printf("interface %s is not needed any more: joining the group again", n.away.name)
	case !ok:
		return // an event will tell
	case wait > 0:
		n.alarms.set(healthAlarm, wait)
		return
	default:
		n.log.Printf("interface %s has been back for %v: joining the group again", n.away.name, n.health.hold())
	}
	n.health.back(now)
	n.away = nil
	n.connect()
}

// override ends the time away on the operator's word.
func (n *Node) override() {
	n.log.Warningf("told to come back to Spread (wackatrl -s) all the same: %s", n.awayReason())
	n.health.excuse()
	n.away = nil
	n.connect()
}
