package alloc

import (
	"net/netip"
	"slices"
)

// leader is the member that balances: the first that takes part in the view.
func (m *Machine) leader() int {
	return slices.IndexFunc(m.members, func(x member) bool { return x.takesPart() })
}

// startBalancing begins to even out the table that has just been agreed: with
// PerRound 0 (all) at once, otherwise in rounds.
func (m *Machine) startBalancing() {
	if m.config.PerRound == 0 {
		m.balance()
		return
	}
	m.armBalance()
}

// armBalance starts the balance timer if this member leads and there is
// something to move in rounds; an even table needs no timer.
func (m *Machine) armBalance() {
	if m.config.PerRound > 0 && m.state == Run && m.leader() == m.me && len(m.plan(1)) > 0 {
		m.start(BalanceTimer, m.config.Interval)
	}
}

// balance multicasts a round of moves. The table changes when the message comes
// back, on this member as on the others.
func (m *Machine) balance() {
	if m.state != Run || m.leader() != m.me {
		return
	}
	limit := len(m.table)
	if m.config.PerRound > 0 {
		limit = min(m.config.PerRound, len(m.table)/2)
	}
	moves := m.plan(limit)
	for len(moves) > 0 {
		n := min(len(moves), movesPerMessage)
		m.act(Multicast{BalanceMessage, AppendBalance(nil, m.order, moves[:n])})
		moves = moves[n:]
	}
}

// plan lists up to limit moves, each from the member with the most virtual
// interfaces to the one with the fewest, as long as they differ by more than
// one. Virtual interfaces that their owner prefers stay; a member that holds
// nothing else gives nothing. Among equals the first in the view begins, and
// whoever gave or got last goes on, as with the original.
func (m *Machine) plan(limit int) []Move {
	m.recount()
	movable := make(map[netip.Addr][]int, len(m.members)) // rows by owner, in configuration order
	for i, r := range m.table {
		if r.claim == Claimed {
			movable[r.owner] = append(movable[r.owner], i)
		}
	}
	var moves []Move
	most, fewest := -1, -1
	for len(moves) < limit {
		if most >= 0 && len(movable[m.members[most].address]) == 0 {
			most = -1
		}
		for i := range m.members {
			x := &m.members[i]
			if !x.takesPart() {
				continue
			}
			if len(movable[x.address]) > 0 && (most < 0 || x.count > m.members[most].count) {
				most = i
			}
			if fewest < 0 || x.count < m.members[fewest].count {
				fewest = i
			}
		}
		if most < 0 || m.members[most].count-m.members[fewest].count < 2 {
			break
		}
		from, to := &m.members[most], &m.members[fewest]
		rows := movable[from.address]
		moves = append(moves, Move{to.address, m.config.Interfaces[rows[0]].Key()})
		movable[from.address] = rows[1:]
		from.count--
		to.count++
	}
	return moves
}

// balanceReceived carries out a round of moves. [agree]
func (m *Machine) balanceReceived(from int, e Message) {
	moves, err := ParseBalance(e.Body, e.Order)
	switch {
	case err != nil:
		m.reject(Malformed, "BALANCE from %s: %v", e.Sender, err)
		return
	case m.state != Run:
		// Normal where a view overtakes a round: the STATEs say what counts.
		return
	case from != m.leader():
		m.reject(NotItsToSend, "BALANCE from %s, which does not lead the view", e.Sender)
		return
	}
	present := make(map[netip.Addr]bool, len(m.members))
	for i := range m.members {
		if m.members[i].takesPart() {
			present[m.members[i].address] = true
		}
	}
	unknown, refused := 0, 0
	for _, v := range moves {
		i, ok := m.index[v.Key]
		switch {
		case !ok:
			unknown++
		case !present[v.Owner] || m.table[i].owner == v.Owner:
			refused++
		case m.table[i].claim != Unclaimed:
			m.table[i].owner = v.Owner
		}
	}
	if unknown > 0 {
		m.reject(UnknownTarget, "BALANCE from %s moves %d virtual interfaces that are not in our list", e.Sender, unknown)
	}
	if refused > 0 {
		m.reject(UnknownOwner, "BALANCE from %s gives %d virtual interfaces to a member that is not there or has them", e.Sender, refused)
	}
	m.reconcile()
	m.armBalance()
}
