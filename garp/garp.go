// Package garp tells the hosts of a network which link-layer address answers
// for a virtual IP address from now on.
//
// The model. An Announcer is given virtual interfaces, each a key and its
// addresses, at the moment their addresses are in the kernel (Announce), and
// is told when they are about to leave it (Withdraw). For each address it sends
//
//   - the default announcements, always: a gratuitous ARP request and a
//     gratuitous ARP reply, broadcast, at once and again after about 1, 2 and 5
//     seconds. Of all addresses the first frame leaves before the second of any;
//   - the packet sets of the Notify lists, as the original wackamole does: one
//     set a target, the targets being a block of addresses or the neighbours of
//     the ARP pool that all members share.
//
// One goroutine sends. It owns no socket: frames leave through a Sender, in
// batches, and in order of urgency, so that list work never delays an
// announcement: of default announcements the earliest repetition first, and only
// when none is due a batch of list work. List targets are worked out as they
// are sent; what an address costs is a few dozen bytes, however long its lists.
// One timer serves everything, and it is stopped while nothing is pending.
//
// No frame leaves after Withdraw returned. Frames that the kernel has no room
// for are tried again within milliseconds; frames of an interface that is
// down or gone are dropped, counted and reported, and the next repetition looks
// at the interface anew.
package garp

import (
	"errors"
	"net/netip"
)

// A VirtualInterface is a set of addresses that move together.
type VirtualInterface struct {
	// Key names the virtual interface in Withdraw: its first address.
	Key       netip.Addr
	Addresses []Address
}

// An Address is one virtual IP address on this host.
type Address struct {
	Addr      netip.Addr // IPv4
	Interface string     // where it is configured, such as eth0 (never an alias such as eth0:1)
	// Network is the address's own network, to which the targets of the Notify
	// lists are confined: the address masked with nNET of the configuration.
	Network netip.Prefix
}

// A NotifyEntry is one entry of the Notify lists.
type NotifyEntry struct {
	// ARPCache makes the ARP pool the source of targets; Interface and Block
	// then mean nothing.
	ARPCache  bool
	Interface string       // only for addresses on this interface
	Block     netip.Prefix // targets: this block's intersection with the address's own network
	Throttle  int          // targets a second for one virtual address; 0: as fast as the overall cap lets
	Ping      bool         // an ICMP echo request after the ARP frames
}

// A Neighbour is an entry of the ARP pool.
type Neighbour struct {
	Addr netip.Addr // IPv4
	Link LinkAddr
}

// A Config is what a reload of the configuration may change.
type Config struct {
	Notify []NotifyEntry
	// Networks are the own networks of all configured virtual addresses,
	// acquired or not: the pool takes no neighbour from outside.
	Networks []netip.Prefix
}

// A Sender is the way to the wire. The Announcer calls it from one goroutine.
type Sender interface {
	// Link reads the interface's present link-layer address. It is called
	// before every announcement and every repetition, for the address may
	// change and the interface may be replaced. Errors: ErrNoARP for an
	// interface on which ARP means nothing; any other is one that may pass.
	Link(name string) (LinkAddr, error)
	// Send hands Ethernet frames to the named interface, in order, and never
	// waits. It returns how many of them, from the first, were taken; if not
	// all were, err says why: ErrBusy if trying again shortly makes sense.
	// It keeps neither the slice nor the frames.
	Send(name string, frames [][]byte) (int, error)
}

// ErrNoARP is a Sender's answer for an interface without ARP or without
// Ethernet's link-layer addresses (loopback, tunnels): it is skipped quietly.
var ErrNoARP = errors.New("the interface does not use ARP over Ethernet")

// ErrBusy is a Sender's answer where a queue on the way is full at the moment.
var ErrBusy = errors.New("transmit queue full")

// Stats are counters since the Announcer was made, and its present load.
type Stats struct {
	Announcements uint64 // frames of default announcements taken by the kernel
	Notifications uint64 // frames of the Notify lists taken by the kernel
	Retries       uint64 // times that a full queue put off the rest of a batch
	Dropped       uint64 // frames that were due and could not be sent
	DroppedLists  uint64 // Notify lists given up because their interface stayed away
	Wakeups       uint64 // times that the goroutine woke up to look for something to do
	Pending       int    // virtual interfaces with something still to send
	Pool          int    // neighbours in the ARP pool
}
