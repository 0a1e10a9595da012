package garp

import (
	"net/netip"
	"sort"
	"sync"
)

// MaxPool is the number of neighbours that the pool keeps at most.
const MaxPool = 16384

// A pool is the shared ARP pool: neighbours by IP address. A slot keeps its
// number as long as the networks stay the same, so that a list can walk
// through the slots by number while others come in. When the pool is full, the
// neighbour that went unheard of for the longest time gives up its slot.
type pool struct {
	mu       sync.Mutex
	networks []map[uint32]struct{} // by prefix length, the first addresses; nil where none has it
	slots    []slot
	index    map[uint32]uint16 // IP address -> slot
	// Order of the last update, a ring through the slots' older and newer.
	newest uint16
}

type slot struct {
	addr         uint32
	link         LinkAddr
	older, newer uint16
}

// restrict sets the networks that neighbours must lie in, and forgets those
// that now lie outside.
func (p *pool) restrict(networks []block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.networks = make([]map[uint32]struct{}, 33)
	for _, n := range networks {
		if p.networks[n.bits] == nil {
			p.networks[n.bits] = make(map[uint32]struct{})
		}
		p.networks[n.bits][n.first] = struct{}{}
	}
	old := p.slots
	p.slots, p.index = nil, nil
	if len(old) == 0 {
		return
	}
	next := old[p.newest].newer // the oldest: put must see them in order
	for range old {
		s := &old[next]
		if p.within(s.addr) {
			p.put(s.addr, s.link)
		}
		next = s.newer
	}
}

func (p *pool) within(addr uint32) bool {
	for bits, first := range p.networks {
		if first == nil {
			continue
		}
		if _, ok := first[addr&block{bits: uint8(bits)}.mask()]; ok {
			return true
		}
	}
	return false
}

// merge takes over the neighbours that may be in the pool, a later one of the
// same address replacing an earlier, and returns how many these were.
func (p *pool) merge(neighbours []Neighbour) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := 0
	for _, n := range neighbours {
		if !n.Addr.Is4() || !n.Link.isHost() {
			continue
		}
		if addr := toUint32(n.Addr.As4()); p.within(addr) {
			p.put(addr, n.Link)
			taken++
		}
	}
	return taken
}

// put inserts or updates one neighbour and makes it the newest.
func (p *pool) put(addr uint32, link LinkAddr) {
	i, known := p.index[addr]
	switch {
	case known:
		p.slots[i].link = link
		if i == p.newest {
			return
		}
		s := &p.slots[i]
		p.slots[s.older].newer, p.slots[s.newer].older = s.newer, s.older
	case len(p.slots) < MaxPool:
		if p.index == nil {
			p.index = make(map[uint32]uint16)
		}
		i = uint16(len(p.slots))
		p.slots = append(p.slots, slot{addr: addr, link: link})
		if i == 0 {
			p.newest = 0
			p.index[addr] = 0
			return
		}
	default:
		// The oldest is already the newest's neighbour in the ring, where the
		// new one belongs.
		i = p.slots[p.newest].newer
		delete(p.index, p.slots[i].addr)
		p.slots[i].addr, p.slots[i].link = addr, link
		p.index[addr] = i
		p.newest = i
		return
	}
	p.index[addr] = i
	oldest := p.slots[p.newest].newer
	p.slots[i].older, p.slots[i].newer = p.newest, oldest
	p.slots[p.newest].newer, p.slots[oldest].older = i, i
	p.newest = i
}

func (p *pool) len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.slots)
}

// at returns the neighbour in slot i, which must be below a len of before
// within the same networks; otherwise it reports false.
func (p *pool) at(i uint64) (addr uint32, link LinkAddr, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i >= uint64(len(p.slots)) {
		return 0, LinkAddr{}, false
	}
	return p.slots[i].addr, p.slots[i].link, true
}

// snapshot returns all neighbours, ordered by address.
func (p *pool) snapshot() []Neighbour {
	p.mu.Lock()
	neighbours := make([]Neighbour, len(p.slots))
	for i, s := range p.slots {
		neighbours[i] = Neighbour{Addr: netip.AddrFrom4(fromUint32(s.addr)), Link: s.link}
	}
	p.mu.Unlock()
	sort.Sort(byAddress(neighbours))
	return neighbours
}

type byAddress []Neighbour

func (n byAddress) Len() int           { return len(n) }
func (n byAddress) Less(i, j int) bool { return n[i].Addr.Less(n[j].Addr) }
func (n byAddress) Swap(i, j int)      { n[i], n[j] = n[j], n[i] }
