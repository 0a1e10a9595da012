package node

import (
	"errors"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/alloc"
	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/hosts"
	"wackamole/spreadproto"
)

// restTime after the last change of what the member does it has come to rest:
// repeated announcements and hooks are over, as a rule.
const restTime = 10 * time.Second

// shutdownTime bounds what may still be done after the addresses are released.
const shutdownTime = 5 * time.Second

// Run is a member's life, until ctx ends. When it returns, this host holds no
// virtual address any more.
func (n *Node) Run(ctx context.Context) error {
	n.counters = newCounters()
	n.configureAnnouncer()
	n.sweep()
	n.learnLinks()
	n.connect()
	for {
		if p := n.phase(); p != n.counters.phase {
			n.counters.enter(p)
			n.checkHealth()
			n.alarms.set(restAlarm, restTime)
		}
		fired := n.alarms.arm()
		select {
		case <-ctx.Done():
			n.lose("told to stop")
			n.shutdown()
			return nil
		case r := <-n.received:
			n.awake()
			n.fromSpread(r)
		case d := <-n.dials:
			n.awake()
			n.connected(d)
		case e, ok := <-n.door.Watch:
			n.awake()
			if !ok {
				n.log.Errorf("changes of interfaces and addresses are not seen any more: the kernel's socket failed")
				n.door.Watch = nil
				n.health.forget()
				n.checkHealth()
				continue
			}
			n.fromKernel(e)
		case f := <-n.requests:
			n.awake()
			f()
		case released := <-n.door.GuardLost:
			n.guardLost(released)
		case <-fired:
			n.awake()
			for k, ok := n.alarms.take(); ok; k, ok = n.alarms.take() {
				n.ring(k)
			}
		}
	}
}

// awake comes before anything else is done. If this process stood still for so
// long that its guard has released the addresses, the others have gone on
// without it: whatever has queued up meanwhile speaks of a view that is no
// longer ours.
func (n *Node) awake() {
	if n.session != nil && !n.holdings.empty() && n.door.Guard.Expired() {
		n.stoodStill()
	}
	if now := time.Now(); now.Sub(n.lastBeat) > beatSpacing {
		n.lastBeat = now
		n.door.Guard.Beat()
	}
}

func (n *Node) stoodStill() {
	n.log.Errorf("this process stood still for too long, its guard has released the addresses: leaving and joining again")
	n.lose("stood still")
}

// How often the guard is told that we are alive: when the loop wakes anyway, and
// at the latest after beatTime, half of what the guard waits and the time after
// which Spread is probed, so that an idle member wakes once for both.
const (
	beatSpacing = time.Second
	beatTime    = spreadproto.ProbeAfter
)

func (n *Node) armBeat() {
	if !n.holdings.empty() {
		n.alarms.set(beatAlarm, beatTime)
	}
}

// ring handles an alarm.
func (n *Node) ring(k alarm) {
	switch k {
	case connectAlarm:
		n.connect()
	case livenessAlarm:
		n.watchSpread()
	case beatAlarm:
		n.armBeat() // awake has given the sign of life
	case repairAlarm:
		n.repair()
	case guardAlarm:
		n.startGuard()
	case shareAlarm:
		n.shareNeighbours()
	case healthAlarm:
		n.checkHealth()
	case lookAlarm:
		n.lookAgain()
	case changeAlarm:
		n.changeOver()
	case restAlarm:
		if n.door.Rest != nil {
			n.door.Rest()
		}
	default:
		n.step(alloc.TimerFired{Timer: alloc.Timer(k)})
	}
}

// step gives the machine an event and carries out what it asks for.
func (n *Node) step(e alloc.Event) {
	for _, a := range n.machine.Step(e) {
		n.do(a)
	}
}

// connect begins an attempt to open a session.
func (n *Node) connect() {
	if n.session != nil || n.dialling || n.failed || n.away != nil || n.waitForLinks() {
		return
	}
	n.dialling = true
	n.log.Printf("connecting to %s", n.spread)
	n.dial()
}

// connected takes the end of an attempt.
func (n *Node) connected(d dialled) {
	n.dialling = false
	switch {
	case d.err != nil:
		n.log.Printf("Spread connect failed [%d].", errorCode(d.err))
		n.log.Warningf("%v; trying again in %v", d.err, n.config.RetryInterval)
		n.alarms.set(connectAlarm, n.config.RetryInterval)
		return
	case n.failed:
		d.conn.Close()
		return
	}
	if d.address != n.known {
		n.known = d.address
		if d.reason != "" {
			n.log.Warningf("%s", d.reason)
		}
		n.log.Printf("this member's real address is %v", d.address)
		n.step(alloc.Reconfigured{Config: machineConfig(n.config, d.address)})
	}
	n.log.Printf("connected to Spread as %s", d.conn.PrivateGroup())
	n.opened = time.Now()
	n.counters.sessions++
	n.session = n.open(d.conn, n.config.Group)
	n.door.Guard.Session(d.conn)
	n.liveness.Heard(n.opened)
	n.step(alloc.Connected{Self: d.conn.PrivateGroup()})
}

