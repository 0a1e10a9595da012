package alloc

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// newView begins to collect the STATEs of a view. [agree]
func (m *Machine) newView(v View) {
	if m.state == Offline {
		return
	}
	me := slices.Index(v.Members, m.self)
	if me < 0 {
		m.rejoin("view %v does not list %s", v.ID, m.self)
		return
	}
	if m.next != nil {
		// The gather that it waited for has been interrupted, and this view may be
		// the one that was asked for on its account.
		m.configure(*m.next)
		m.next = nil
	}
	clear(m.table)
	m.members = make([]member, len(v.Members))
	for i, name := range v.Members {
		m.members[i].name = name
	}
	m.view, m.me, m.pending = v.ID, me, len(v.Members)
	m.state = Gather
	m.stop(BalanceTimer)
	m.log(Info, "view of %d: %s", len(v.Members), strings.Join(v.Members, " "))
	m.act(Multicast{StateMessage, m.stateBody().Append(nil, m.order)})
	m.start(GatherTimer, silence+silenceStep*time.Duration(me))
	m.shareNeighbours()
}

func (m *Machine) stateBody() *StateBody {
	s := &StateBody{
		View: m.view, Address: m.config.Address, Index: m.me, Mature: m.mature,
		Prefers: m.config.Prefer,
		Trailer: &Trailer{Abilities: CanGoOn, Fingerprint: m.fingerprint},
	}
	for i, c := range m.held {
		if c == Unclaimed {
			continue
		}
		key := m.config.Interfaces[i].Key()
		if c == PreferredClaimed && !slices.Contains(m.config.Prefer, key) {
			c = Claimed // a new configuration does not prefer it any more
		}
		s.Claims = append(s.Claims, ClaimOf{key, c})
	}
	return s
}

func (m *Machine) shareNeighbours() {
	m.act(ShareNeighbours{})
	if m.config.Share > 0 {
		m.start(NeighbourTimer, m.config.Share)
	}
}

// message takes a message from the group, if it may come from where it comes.
func (m *Machine) message(e Message) {
	if m.state == Offline || m.members == nil {
		return // not in a view yet: nothing can be meant for us
	}
	from := slices.IndexFunc(m.members, func(x member) bool { return x.name == e.Sender })
	switch {
	case from < 0:
		m.reject(NotAMember, "%v from %s, which is not in the view", e.Type, e.Sender)
	case len(e.Groups) != 1 || e.Groups[0] != m.config.Group:
		m.reject(WrongGroup, "%v from %s to %s", e.Type, e.Sender, strings.Join(e.Groups, " "))
	case e.Type.Ordered() && !e.Ordered:
		m.reject(Unordered, "%v from %s without the AGREED service", e.Type, e.Sender)
	case e.Type == StateMessage:
		m.stateReceived(from, e)
	case e.Type == MaturingMessage:
		m.maturingReceived()
	case e.Type == BalanceMessage:
		m.balanceReceived(from, e)
	case e.Type == WithoutMessage:
		m.withoutReceived(from, e)
	case e.Type == ARPCacheMessage:
		m.neighboursReceived(e)
	default:
		m.reject(UnknownType, "%v from %s", e.Type, e.Sender)
	}
}

// stateReceived takes the claims and preferences of one member. [agree]
func (m *Machine) stateReceived(from int, e Message) {
	if id, err := readView(e.Body, e.Order); err == nil && id != m.view {
		return // answers an earlier view
	}
	x := &m.members[from]
	// Before it is decoded: a flood of them should cost little.
	if x.answered {
		m.reject(Repeated, "second STATE from %s in one view", e.Sender)
		return
	}
	s, err := ParseState(e.Body, e.Order)
	switch {
	case err != nil:
		m.reject(Malformed, "STATE from %s: %v", e.Sender, err)
		return
	case s.Index != from:
		m.reject(NotItsPlace, "STATE from %s for index %d, which is not its own %d", e.Sender, s.Index, from)
		return
	case m.state != Gather:
		m.reject(OutOfPhase, "STATE from %s in state %v", e.Sender, m.state)
		return
	}
	x.answered, x.address, x.trailer = true, s.Address, s.Trailer
	x.otherEndian = e.Order.Uint16([]byte{0, 1}) != m.order.Uint16([]byte{0, 1})
	m.checkMember(from)
	var kept, lost []netip.Addr
	unknown := 0
	for _, c := range s.Claims {
		i, ok := m.index[c.Key]
		if !ok {
			unknown++
			continue
		}
		switch m.claim(from, i, c.Claim) {
		case conflictWon:
			kept = append(kept, c.Key)
		case conflictLost:
			lost = append(lost, c.Key)
		}
	}
	if unknown > 0 {
		m.reject(UnknownTarget, "%s holds %d virtual interfaces that are not in our list", e.Sender, unknown)
	}
	m.release(lost)
	for _, key := range s.Prefers {
		if i, ok := m.index[key]; ok && m.table[i].claim < Preferred {
			m.table[i] = row{s.Address, Preferred}
		}
	}
	if s.Mature && !m.mature {
		m.becomeMature()
	}
	m.pending--
	m.gathered()
	m.announceKept(kept)
}

