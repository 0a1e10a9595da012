package node

import (
	"net/netip"
	"syscall"
	"time"

	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/context"
	"wackamole/rtnl"
)

// Doors are the ways out of the loop: each is what one other package does, and a
// test double stands in for it in tests.
type Doors struct {
	Dial      Dialer
	Lookup    Lookup
	Kernel    Kernel
	Watch     <-chan rtnl.Event
	Announcer Announcer
	Guard     Guard
	GuardLost <-chan bool // the guard has ended; true: after it released everything
	Hooks     Hooks       // nil: none
	Rest      func()      // called when the last change is some time ago; nil: nothing to do then
}

// Dialer opens sessions with Spread: name is what the Spread setting says, user
// the private name to ask for.
type Dialer func(ctx context.Context, name, user string) (Conn, error)

// Lookup resolves a host name to IPv4 addresses, in the resolver's order.
type Lookup func(ctx context.Context, host string) ([]netip.Addr, error)

// Kernel is rtnl.Conn.
type Kernel interface {
	Add(list []rtnl.Address, before func([]rtnl.Key), acked func([]rtnl.Address, []rtnl.Result)) []rtnl.Result
	Delete(list []rtnl.Address) []rtnl.Result
	Addresses() ([]rtnl.Assigned, error)
	Links() ([]rtnl.Link, error)
	Neighbours() ([]rtnl.Neighbour, error)
}

// Announcer is garp.Announcer. None of its methods waits for the network.
type Announcer interface {
	Announce(list []garp.VirtualInterface, more bool)
	Withdraw(keys []netip.Addr)
	MergePool(entries []garp.Neighbour) int
	Configure(c garp.Config)
	Stats() garp.Stats
	Close()
}

// Guard is the process that releases the addresses if this one cannot. None of
// its methods waits for it.
type Guard interface {
	Hold(list []rtnl.Key) // before the kernel gets them
	Drop(list []rtnl.Key) // after the kernel has let them go
	Beat()                // a sign of life
	Expired() bool        // it has given this process up
	Session(syscall.Conn) // the connection with Spread, for the guard to end
	Restart(held []rtnl.Key) error
	Done()
}

// Hooks runs the executables and Perl subs that the configuration names. Run
// never waits for them.
type Hooks interface {
	Run(e conf.Event, v *conf.VirtualInterface, owner netip.Addr)
	Configure(c *conf.Config)
	Drain(limit time.Duration)
	Failures() (failed, dropped uint64)
}
