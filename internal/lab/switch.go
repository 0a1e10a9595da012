package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"wackamole/internal/lab/vnet"
)

// maxLearned bounds the table of link-layer addresses. A frame to an address that did not fit is flooded.
const maxLearned = 4096

// A hardwareAddress as the key of a table.
type hardwareAddress [6]byte

// A Tap sees each frame that arrives at the switch, before it is forwarded: the port, the time, and the frame,
// which is only valid during the call. It returns true to keep the frame from being forwarded. It is called
// from one goroutine a port and must not block.
type Tap func(port int, at time.Time, frame []byte) (consumed bool)

// A Switch is a learning Ethernet switch in user space. Its ports can be cut off and split into components
// that do not hear each other; the hosts see their carrier all the same, as behind a real switch whose uplink
// fails. All methods may be called from several goroutines at once.
type Switch struct {
	namespace *vnet.Namespace
	ports     []*port // port I at I-1
	readers   sync.WaitGroup
	topology  atomic.Pointer[Topology]
	taps      atomic.Pointer[[]Tap]

	mu      sync.Mutex
	wiring  wiring
	learned map[hardwareAddress]int
}

// PortStatistics counts frames of one port.
type PortStatistics struct {
	Received uint64 // from the host
	Sent     uint64 // to the host
	Dropped  uint64 // that the host's side of the cable did not take
}

// newSwitch makes a switch without ports.
func newSwitch() (*Switch, error) {
	n, err := vnet.NewNamespace()
	if err != nil {
		return nil, fmt.Errorf("make the switch's namespace: %w", err)
	}
	// The kernel must not talk on the ports by itself. Without IPv6 there is nothing to switch off.
	if err := n.Sysctl("net/ipv6/conf/default/disable_ipv6", "1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		n.Close()
		return nil, err
	}
	s := &Switch{namespace: n, learned: make(map[hardwareAddress]int)}
	s.topology.Store(&Topology{})
	s.taps.Store(&[]Tap{})
	return s, nil
}

// plug connects the interface, which it makes in the host's namespace, to the next port.
func (s *Switch) plug(host *vnet.Namespace, name string) error {
	p := &port{number: len(s.ports) + 1}
	if err := s.cable(p, host, name); err != nil {
		return err
	}
	s.ports = append(s.ports, p)
	s.rewire(func(w *wiring) { w.all |= PortSet(p.number) })
	return nil
}

// replug connects an interface to a port whose old one has been removed.
func (s *Switch) replug(number int, host *vnet.Namespace, name string) error {
	p := s.ports[number-1]
	old := p.socket.Load()
	if err := s.cable(p, host, name); err != nil {
		return err
	}
	old.file.Close()
	s.readers.Go(func() { s.read(p, p.socket.Load()) })
	return nil
}

// cable makes a pair of interfaces and opens the port on its own end of it.
func (s *Switch) cable(p *port, host *vnet.Namespace, name string) error {
	if err := s.namespace.Veth(p.name(), host, name); err != nil {
		return err
	}
	if err := s.namespace.SetUp(p.name()); err != nil {
		return err
	}
	return p.open(s.namespace)
}

// start begins to forward. No port may be added afterwards.
func (s *Switch) start() {
	for _, p := range s.ports {
		s.readers.Go(func() { s.read(p, p.socket.Load()) })
	}
}

// close stops the switch and waits for its goroutines.
func (s *Switch) close() {
	for _, p := range s.ports {
		p.socket.Load().file.Close()
	}
	s.readers.Wait()
	s.namespace.Close()
}

// Tap adds f to those that see each frame.
func (s *Switch) Tap(f Tap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taps := append([]Tap{}, *s.taps.Load()...)
	taps = append(taps, f)
	s.taps.Store(&taps)
}

// Inject sends a frame, which the switch made up, out of the port unless it is cut off.
func (s *Switch) Inject(port int, frame []byte) {
	if s.topology.Load().Component(port) == 0 {
		return
	}
	s.ports[port-1].send(append(make([]byte, offloadHeader, offloadHeader+len(frame)), frame...))
}

// Topology is how the ports are connected at the moment.
func (s *Switch) Topology() *Topology { return s.topology.Load() }

// Split puts the ports of each list into a component of its own, and those in no list together in one more.
// Frames that the switch has already taken in are still delivered.
func (s *Switch) Split(components ...[]int) {
	s.rewire(func(w *wiring) {
		w.split = nil
		for _, c := range components {
			w.split = append(w.split, PortSet(c...))
		}
	})
}

// Merge undoes Split. Ports that are cut off stay so.
func (s *Switch) Merge() { s.rewire(func(w *wiring) { w.split = nil }) }

// Cut lets nothing through in either direction on the port; the host keeps its carrier.
func (s *Switch) Cut(port int) { s.rewire(func(w *wiring) { w.cut |= PortSet(port) }) }

// Heal undoes Cut.
func (s *Switch) Heal(port int) { s.rewire(func(w *wiring) { w.cut &^= PortSet(port) }) }

// SetCarrier gives the host at the port a carrier or takes it away, as pulling the cable does.
func (s *Switch) SetCarrier(port int, up bool) error {
	if up {
		return s.namespace.SetUp(s.ports[port-1].name())
	}
	return s.namespace.SetDown(s.ports[port-1].name())
}

// Statistics returns what went through the port up to now.
func (s *Switch) Statistics(port int) PortStatistics {
	p := s.ports[port-1]
	return PortStatistics{Received: p.received.Load(), Sent: p.sent.Load(), Dropped: p.dropped.Load()}
}

func (s *Switch) rewire(change func(*wiring)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.wiring)
	s.topology.Store(s.wiring.topology())
	clear(s.learned) // what was learned may lie in another component now
}

// read forwards what arrives at the port until its socket is closed.
func (s *Switch) read(p *port, from *socket) {
	buffer := make([]byte, offloadHeader+maxFrame)
	for {
		size, err := from.file.Read(buffer)
		if errors.Is(err, syscall.ENETDOWN) {
			continue // reported once when the interface goes
		}
		if err != nil {
			return
		}
		if size < offloadHeader+minFrame {
			continue
		}
		p.received.Add(1)
		s.forward(p.number, buffer[:size])
	}
}

func (s *Switch) forward(from int, b []byte) {
	frame, at := b[offloadHeader:], time.Now()
	for _, tap := range *s.taps.Load() {
		if tap(from, at, frame) {
			return
		}
	}
	to := s.topology.Load().Component(from) &^ PortSet(from)
	if to == 0 {
		return
	}
	destination, source := hardwareAddress(frame[:6]), hardwareAddress(frame[6:12])
	s.mu.Lock()
	if port, known := s.learned[destination]; known && port != from {
		to &= PortSet(port)
	}
	if _, known := s.learned[source]; source[0]&1 == 0 && (known || len(s.learned) < maxLearned) {
		s.learned[source] = from
	}
	s.mu.Unlock()
	for _, port := range to.List() {
		s.ports[port-1].send(b)
	}
}

// HostMAC is the link-layer address that host I has on the switch: 02:77 and the number, big-endian.
func HostMAC(host int) net.HardwareAddr {
	return binary.BigEndian.AppendUint32(net.HardwareAddr{0x02, 0x77}, uint32(host))
}
