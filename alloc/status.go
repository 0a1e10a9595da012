package alloc

import "net/netip"

// Status is what a machine knows, for people to read.
type Status struct {
	State   State
	Mature  bool
	Self    string // private group name
	View    ViewID
	Index   int // of this member in Members
	Members []MemberStatus
	Rows    []RowStatus // in configuration order
}

// MemberStatus is one member of the view.
type MemberStatus struct {
	Name     string
	Address  netip.Addr // invalid until its STATE has come
	Answered bool       // its STATE has come
	Silent   bool       // the others went on without it
	Original bool       // answered without a trailer
}

// RowStatus is one virtual interface.
type RowStatus struct {
	Key   netip.Addr
	Owner netip.Addr // invalid: nobody
	Claim Claim
	Held  bool // by this member
}

// Status returns a copy of what the machine knows.
func (m *Machine) Status() Status {
	s := Status{
		State: m.state, Mature: m.mature, Self: m.self, View: m.view, Index: m.me,
		Members: make([]MemberStatus, len(m.members)),
		Rows:    make([]RowStatus, len(m.table)),
	}
	for i, x := range m.members {
		s.Members[i] = MemberStatus{x.name, x.address, x.answered, x.silent, x.answered && x.trailer == nil}
	}
	for i, r := range m.table {
		s.Rows[i] = RowStatus{m.config.Interfaces[i].Key(), r.owner, r.claim, m.held[i] != Unclaimed}
	}
	return s
}

// State returns what the machine is doing.
func (m *Machine) State() State { return m.state }

// Holds reports whether this member is to hold the virtual interface of that key.
func (m *Machine) Holds(key netip.Addr) bool {
	i, ok := m.index[key]
	return ok && m.held[i] != Unclaimed
}

// Owner returns the real address of the member that the table gives the virtual
// interface of that key to, invalid where there is none.
func (m *Machine) Owner(key netip.Addr) netip.Addr {
	if i, ok := m.index[key]; ok {
		return m.table[i].owner
	}
	return netip.Addr{}
}

// Order returns the byte order in which the machine writes its integers.
func (m *Machine) Order() ByteOrder { return m.order }
