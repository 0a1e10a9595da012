package alloc

import (
	"net/netip"
	"time"

	"wackamole/internal/fmt"
)

// An Action is something that the owner of a Machine has to do. Actions must be
// carried out in the order in which Step returned them. That order is part of
// the contract: what a step releases comes before what it acquires, what it
// acquires before what it announces again, and a STATE never precedes the
// releases that made it true.
type Action interface {
	fmt.Stringer
	isAction()
}

// Release asks to remove the addresses of these virtual interfaces, named by
// their keys in configuration order, from this host.
type Release struct{ Keys []netip.Addr }

// Acquire asks to add the addresses of these virtual interfaces to this host
// and to announce them.
type Acquire struct{ Keys []netip.Addr }

// Announce asks to announce again virtual interfaces that this host holds and
// keeps: another member had announced them too before the partition healed.
type Announce struct{ Keys []netip.Addr }

// Multicast asks to send a message to the group.
type Multicast struct {
	Type MessageType
	Body []byte
}

// ShareNeighbours asks to multicast this host's ARP cache (ARPCACHE messages,
// see AppendNeighbours).
type ShareNeighbours struct{}

// MergeNeighbours brings entries of another member's ARP cache.
type MergeNeighbours struct{ Entries []Neighbour }

// StartTimer asks for a TimerFired event after a while; StopTimer takes it back.
type StartTimer struct {
	Timer Timer
	After time.Duration
}

// StopTimer asks that the timer does not fire any more.
type StopTimer struct{ Timer Timer }

// Rejoin asks to close the session with Spread and to connect anew: this member
// is not entitled to anything until it has gone through a view again. The
// machine is Offline when it asks for it.
type Rejoin struct{ Reason string }

// RenewView asks to bring about a new view without this member's leaving (by a
// session that joins the group and disconnects), since the protocol has no other
// way to have a changed list of virtual interfaces agreed.
type RenewView struct{}

// Log asks to log a line.
type Log struct {
	Level Level
	Text  string
}

// Rejected reports a message that was ignored because its sender had no right to
// send it or made it wrongly. It should be counted by Reason and logged, but not
// without a limit of rate.
type Rejected struct {
	Reason Reason
	Text   string
}

func (Release) isAction()         {}
func (Acquire) isAction()         {}
func (Announce) isAction()        {}
func (Multicast) isAction()       {}
func (ShareNeighbours) isAction() {}
func (MergeNeighbours) isAction() {}
func (StartTimer) isAction()      {}
func (StopTimer) isAction()       {}
func (Rejoin) isAction()          {}
func (RenewView) isAction()       {}
func (Log) isAction()             {}
func (Rejected) isAction()        {}

func (a Release) String() string         { return "release " + addrs(a.Keys) }
func (a Acquire) String() string         { return "acquire " + addrs(a.Keys) }
func (a Announce) String() string        { return "announce " + addrs(a.Keys) }
func (a Multicast) String() string       { return fmt.Sprintf("multicast %v %x", a.Type, a.Body) }
func (ShareNeighbours) String() string   { return "share neighbours" }
func (a MergeNeighbours) String() string { return fmt.Sprintf("merge %d neighbours", len(a.Entries)) }
func (a StartTimer) String() string      { return fmt.Sprintf("start %v timer %v", a.Timer, a.After) }
func (a StopTimer) String() string       { return fmt.Sprintf("stop %v timer", a.Timer) }
func (a Rejoin) String() string          { return "rejoin: " + a.Reason }
func (RenewView) String() string         { return "renew view" }
func (a Log) String() string             { return fmt.Sprintf("log %v: %s", a.Level, a.Text) }
func (a Rejected) String() string        { return fmt.Sprintf("rejected (%v): %s", a.Reason, a.Text) }

// Level is how much a log line matters.
type Level int

// The levels.
const (
	Info Level = iota
	Warning
	Error
)

var levelNames = [...]string{"info", "warning", "error"}

func (l Level) String() string { return levelNames[l] }

// Reason says why a message was rejected.
type Reason int

// The reasons.
const (
	NotAMember    Reason = iota // the sender is not in the view
	WrongGroup                  // not sent to exactly this group
	Unordered                   // sent without the promise of a total order
	Malformed                   // lengths or values that cannot be
	UnknownType                 // a message type that this version does not know
	NotItsPlace                 // a STATE for another member's index
	Repeated                    // a second STATE from one member in one view
	OutOfPhase                  // a message that does not belong into the present state
	NotItsToSend                // BALANCE or WITHOUT from a member that may not send it
	UnknownOwner                // BALANCE that names an owner outside the view, or the present one
	UnknownTarget               // a virtual interface that is not in the configuration
	Reasons                     // how many there are
)

var reasonNames = [...]string{
	"not a member", "wrong group", "unordered", "malformed", "unknown type", "not its place",
	"repeated", "out of phase", "not its to send", "unknown owner", "unknown virtual interface",
}

func (r Reason) String() string { return reasonNames[r] }
