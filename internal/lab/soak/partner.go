package main

import (
	"context"
	"encoding/binary"
	"net/netip"

	"wackamole/alloc"
	"wackamole/spreadproto"
)

// partnerAddress names the partner. No host has it.
var partnerAddress = netip.AddrFrom4([4]byte{10, 77, 0, 250})

// A partner is the least that can be another member: it has no addresses, and answers each view that it holds
// everything and prefers to. When it comes the others let go of everything, when it goes they take it over.
type partner struct {
	conn  *spreadproto.Conn
	ended chan error
}

// newPartner joins the group by the Spread daemon at path.
func newPartner(path, group string, list []netip.Addr) (*partner, error) {
	conn, err := spreadproto.Dial(context.Background(), path, spreadproto.Options{User: "partner", Membership: true})
	if err != nil {
		return nil, err
	}
	if err := conn.Join(group); err != nil {
		conn.Close()
		return nil, err
	}
	p := &partner{conn: conn, ended: make(chan error, 1)}
	go func() { p.ended <- p.answer(group, list) }()
	return p, nil
}

func (p *partner) answer(group string, list []netip.Addr) error {
	state := alloc.StateBody{Address: partnerAddress, Mature: true}
	interfaces := make([]alloc.VirtualInterface, len(list))
	for i, a := range list {
		state.Claims = append(state.Claims, alloc.ClaimOf{Key: a, Claim: alloc.PreferredClaimed})
		interfaces[i].Addresses = []netip.Addr{a}
	}
	state.Trailer = &alloc.Trailer{Abilities: alloc.CanGoOn, Fingerprint: alloc.Fingerprint(interfaces)}
	for {
		m, err := p.conn.Receive()
		if err != nil {
			return err
		}
		v, ok := m.(*spreadproto.Membership)
		if !ok || v.Group != group {
			continue
		}
		state.View, state.Index = alloc.ViewID(v.ID), v.Index(p.conn.PrivateGroup())
		body := state.Append(nil, binary.NativeEndian)
		if err := p.conn.Multicast(spreadproto.Agreed, int16(alloc.StateMessage), body, group); err != nil {
			return err
		}
	}
}

// leave ends the session, of which Spread tells the others at once.
func (p *partner) leave() {
	p.conn.Close()
	<-p.ended
}
