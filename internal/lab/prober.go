package lab

import (
	"context"
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// defaultInterval is how often each address is asked for.
	defaultInterval = 4 * time.Millisecond
	// grace is how long an answer may take. A kernel answers within the system call that asks it; the rest is
	// for a machine that is busy.
	grace = 150 * time.Millisecond
	// burst is how many requests go out at a time: the answers to more could overflow a receive buffer.
	burst = 32
)

// ProberOptions of a prober.
type ProberOptions struct {
	Addresses []netip.Addr  // IPv4, at least one
	Interval  time.Duration // from one request for an address to the next; 0 = 4 ms
	// Changed is called when it has become known that who answers has changed. It must not call the prober.
	Changed func(Snapshot)
}

// A Snapshot is who answers for each address at one moment.
type Snapshot struct {
	At       time.Duration // since the prober's start
	Topology *Topology
	Holders  []Ports // in the order of ProberOptions.Addresses, over all components
}

// A Prober asks for each address on each port every few ms, by ARP, and keeps account of who answers.
//
// Its requests have the form of an ARP probe (RFC 5227 section 1.1): from the address 0.0.0.0, so that they
// leave no trace in the neighbour tables of the hosts. Its link-layer address carries the number of the
// request's round, and answers are sent to it: so each answer is counted for the moment of its question,
// however late it arrives, and two answers to one question are two machines that held the address at once.
// (The ports are asked one after the other. An address that moves in just that time is seen answered twice, or
// not at all, in one round.)
type Prober struct {
	network  *Switch
	o        ProberOptions
	began    time.Time
	stop     chan struct{}
	finished chan struct{}
	request  []byte // with the offload header in front

	mu      sync.Mutex
	judged  *sync.Cond // a round has been added to the judge
	judge   *judge
	ring    []*round // the rounds that still take answers, by number modulo length
	next    uint32   // number of the next round
	act     int
	serving Ports
}

// NewProber starts to probe on the switch. At first every component counts, see SetServing.
func NewProber(s *Switch, o ProberOptions) *Prober {
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	p := &Prober{
		network: s, o: o, began: time.Now(),
		stop: make(chan struct{}), finished: make(chan struct{}),
		request: probeRequest(), judge: newJudge(o.Addresses), serving: ^Ports(0),
	}
	p.judged = sync.NewCond(&p.mu)
	// One more than those that wait for answers: the judge keeps the last.
	p.ring = make([]*round, max(2, grace/o.Interval)+2)
	for i := range p.ring {
		p.ring[i] = &round{sent: make([]time.Duration, len(o.Addresses)), answers: make([]Ports, len(o.Addresses))}
	}
	s.Tap(p.receive)
	go p.run()
	return p
}

// Close stops probing.
func (p *Prober) Close() {
	close(p.stop)
	<-p.finished
}

// SetServing says on which ports somebody is to answer. A component without any of them is not judged.
func (p *Prober) SetServing(ports Ports) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serving = ports
}

// Begin starts a new act: outcomes are those of what is asked from now on.
func (p *Prober) Begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.act++
}

// Outcomes waits for the answers to all that has been asked, and returns what has happened since Begin, by
// address and component.
func (p *Prober) Outcomes() []Outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.catchUp(p.next)
	return p.judge.outcomes()
}

// Rounds tells how finely the outcomes since Begin were watched: a busy machine or many addresses stretch the
// time between two requests for one address.
func (p *Prober) Rounds() Rounds {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.judge.rounds
}

// Snapshot is who answers, as far as it is known: the moment is grace ago.
func (p *Prober) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.snapshot()
}

// WaitSteady waits until, since Begin and for at least the time of hold, each address has been answered by
// exactly one port, the same one, in each component, and until wanted (nil: anything) accepts who that is. It
// returns the context's error when that does not happen before.
func (p *Prober) WaitSteady(ctx context.Context, hold time.Duration, wanted func(Snapshot) bool) error {
	defer context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.judged.Broadcast()
	})()
	p.mu.Lock()
	defer p.mu.Unlock()
	for ctx.Err() == nil {
		// Rounds of the act before may still wait for their answers.
		if p.judge.act == p.act && p.judge.steadyFor() >= hold && (wanted == nil || wanted(p.snapshot())) {
			return nil
		}
		p.judged.Wait()
	}
	return ctx.Err()
}

// slot is where the round of this number is or will be.
func (p *Prober) slot(number uint32) *round { return p.ring[number%uint32(len(p.ring))] }

// catchUp waits, with the lock held, until all rounds below the number have been judged, one of the present act
// among them, or probing has ended.
func (p *Prober) catchUp(number uint32) {
	for p.judge.act != p.act || p.judge.previous == nil || int32(number-1-p.judge.previous.number) > 0 {
		select {
		case <-p.finished:
			return
		default:
			p.judged.Wait()
		}
	}
}

func (p *Prober) snapshot() Snapshot {
	s := Snapshot{At: p.judge.latest, Topology: p.network.Topology(), Holders: slices.Clone(p.judge.holders)}
	if p.judge.previous != nil {
		s.Topology = p.judge.previous.topology
	}
	return s
}

func (p *Prober) run() {
	defer p.judged.Broadcast()
	defer close(p.finished)
	bursts := (len(p.o.Addresses) + burst - 1) / burst
	ticker := time.NewTicker(p.o.Interval / time.Duration(bursts))
	defer ticker.Stop()
	for {
		r := p.nextRound()
		for from := 0; from < len(p.o.Addresses); from += burst {
			p.ask(r, from, min(from+burst, len(p.o.Addresses)))
			select {
			case <-ticker.C:
			case <-p.stop:
				return
			}
		}
	}
}

// nextRound judges the oldest round that waits for answers and makes room for a new one.
func (p *Prober) nextRound() *round {
	p.mu.Lock()
	defer p.mu.Unlock()
	if oldest := p.next - uint32(len(p.ring)-1); int32(oldest) >= 0 {
		changed := p.judge.add(p.slot(oldest))
		p.judged.Broadcast()
		if changed && p.o.Changed != nil {
			p.o.Changed(p.snapshot())
		}
	}
	r := p.slot(p.next)
	r.number, r.act, r.topology = p.next, p.act, p.network.Topology()
	r.component = r.component[:0]
	for _, c := range r.topology.Components() {
		if c&p.serving != 0 {
			r.component = append(r.component, c)
		}
	}
	clear(r.answers)
	p.next++
	return r
}

// ask sends the requests of a round for a range of the addresses.
func (p *Prober) ask(r *round, from, to int) {
	frame := p.request[offloadHeader:]
	binary.BigEndian.PutUint32(frame[6+2:], r.number)
	binary.BigEndian.PutUint32(frame[arpSenderMAC+2:], r.number)
	for i := from; i < to; i++ {
		address := p.o.Addresses[i].As4()
		copy(frame[arpTargetIP:], address[:])
		r.sent[i] = time.Since(p.began)
		for _, component := range r.topology.Components() {
			for _, port := range component.List() {
				p.network.ports[port-1].send(p.request)
			}
		}
	}
}

// receive is the prober's Tap: it takes the answers to its own requests.
func (p *Prober) receive(port int, _ time.Time, frame []byte) bool {
	number, address, ok := parseAnswer(frame)
	if !ok {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.slot(number)
	// A port that has been cut off meanwhile is none of the round's business.
	if i := slices.Index(p.o.Addresses, address); i >= 0 && r.number == number && r.topology != nil && r.topology.Component(port) != 0 {
		r.answers[i] |= PortSet(port)
	}
	return true
}
