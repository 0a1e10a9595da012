package control

import (
	"net/netip"
	"time"

	"wackamole/conf"
)

// State is the daemon's state at one moment, as RequestJSON tells it. Once given to the server it must
// not change any more; it may share what never changes, such as a configuration's addresses.
//
// The JSON object has these keys, always all of them, in this order. Keys may be added at the end.
//
//	program     name and version of the daemon
//	state       CONNECTING, BOOT, GATHER, RUN or FAILED, see Phase
//	mature      whether the member takes addresses
//	group       Spread group
//	self        {"name", "address", "index"}: the private group in Spread, the real address, the index in
//	            the view; null, null and -1 while unknown
//	view        {"id", "members"}; null while there is none. The id is an array of three numbers. Each
//	            member has {"name", "address", "index", "kind"}, kind being "ours", "original",
//	            "silent" or "unknown"; the address is null until the member told it
//	interfaces  the virtual interfaces in config order, each {"addresses", "owner", "mine", "claim",
//	            "held"}. Each address has {"interface", "ip", "prefix", "broadcast"}, broadcast being
//	            null where there is none; the owner is a real address or null; mine tells whether that
//	            is this member; claim is the priority (0 unclaimed, 2 claimed, 4 preferred, 5 preferred
//	            and claimed); held tells whether this host's kernel has all of the addresses
//	counters    see Counters: {"views", "take_overs", "releases", "address_failures",
//	            "addresses_put_back", "announcements", "notifications", "spread_reconnects",
//	            "hook_failures", "hooks_dropped", "guard_restarts", "link_failures",
//	            "last_take_over_seconds", "rejected", "state_seconds"}; rejected has a number for each
//	            kind of message, state_seconds one for each state
//	reason      why the state is FAILED, for people: who said so, or which interface has failed;
//	            null in any other state
type State struct {
	Program string
	Phase   Phase
	Mature  bool
	Group   string

	Name    string     // private group; empty while not connected
	Address netip.Addr // real address; invalid while unknown
	Index   int        // in the view's list of members, -1 while there is no view

	View       *View // nil while there is none
	Interfaces []VirtualInterface
	Counters   Counters
	Goroutines int    // of the daemon; metrics alone tell it
	Reason     string // why Phase is Failed; otherwise empty
}

// Phase is what the daemon is doing.
type Phase uint8

// The phases. All but Connecting and Failed are the original's states.
const (
	Connecting Phase = iota // no session with Spread, trying
	Boot                    // connected, waiting to mature
	Gather                  // collecting STATE of a new view
	Run                     // addresses are allocated
	Failed                  // away from Spread: the operator said so (wackatrl -f), or an interface has failed
	PhaseCount
)

// String returns the name that JSON, metrics and table use.
func (p Phase) String() string {
	names := [...]string{"CONNECTING", "BOOT", "GATHER", "RUN", "FAILED"}
	if int(p) < len(names) {
		return names[p]
	}
	return "UNKNOWN"
}

// View is the regular membership of the Spread group.
type View struct {
	ID      [3]uint32
	Members []Member
}

// Member is one of a view, at its index.
type Member struct {
	Name    string     // private group
	Address netip.Addr // real address; invalid until its STATE came
	Kind    MemberKind
}

// MemberKind tells what program a member runs, as far as its STATE tells.
type MemberKind uint8

// The kinds of members.
const (
	Unknown  MemberKind = iota // no STATE yet
	Ours                       // sent the trailer of this program
	Original                   // sent none
	Silent                     // the view goes on without it
)

// String returns the name that JSON and table use.
func (k MemberKind) String() string {
	names := [...]string{"unknown", "ours", "original", "silent"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// VirtualInterface is one virtual interface as the allocation table has it.
type VirtualInterface struct {
	Addresses []conf.Address
	Owner     netip.Addr // real address; invalid when nobody owns it
	Claim     int32      // claim priority: 0, 2, 4 or 5
	Held      bool       // this host's kernel has all of the addresses
}

// Counters count since the daemon started. Metrics have the same names with wackamole_ in front and
// _total behind where Prometheus wants them.
type Counters struct {
	Views           uint64 // regular membership messages
	TakeOvers       uint64 // virtual interfaces acquired
	Releases        uint64 // virtual interfaces released
	AddressFailures uint64 // addresses that could not be added or removed
	AddressesBack   uint64 // addresses put back after somebody else removed them
	Announcements   uint64 // frames of the announcements that every acquired address gets
	Notifications   uint64 // frames to the targets of Notify lists
	Reconnects      uint64 // sessions with Spread after the first
	HookFailures    uint64 // hooks that failed or were killed
	HooksDropped    uint64 // events of hooks that newer ones made moot, or that came too late
	GuardRestarts   uint64
	LinkFailures    uint64        // departures from the group because an interface had failed
	LastTakeOver    time.Duration // from the membership message to the last address added; 0 before the first
	Rejected        []Rejected    // messages rejected, by kind, in a stable order
	InPhase         [PhaseCount]time.Duration
}

// Rejected is the number of messages of one kind that were rejected.
type Rejected struct {
	Kind  string
	Count uint64
}
