package alloc

import "net/netip"

// run allocates what nobody claimed and carries the table out.
func (m *Machine) run() {
	m.allocate()
	m.state = Run
	if m.next != nil {
		m.configure(*m.next)
		m.next = nil
	}
	m.reconcile()
	mine := 0
	for _, c := range m.held {
		if c != Unclaimed {
			mine++
		}
	}
	m.log(Info, "running: holding %d of %d virtual interfaces, %d members", mine, len(m.table), m.present())
	m.startBalancing()
}

// allocate gives every row an owner, in two passes in configuration order.
// [agree]
func (m *Machine) allocate() {
	for i := range m.table {
		if m.table[i].claim == Preferred {
			m.table[i].claim = PreferredClaimed
		}
	}
	// The original moves counts from owner to owner as it learned them, and lets
	// them drift apart after a merge; counting the table anew gives the same
	// wherever its members agree with each other.
	m.recount()
	for i := range m.table {
		if m.table[i].claim != Unclaimed {
			continue
		}
		best := -1
		for k := range m.members {
			if x := &m.members[k]; x.takesPart() && (best < 0 || x.count < m.members[best].count) {
				best = k
			}
		}
		if best < 0 {
			return
		}
		m.members[best].count++
		m.table[i] = row{m.members[best].address, Claimed}
	}
}

// recount counts the rows of every member.
func (m *Machine) recount() {
	byAddress := make(map[netip.Addr]*member, len(m.members))
	for i := range m.members {
		x := &m.members[i]
		x.count = 0
		if x.takesPart() {
			byAddress[x.address] = x
		}
	}
	for _, r := range m.table {
		if x := byAddress[r.owner]; x != nil && r.claim != Unclaimed {
			x.count++
		}
	}
}

// takesPart reports whether a member can be given virtual interfaces.
func (x *member) takesPart() bool { return x.answered && !x.namesake }

// reconcile makes this host hold exactly the rows that the table gives it:
// releases first, so that no address is on two interfaces of one host, then
// acquisitions. The original acts on the difference to its previous table alone,
// which a merge that is cut short leaves wrong for good.
func (m *Machine) reconcile() {
	part := m.members[m.me].takesPart()
	mine := func(i int) bool {
		return part && m.table[i].claim != Unclaimed && m.table[i].owner == m.config.Address
	}
	m.release(m.keys(func(i int) bool { return m.held[i] != Unclaimed && !mine(i) }))
	acquire := m.keys(func(i int) bool { return m.held[i] == Unclaimed && mine(i) })
	for i := range m.held {
		m.held[i] = Unclaimed
		if mine(i) {
			m.held[i] = m.table[i].claim
		}
	}
	if len(acquire) > 0 {
		m.act(Acquire{acquire})
	}
}

// present counts the members that take part in the view.
func (m *Machine) present() int {
	n := 0
	for i := range m.members {
		if m.members[i].takesPart() {
			n++
		}
	}
	return n
}
