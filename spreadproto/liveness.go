package spreadproto

import "time"

// Silence of a daemon, see [Liveness].
const (
	// ProbeAfter is how long nothing may come before the daemon is probed.
	ProbeAfter = 5 * time.Second
	// SilentAfter is how long the answer to the probe may take. A 3.17 daemon
	// delivers nothing for 12 s while its ring changes.
	SilentAfter = 15 * time.Second
)

// A LivenessAction is what [Liveness.Next] asks for.
type LivenessAction uint8

// The actions.
const (
	LivenessWait  LivenessAction = iota // call Next again after the given time
	LivenessProbe                       // send a message to the own private group, then wait
	LivenessDead                        // the daemon is silent: give the session up
)

// String returns the action as a word.
func (a LivenessAction) String() string {
	switch a {
	case LivenessWait:
		return "wait"
	case LivenessProbe:
		return "probe"
	case LivenessDead:
		return "dead"
	}
	return "unknown"
}

// Liveness notices a daemon that hangs. The kernel answers for a process that
// is stopped, so that neither the connection nor keepalive tells. Therefore a
// session that heard nothing for ProbeAfter sends an agreed message to its own
// private group; if nothing at all comes within SilentAfter, the daemon is
// taken for lost.
//
// It is pure: the caller passes the time, reports each message by Heard and
// keeps a timer for Next. A caller that was stopped itself should take what has
// arrived before it calls Next.
type Liveness struct {
	heard  time.Time
	probed time.Time // zero if no probe is out
}

// Heard says that a message came, or that watching starts.
func (l *Liveness) Heard(now time.Time) {
	*l = Liveness{heard: now}
}

// Next returns what to do at this time, and after which time to ask again (0
// for LivenessDead). A probe that is asked for counts as sent.
func (l *Liveness) Next(now time.Time) (LivenessAction, time.Duration) {
	if l.probed.IsZero() {
		if wait := ProbeAfter - now.Sub(l.heard); wait > 0 {
			return LivenessWait, wait
		}
		l.probed = now
		return LivenessProbe, SilentAfter
	}
	if wait := SilentAfter - now.Sub(l.probed); wait > 0 {
		return LivenessWait, wait
	}
	return LivenessDead, 0
}