// outcome is what the claim of a member means for what this member holds.
type outcome int

const (
	noConflict   outcome = iota
	conflictWon          // another held it too; this member keeps it
	conflictLost         // this member held it and has to release it now
)

// claim enters one claim into row i of the table and settles a conflict between
// two members that both hold the virtual interface, as after a merge. [agree]
func (m *Machine) claim(from, i int, q Claim) outcome {
	r, sender := &m.table[i], m.members[from].address
	winner, loser := r.owner, sender
	switch {
	case r.claim == Unclaimed:
		*r = row{sender, q}
		return noConflict
	case r.owner == sender:
		return noConflict // a key listed twice, or a second member under one real address
	case r.claim == Preferred:
		// Who holds it without preferring it releases it on entering Run.
		loser = netip.Addr{}
	case r.claim == Claimed && q == PreferredClaimed:
		winner, loser = sender, r.owner
		*r = row{sender, q}
	}
	switch {
	case m.held[i] == Unclaimed:
	case winner == m.config.Address:
		return conflictWon
	case loser == m.config.Address:
		m.held[i] = Unclaimed
		return conflictLost
	}
	return noConflict
}

// announceKept announces what this member kept in a conflict: the loser had
// announced it too, and half the network still believes that.
func (m *Machine) announceKept(keys []netip.Addr) {
	keys = slices.DeleteFunc(keys, func(k netip.Addr) bool { return !m.Holds(k) })
	if len(keys) > 0 {
		m.act(Announce{keys})
	}
}

// checkMember reports, once in every view, what makes agreement impossible. Where
// two members go by one real address, only the first in the view takes part:
// what the table gives to that address would be held twice otherwise. A crowd of
// them is reported by one line for each.
func (m *Machine) checkMember(from int) {
	x := &m.members[from]
	first := -1
	for i := range m.members {
		if o := &m.members[i]; i != from && o.answered && o.address == x.address {
			m.members[max(i, from)].namesake = true
			if first < 0 {
				first = i
			}
		}
	}
	if first >= 0 {
		m.log(Error, "%s and %s both call themselves %v: give each machine a real address of its own (-a)",
			m.members[first].name, x.name, x.address)
	}
	switch {
	case x.trailer == nil && x.otherEndian:
		m.log(Error, "%s (%v) is an original wackamole of the other byte order, which understands nothing of what we send",
			x.name, x.address)
	case x.trailer != nil && x.trailer.Fingerprint != m.fingerprint:
		m.log(Error, "%s (%v) has another list of virtual interfaces than %s (%v): addresses can be held twice or not at all until the lists are the same, in the same order",
			x.name, x.address, m.self, m.config.Address)
	}
}

// maturingReceived ends the time in which this member may hold nothing. [agree]
func (m *Machine) maturingReceived() {
	if m.mature {
		return
	}
	m.becomeMature()
	if m.state == Boot {
		m.run()
	}
}

func (m *Machine) becomeMature() {
	m.mature = true
	m.stop(MatureTimer)
}

// gathered goes on if no STATE is missing any more. [agree]
func (m *Machine) gathered() {
	if m.pending > 0 {
		return
	}
	m.stop(GatherTimer)
	if m.mature {
		m.run()
		return
	}
	m.state = Boot
	if m.next != nil {
		m.configure(*m.next)
		m.next = nil
	}
}

func (m *Machine) neighboursReceived(e Message) {
	entries, err := ParseNeighbours(e.Body)
	if err != nil {
		m.reject(Malformed, "ARPCACHE from %s: %v", e.Sender, err)
		return
	}
	m.act(MergeNeighbours{entries})
}
