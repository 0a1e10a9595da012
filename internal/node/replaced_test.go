package node

import (
	"context"
	"maps"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"wackamole/internal/logger"
	"wackamole/rtnl"
)

// cards is a host whose interface can be taken out and replaced by another of its
// name.
type cards struct {
	*host
	index uint32 // of the present one; 0: none
}

func (c *cards) Add(list []rtnl.Address, before func([]rtnl.Key), acked func([]rtnl.Address, []rtnl.Result)) []rtnl.Result {
	results := make([]rtnl.Result, len(list))
	var keys []rtnl.Key
	for i, a := range list {
		if c.index == 0 {
			results[i].Err = rtnl.ErrNoInterface
			continue
		}
		key := keyOf(a)
		key.Index = c.index
		keys = append(keys, key)
		results[i] = rtnl.Result{Outcome: rtnl.Added, Key: key}
	}
	before(keys)
	c.mu.Lock()
	for _, k := range keys {
		c.there[netip.PrefixFrom(netip.AddrFrom4(k.Addr), int(k.Bits))] = "eth0"
	}
	c.mu.Unlock()
	acked(list, results)
	return results
}

// takeOut removes the interface with its addresses.
func (c *cards) takeOut() {
	c.mu.Lock()
	gone := maps.Clone(c.there)
	clear(c.there)
	old := c.index
	c.index = 0
	c.mu.Unlock()
	for p, label := range gone {
		a := rtnl.Address{Interface: "eth0", Prefix: p, Label: label}
		c.watch <- rtnl.Event{Kind: rtnl.AddressGone, Address: rtnl.Assigned{Address: a, Index: int(old)}}
	}
	c.watch <- rtnl.Event{Kind: rtnl.LinkGone, Link: rtnl.Link{Index: int(old), Name: "eth0"}}
}

// The guard's list is as long as what is held, however often the interface is
// replaced, and names the addresses on the interface that is there.
func TestReplacedInterface(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newNetwork()
		c := &cards{host: newHost(t, "10.0.0.1/24"), index: 2}
		m := &member{host: c.host, done: make(chan struct{})}
		var ctx context.Context
		ctx, m.stop = context.WithCancel(t.Context())
		m.node = New(Options{
			Config: parse(t, settings), Spread: "4803", User: "m1", Address: netip.MustParseAddr("10.0.0.1"), Log: logger.New(c),
			Doors: Doors{Dial: net.dial, Kernel: c, Watch: c.watch, Announcer: c, Guard: c, GuardLost: c.lost},
		})
		go func() { defer close(m.done); m.node.Run(ctx) }()
		time.Sleep(time.Second)
		for turn := range 3 {
			synctest.Wait()
			c.takeOut()
			time.Sleep(firstPause)
			synctest.Wait()
			if len(c.guard.held) != 5 {
				t.Errorf("turn %d: while the interface is out the guard has %v, want the five addresses as they were", turn, c.guard.held)
			}
			c.index = uint32(turn) + 3
			c.watch <- rtnl.Event{Kind: rtnl.LinkNew, Link: rtnl.Link{Index: int(c.index), Name: "eth0", Up: true, Running: true, Carrier: true}}
			synctest.Wait()
			hold(t, "interface back", map[*member]string{m: "101 102 103 104 105"})
			if len(c.guard.held) != 5 {
				t.Errorf("turn %d: the guard has %v, want five addresses", turn, c.guard.held)
			}
			for k := range c.guard.held {
				if k.Index != c.index {
					t.Errorf("turn %d: the guard has %v, and the interface has the number %d", turn, k, c.index)
				}
			}
		}
		m.end()
		net.server.Close()
	})
}
