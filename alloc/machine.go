package alloc

import (
	"net/netip"
	"slices"
	"time"

	"wackamole/internal/fmt"
)

// Config is what a Machine needs to know of the configuration.
type Config struct {
	Interfaces []VirtualInterface // the same list in the same order on every member; keys are unique
	Prefer     []netip.Addr       // as STATE carries them; 0.0.0.0 stands for "none"
	Address    netip.Addr         // this member's real address
	Group      string
	Mature     time.Duration
	PerRound   int           // moves in a round of balancing; 0 means all, below 0 never any
	Interval   time.Duration // between rounds of balancing
	Share      time.Duration // between two shares of the ARP cache; 0 means only at each view
}

// How long Gather may last before silent members are gone on without. The time
// is longer than a hung member's guard needs to release its addresses (10 s).
// Each member waits a step longer than the one before it, so that normally only
// the first that has answered speaks, and another does if that one hangs too.
const (
	silence     = 20 * time.Second
	silenceStep = 2 * time.Second
)

// Machine is one member of the group. It is not safe for concurrent use.
type Machine struct {
	config      Config
	order       ByteOrder
	fingerprint uint64
	index       map[netip.Addr]int // row of each key

	state  State
	self   string // private group name
	mature bool

	view    ViewID
	members []member
	me      int // index of this member in members
	pending int // members whose STATE has not come

	table []row
	// held is what this host holds, as of the last time in Run and less what it
	// gave up since: the claims of its next STATE. The original reads them out of
	// a table that it keeps from its last Run.
	held []Claim

	next    *Config // a new configuration that waits for the end of Gather
	running [Timers]bool
	actions []Action
}

type row struct {
	owner netip.Addr // zero: nobody
	claim Claim
}

type member struct {
	name        string
	address     netip.Addr // valid once answered
	answered    bool
	silent      bool // gone on without
	namesake    bool // an earlier member of the view has the same real address
	trailer     *Trailer
	otherEndian bool
	count       int // rows that it owns
}

// New returns a machine that is Offline. Integers of its messages are written in
// the given byte order, which must be the host's own where originals take part.
func New(c Config, o ByteOrder) *Machine {
	m := &Machine{order: o}
	m.configure(c)
	return m
}

// configure takes over a configuration. Rows and holdings of keys that it keeps
// stay as they are.
func (m *Machine) configure(c Config) {
	index := make(map[netip.Addr]int, len(c.Interfaces))
	table := make([]row, len(c.Interfaces))
	held := make([]Claim, len(c.Interfaces))
	for i, v := range c.Interfaces {
		index[v.Key()] = i
		if was, ok := m.index[v.Key()]; ok {
			table[i], held[i] = m.table[was], m.held[was]
		}
	}
	m.config, m.index, m.table, m.held = c, index, table, held
	m.fingerprint = Fingerprint(c.Interfaces)
}

// Step gives the machine an event and returns what has to be done, in order. The
// slice is valid until the next call.
func (m *Machine) Step(e Event) []Action {
	clear(m.actions)
	m.actions = m.actions[:0]
	switch e := e.(type) {
	case Connected:
		m.connected(e)
	case Lost:
		m.reset()
		m.log(Warning, "no session with Spread: %s", e.Reason)
	case View:
		m.newView(e)
	case Message:
		m.message(e)
	case TimerFired:
		m.timerFired(e.Timer)
	case Reconfigured:
		m.reconfigured(e.Config)
	}
	return m.actions
}

// connected begins a member's life: whatever a predecessor left on this host
// goes, and what the table said is forgotten.
func (m *Machine) connected(e Connected) {
	m.reset()
	m.state, m.self = Boot, e.Self
	m.start(MatureTimer, m.config.Mature)
}

// reset releases every virtual interface of the configuration, held or not,
// and leaves the machine Offline: without Spread nothing is held.
func (m *Machine) reset() {
	for t := range Timers {
		m.stop(t)
	}
	if m.next != nil {
		m.configure(*m.next)
		m.next = nil
	}
	clear(m.held)
	clear(m.table)
	m.state, m.mature = Offline, false
	m.self, m.view, m.members, m.me, m.pending = "", ViewID{}, nil, 0, 0
	m.act(Release{m.keys(func(int) bool { return true })})
}

// rejoin gives everything up and asks for a new session.
func (m *Machine) rejoin(format string, args ...any) {
	m.reset()
	m.act(Rejoin{fmt.Sprintf(format, args...)})
}

func (m *Machine) timerFired(t Timer) {
	if !m.running[t] {
		return // stopped while it was on its way
	}
	m.running[t] = false
	switch t {
	case MatureTimer:
		m.act(Multicast{Type: MaturingMessage})
	case BalanceTimer:
		m.balance()
	case GatherTimer:
		m.proposeWithout()
	case NeighbourTimer:
		m.shareNeighbours()
	}
}

// reconfigured takes over a new configuration. What left the list is released at
// once. Rows that are new stay without an owner until the next view, which every
// member goes into with the claims of all the others: only that says whether
// somebody holds them already. While STATEs are collected the change waits.
// Another real address or group makes this host another member.
func (m *Machine) reconfigured(c Config) {
	if m.state != Offline && (c.Address != m.config.Address || c.Group != m.config.Group) {
		m.rejoin("the real address or the group has changed")
		m.configure(c)
		return
	}
	keep := make(map[netip.Addr]bool, len(c.Interfaces))
	for _, v := range c.Interfaces {
		keep[v.Key()] = true
	}
	gone := m.keys(func(i int) bool {
		return !keep[m.config.Interfaces[i].Key()] && m.held[i] != Unclaimed
	})
	for _, k := range gone {
		m.held[m.index[k]] = Unclaimed
	}
	m.release(gone)
	renew := m.fingerprint != Fingerprint(c.Interfaces) || !slices.Equal(m.config.Prefer, c.Prefer)
	if m.state == Gather {
		m.next = &c
	} else {
		m.configure(c)
		if m.running[BalanceTimer] { // otherwise a round may be on its way
			m.armBalance()
		}
	}
	if renew && m.state != Offline {
		m.act(RenewView{})
	}
}

// keys lists, in configuration order, the keys of the rows that are wanted.
func (m *Machine) keys(want func(row int) bool) []netip.Addr {
	var list []netip.Addr
	for i, v := range m.config.Interfaces {
		if want(i) {
			list = append(list, v.Key())
		}
	}
	return list
}

func (m *Machine) act(a Action) { m.actions = append(m.actions, a) }

func (m *Machine) release(keys []netip.Addr) {
	if len(keys) > 0 {
		m.act(Release{keys})
	}
}

func (m *Machine) start(t Timer, after time.Duration) {
	m.running[t] = true
	m.act(StartTimer{t, after})
}

func (m *Machine) stop(t Timer) {
	if m.running[t] {
		m.running[t] = false
		m.act(StopTimer{t})
	}
}

func (m *Machine) log(l Level, format string, args ...any) {
	m.act(Log{l, fmt.Sprintf(format, args...)})
}

func (m *Machine) reject(r Reason, format string, args ...any) {
	m.act(Rejected{r, fmt.Sprintf(format, args...)})
}
