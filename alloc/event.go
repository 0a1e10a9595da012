package alloc

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"wackamole/internal/fmt"
)

// An Event is something that happened to this member. Events must be given to
// Machine.Step in the order in which they happened; those from Spread in the
// order in which Spread delivered them.
type Event interface {
	fmt.Stringer
	isEvent()
}

// Connected says that a session with a Spread daemon is open and that the group
// has been asked for. Self is the session's private group name, by which views
// list this member.
type Connected struct{ Self string }

// Lost says that the session with Spread has ended, for whatever reason.
type Lost struct{ Reason string }

// View is a regular membership message of the group: who is in it now, in the
// order that every member sees, and the id that STATEs answer to.
type View struct {
	ID      ViewID
	Members []string // private group names
}

// Message is a data message that some process sent to some groups.
type Message struct {
	Sender  string   // private group name, guaranteed by Spread
	Groups  []string // destinations as sent
	Ordered bool     // sent with a service that promises one total order (AGREED, SAFE)
	Type    MessageType
	Order   binary.ByteOrder // of the sender's integers
	Body    []byte
}

// TimerFired says that the time of a StartTimer action has gone by.
type TimerFired struct{ Timer Timer }

// Reconfigured brings a new configuration. Addresses that are in both lists of
// virtual interfaces stay where they are.
type Reconfigured struct{ Config Config }

func (Connected) isEvent()    {}
func (Lost) isEvent()         {}
func (View) isEvent()         {}
func (Message) isEvent()      {}
func (TimerFired) isEvent()   {}
func (Reconfigured) isEvent() {}

func (e Connected) String() string { return "connected as " + e.Self }
func (e Lost) String() string      { return "lost: " + e.Reason }
func (e View) String() string {
	return fmt.Sprintf("view %v: %s", e.ID, strings.Join(e.Members, " "))
}
func (e Message) String() string {
	return fmt.Sprintf("%v from %s, %d bytes", e.Type, e.Sender, len(e.Body))
}
func (e TimerFired) String() string { return fmt.Sprintf("%v timer fired", e.Timer) }
func (e Reconfigured) String() string {
	return fmt.Sprintf("reconfigured: %d virtual interfaces", len(e.Config.Interfaces))
}

// ViewID names a view: the three integers of Spread's group id.
type ViewID [3]uint32

func (id ViewID) String() string { return fmt.Sprintf("%08x-%08x-%d", id[0], id[1], id[2]) }

// Timer names one of the machine's timers. Each runs at most once at a time:
// starting it again replaces the time that it had left.
type Timer int

// The timers.
const (
	MatureTimer    Timer = iota // until this member declares itself mature
	BalanceTimer                // until the next round of balancing
	GatherTimer                 // until silent members are gone on without
	NeighbourTimer              // until the ARP cache is shared again
	Timers                      // how many there are
)

var timerNames = [...]string{"mature", "balance", "gather", "neighbour"}

func (t Timer) String() string { return timerNames[t] }

func addrs(list []netip.Addr) string {
	var b strings.Builder
	for i, a := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.String())
	}
	return b.String()
}
