// Package alloc decides which member of a wackamole cluster holds which virtual
// interface. It is a pure state machine: events in, ordered actions out. It has
// no clock, no goroutine, no socket and no randomness, so that every member that
// is given the same ordered events decides the same, and so that whole clusters
// can be simulated in one process.
//
// The model. A Machine is one member. It keeps a table with one row a virtual
// interface: the owner's real address and the priority of its claim. Whenever
// Spread reports a new view (the ordered list of members), every member forgets
// its table and multicasts a STATE that tells what it holds and what it prefers.
// STATEs arrive everywhere in the same order, so every member builds the same
// table; when the last has come, the rows that nobody claimed go to the members
// with the fewest, and each member acquires and releases what the table says:
//
//	Offline --Connected--> Boot --View--> Gather --last STATE--> Run --View--> Gather
//	                        ^                |                    |
//	                        +---not mature---+                    +--BALANCE--> Run
//
// A member that has just started is not mature: it holds nothing until it hears
// that another is, or until its Mature timer has gone by. In Run the first member
// of the view evens out the table with BALANCE messages.
//
// What the package promises: actions come out in an order that is safe to carry
// out as it stands (release before acquire, acquire before announce); nothing a
// peer sends can make it panic, allocate more than its view and configuration
// call for, or hold two owners in one table row; what a peer sends and must not
// send is ignored and reported as a Rejected action.
//
// Rules that every member must compute alike, originals of wackamole 2.1.4
// included, are marked [agree] in the comments.
//
// The model in internal/sim/model shows where the original's protocol fails: three
// parts that each hold everything merge, the STATEs of two arrive, the first of
// them is cut off again. The third then holds what the conflict took out of its old
// table: its STATE does not say so, the table gives it to another, and nothing
// releases it. Here STATE tells what is held, and Run releases what is too much.
package alloc

import "net/netip"

// State is what a Machine is doing.
type State int

// The states. The original's further state, BALANCE, exists only inside its
// balancing step and has no counterpart here.
const (
	Offline State = iota // not connected to Spread; holds nothing
	Boot                 // connected, not mature; holds nothing
	Gather               // collecting the STATEs of a new view
	Run                  // the table is agreed
)

var stateNames = [...]string{"OFFLINE", "BOOT", "GATHER", "RUN"}

func (s State) String() string { return stateNames[s] }

// Claim is how strongly a row of the table is claimed; the numbers travel in
// STATE. 1 and 3 are unused by the protocol.
type Claim uint8

// The claim priorities.
const (
	Unclaimed        Claim = 0
	Claimed          Claim = 2
	Preferred        Claim = 4 // only while gathering: preferred, not yet acquired
	PreferredClaimed Claim = 5
)

// VirtualInterface is a set of addresses that always move together. The first
// is its key, by which messages name it.
type VirtualInterface struct {
	Addresses []netip.Addr // IPv4, at least one
}

// Key returns the address that names the virtual interface in messages.
func (v VirtualInterface) Key() netip.Addr { return v.Addresses[0] }
