// Package node is the daemon: it binds the configuration, Spread, the allocation
// machine, the kernel and the announcements together.
//
// One goroutine, the loop in Run, owns all state. Whatever can block lives in
// goroutines beside it and sends it events: a reader and a writer for the session
// with Spread, a watcher of the kernel's links and addresses, the control socket's
// clients. The loop gives events to alloc.Machine and carries out the actions that
// come back, in their order:
//
//	Spread ----received---+                      +--> guard: these addresses are held
//	timers ----alarms-----+--> loop -> machine --+--> kernel: add, remove (rtnl)
//	kernel ----watch------+             |        +--> network: announce (garp)
//	control ---requests---+          actions     +--> Spread: multicast
//	signals ---context----+                      +--> hooks
//
// What is held follows from two rules. Without a session with Spread nothing is
// held: losing it, being told to stop, or finding out that this process stood
// still so long that the guard has released its addresses all lead to the same
// place, where everything is released before anything else is done. And what the
// machine says is to be held is put back whenever the kernel turns out not to have
// it, at growing intervals, until it has it or the machine says otherwise.
//
// A third is about being of use: a member leaves the group for an interface that
// has failed, if another member can serve what it cannot (see standing).
package node

import (
	"net/netip"
	"sync"
	"time"

	"wackamole/alloc"
	"wackamole/conf"
	"wackamole/internal/context"
	"wackamole/internal/logger"
	"wackamole/spreadproto"
)

// Options is what a Node is made of.
type Options struct {
	Config  *conf.Config
	Spread  string     // where the daemon is, the command line's word over the file's
	User    string     // private name to ask Spread for
	Address netip.Addr // this member's real address; zero: find it
	Program string     // name and version, for the control socket
	Log     *logger.Logger
	Doors   Doors
}

// Node is one member. Make it with New, then call Run once.
type Node struct {
	config  *conf.Config
	spread  string
	user    string
	address netip.Addr // set by the command line
	program string
	log     *logger.Logger
	door    Doors

	lines      []line          // of the log, see later.go
	changed    int             // lines that waited since the last collection of garbage
	context    context.Context // ends the background goroutines
	cancel     context.CancelFunc
	background sync.WaitGroup

	received chan received
	dials    chan dialled
	requests chan func()

	machine  *alloc.Machine
	known    netip.Addr // the real address in use
	alarms   *alarms
	limiter  logger.Limiter // of what others send wrongly
	journal  logger.Limiter // of what the machine says
	liveness spreadproto.Liveness

	session  *session
	opened   time.Time // when the session began
	dialling bool
	failed   bool  // told to stay away (wackatrl -f)
	away     *link // the failed interface for which this member has left
	putOff   bool  // connecting waits for an interface
	health   health
	standing standing
	unlooked unlooked
	holdings *holdings
	counters counters
	lastBeat time.Time
	shared   time.Time // when the ARP cache was last sampled
}

// New makes a node. It opens nothing and changes nothing.
func New(o Options) *Node {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{
		config: o.Config, spread: o.Spread, user: o.User, address: o.Address, program: o.Program, log: o.Log, door: o.Doors,
		context: ctx, cancel: cancel,
		received: make(chan received), dials: make(chan dialled), requests: make(chan func()),
		alarms: newAlarms(), journal: logger.Limiter{Burst: journalBurst, Every: journalEvery},
	}
	n.machine = alloc.New(machineConfig(o.Config, o.Address), nativeOrder)
	n.holdings = newHoldings(o.Config.Interfaces)
	n.health.configure(o.Config.Interfaces)
	return n
}

// machineConfig is what the machine needs to know of a configuration.
func machineConfig(c *conf.Config, address netip.Addr) alloc.Config {
	list := make([]alloc.VirtualInterface, len(c.Interfaces))
	for i, v := range c.Interfaces {
		for _, a := range v.Addresses {
			list[i].Addresses = append(list[i].Addresses, a.Addr())
		}
	}
	return alloc.Config{
		Interfaces: list, Prefer: c.Prefer, Address: address, Group: c.Group, Mature: c.Mature,
		PerRound: c.Balance.PerRound, Interval: c.Balance.Interval, Share: c.ARPCache,
	}
}