// errorCode is the number that the original's client library has for an error.
func errorCode(err error) int {
	var refused *spreadproto.RejectError
	var auth *spreadproto.AuthError
	switch {
	case errors.As(err, &refused):
		return int(refused.Code)
	case errors.As(err, &auth):
		return int(spreadproto.RejectAuth)
	case errors.Is(err, hosts.ErrNotFound):
		return -1 // ILLEGAL_SPREAD
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, unix.ECONNRESET):
		return -8 // CONNECTION_CLOSED
	}
	return -2 // COULD_NOT_CONNECT
}

// lose ends the session, if there is one, and releases everything first. A new
// session is tried at once, or after the retry interval if this one was short.
func (n *Node) lose(reason string) {
	if n.session == nil {
		return
	}
	n.step(alloc.Lost{Reason: reason})
	n.drop()
}

// drop closes the session, after the machine has given up everything.
func (n *Node) drop() {
	n.session.close()
	n.logLines()
	n.session, n.standing = nil, standing{}
	n.alarms.stop(livenessAlarm)
	n.alarms.stop(shareAlarm)
	if n.failed || n.away != nil {
		return
	}
	if time.Since(n.opened) < n.config.RetryInterval {
		n.alarms.set(connectAlarm, n.config.RetryInterval)
	} else {
		n.alarms.set(connectAlarm, 0)
	}
}

// shutdown ends everything that runs beside the loop, within a bound.
func (n *Node) shutdown() {
	n.door.Announcer.Close()
	n.logLines()
	if n.door.Hooks != nil {
		n.door.Hooks.Drain(shutdownTime)
	}
	n.door.Guard.Done()
	n.cancel()
	ended := make(chan struct{})
	go func() { n.background.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(shutdownTime):
		n.log.Warningf("something did not end within %v and is left behind", shutdownTime)
	}
}

// fromSpread takes what a session received.
func (n *Node) fromSpread(r received) {
	if r.from != n.session {
		return // of a session that has ended
	}
	if r.err != nil {
		n.lose(r.err.Error())
		return
	}
	n.liveness.Heard(time.Now())
	switch m := r.message.(type) {
	case *spreadproto.Regular:
		if m.Sender == n.session.conn.PrivateGroup() && len(m.Groups) == 1 && m.Groups[0] == m.Sender {
			return // the answer to our own probe
		}
		if n.hearUnable(m) {
			return
		}
		n.step(alloc.Message{
			Sender: m.Sender, Groups: m.Groups, Type: alloc.MessageType(m.Type), Body: m.Body,
			Ordered: m.Service&(spreadproto.Agreed|spreadproto.Safe) != 0,
			Order:   byteOrder(m.BigEndian),
		})
	case *spreadproto.Membership:
		if m.Group == n.config.Group {
			n.counters.Views++
			n.counters.trigger = time.Now()
			n.seeView(m.Members)
			n.step(alloc.View{ID: alloc.ViewID(m.ID), Members: m.Members})
		}
	case *spreadproto.SelfLeave:
		if m.Group == n.config.Group {
			n.lose("Spread says that we left the group")
		}
	case *spreadproto.Oversized:
		n.rejected("oversized", fmt.Sprintf("message of %d bytes from %s", m.Length, m.Sender))
	case *spreadproto.Rejected:
		n.rejected("refused by Spread", fmt.Sprintf("the Spread daemon's policy refuses what we send to %s", strings.Join(m.Groups, " ")))
	}
}

// watchSpread notices a daemon that hangs: the kernel keeps its connection
// alive. Only a member that holds something needs to know.
func (n *Node) watchSpread() {
	if n.session == nil || n.holdings.empty() {
		return
	}
	action, wait := n.liveness.Next(time.Now())
	switch action {
	case spreadproto.LivenessDead:
		n.lose("no sign of life from the Spread daemon")
		return
	case spreadproto.LivenessProbe:
		self := n.session.conn.PrivateGroup()
		n.send(outgoing{spreadproto.Agreed, 0, nil, self})
		wait = min(wait, spreadproto.ProbeAfter)
	}
	n.alarms.set(livenessAlarm, wait)
}

// send queues a message for Spread.
func (n *Node) send(o outgoing) {
	if n.session == nil {
		return
	}
	if !n.session.multicast(o) {
		n.log.Errorf("Spread has not taken any of our last %d messages", queued)
		s := n.session
		// Not from here: the machine may be in the middle of a step.
		n.background.Go(func() {
			select {
			case n.received <- received{s, nil, errors.New("its queue is full")}:
			case <-n.context.Done():
			}
		})
	}
}
