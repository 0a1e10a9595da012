package node

import (
	"encoding/binary"
	"net/netip"
	"time"

	"wackamole/alloc"
	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/logger"
	"wackamole/spreadproto"
)

// nativeOrder is the host's byte order, in which wackamole's integers travel.
var nativeOrder = binary.NativeEndian

func byteOrder(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// do carries out one action of the machine.
func (n *Node) do(a alloc.Action) {
	switch a := a.(type) {
	case alloc.Release:
		n.release(a.Keys)
	case alloc.Acquire:
		n.acquire(a.Keys)
	case alloc.Announce:
		n.announceAgain(a.Keys)
	case alloc.Multicast:
		n.multicast(a.Type, a.Body)
	case alloc.ShareNeighbours:
		n.shareNeighbours()
	case alloc.MergeNeighbours:
		n.mergeNeighbours(a.Entries)
	case alloc.StartTimer:
		n.alarms.set(alarm(a.Timer), a.After)
	case alloc.StopTimer:
		n.alarms.stop(alarm(a.Timer))
	case alloc.Rejoin:
		n.log.Errorf("leaving and joining again: %s", a.Reason)
		n.drop()
	case alloc.RenewView:
		n.visit()
	case alloc.Log:
		n.logLine(a)
	case alloc.Rejected:
		n.rejected(a.Reason.String(), a.Text)
	}
}

// Limits of what is logged about views, by level. A view is worth a few lines, and a
// process that joins and leaves in a loop makes hundreds of views a second.
const (
	journalBurst = 60
	journalEvery = time.Second // one more line
)

func (n *Node) logLine(a alloc.Log) {
	ok, suppressed := n.journal.Allow(a.Level.String(), time.Now())
	if !ok {
		return
	}
	text := a.Text + logger.Suppressed(suppressed)
	switch a.Level {
	case alloc.Error:
		n.logInTurn(logger.Error, text)
	case alloc.Warning:
		n.logInTurn(logger.Warning, text)
	default:
		n.logInTurn(logger.Notice, text)
	}
}

// rejected counts and logs a message that was ignored, the log within limits: who
// sends such messages can send a lot of them.
func (n *Node) rejected(kind, text string) {
	n.counters.rejected[kind]++
	if ok, suppressed := n.limiter.Allow(kind, time.Now()); ok {
		n.log.Warningf("ignored (%s): %s%s", kind, text, logger.Suppressed(suppressed))
	}
}

func (n *Node) multicast(t alloc.MessageType, body []byte) {
	service := spreadproto.Agreed
	if !t.Ordered() {
		service = spreadproto.Reliable
	}
	n.send(outgoing{service, int16(t), body, n.config.Group})
}

// shareSpacing is the time between two samples of the ARP cache at least: many views
// in a short time are not worth one each.
const shareSpacing = time.Second

// shareNeighbours multicasts the kernel's ARP cache, as far as it is about the
// networks of the virtual interfaces.
func (n *Node) shareNeighbours() {
	now := time.Now()
	if wait := shareSpacing - now.Sub(n.shared); wait > 0 {
		n.alarms.setBy(shareAlarm, wait)
		return
	}
	n.shared = now
	list, err := n.door.Kernel.Neighbours()
	if err != nil {
		n.log.Warningf("the ARP cache cannot be shared: %v", err)
		return
	}
	entries := make([]alloc.Neighbour, 0, len(list))
	for _, x := range list {
		if len(x.HardwareAddr) == 6 && n.holdings.near(x.Addr) {
			entries = append(entries, alloc.Neighbour{Address: x.Addr, LinkLayer: [6]byte(x.HardwareAddr)})
		}
	}
	for len(entries) > 0 {
		part := entries[:min(len(entries), alloc.NeighboursPerMessage)]
		entries = entries[len(part):]
		n.multicast(alloc.ARPCacheMessage, alloc.AppendNeighbours(nil, part))
	}
}

func (n *Node) mergeNeighbours(entries []alloc.Neighbour) {
	list := make([]garp.Neighbour, len(entries))
	for i, e := range entries {
		list[i] = garp.Neighbour{Addr: e.Address, Link: e.LinkLayer}
	}
	n.door.Announcer.MergePool(list)
}

// runHooks tells the hooks which virtual interfaces came or went, then that the
// round is over.
func (n *Node) runHooks(each, after conf.Event, keys []netip.Addr) {
	if len(keys) == 0 || n.door.Hooks == nil {
		return
	}
	for _, k := range keys {
		if vif, ok := n.holdings.byKey[k]; ok {
			n.door.Hooks.Run(each, &n.holdings.interfaces[vif], n.machine.Owner(k))
		}
	}
	n.door.Hooks.Run(after, nil, netip.Addr{})
}
