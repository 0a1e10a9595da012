package rtnl

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// maxNeighbours bounds what is kept of the neighbour table.
const maxNeighbours = 1 << 16

// A Neighbour is an entry of the ARP table with a link-layer address.
type Neighbour struct {
	// Index is the index of the interface.
	Index int
	// Addr is the IPv4 address.
	Addr netip.Addr
	// HardwareAddr is its Ethernet address.
	HardwareAddr [6]byte
	// State is one of the NUD_ states of linux/neighbour.h: reachable, stale,
	// delay, probe or permanent.
	State uint16
}

// neighbourStates are the states in which an entry has a link-layer address that
// came from the neighbour itself or from an administrator. Incomplete and failed
// entries have none; NOARP ones are made up by the kernel (multicast, loopback).
const neighbourStates = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT

// parse decodes the body of RTM_NEWNEIGH (rtnetlink(7)): struct ndmsg
//
//	0 1  family
//	1 3  padding
//	4 4  interface index
//	8 2  state, NUD_
//	10 1 flags, NTF_
//	11 1 type
//
// and attributes: NDA_DST the address, NDA_LLADDR the link-layer address. ok is
// false for an entry that is of no use here.
func (n *Neighbour) parse(body []byte) (ok bool, err error) {
	if len(body) < unix.SizeofNdMsg {
		return false, errMalformed
	}
	*n = Neighbour{Index: int(int32(order.Uint32(body[4:]))), State: order.Uint16(body[8:])}
	if body[0] != unix.AF_INET || n.State&neighbourStates == 0 {
		return false, nil
	}
	var hardware bool
	err = eachAttribute(body[unix.SizeofNdMsg:], func(kind uint16, data []byte) error {
		switch kind {
		case unix.NDA_DST:
			if len(data) != 4 {
				return errMalformed
			}
			n.Addr = netip.AddrFrom4([4]byte(data))
		case unix.NDA_LLADDR:
			if len(data) == 6 { // other link layers have no ARP pool
				n.HardwareAddr, hardware = [6]byte(data), true
			}
		}
		return nil
	})
	return err == nil && hardware && n.Addr.IsValid(), err
}

// Neighbours lists the ARP table: IPv4 entries with an Ethernet address, no
// incomplete or failed ones. It holds at most 65,536 entries, whatever the
// kernel's table has.
func (c *Conn) Neighbours() ([]Neighbour, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	request := make([]byte, unix.SizeofNdMsg)
	request[0] = unix.AF_INET
	var list []Neighbour
	err := c.session.dump(unix.RTM_GETNEIGH, request, 0, func() { list = list[:0] }, func(m message) error {
		var n Neighbour
		if m.kind != unix.RTM_NEWNEIGH || len(list) >= maxNeighbours {
			return nil
		}
		ok, err := n.parse(m.body)
		if ok {
			list = append(list, n)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list neighbours: %w", err)
	}
	return list, nil
}
