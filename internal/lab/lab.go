// Package lab is a small network on one machine: hosts in network namespaces around an Ethernet switch that
// can be cut and split, with a prober that tells from outside which host answers for an address.
//
//	host 1            host 2            host 3         a network namespace each; processes are started
//	10.77.0.1/24      10.77.0.2/24      10.77.0.3/24   in it, and real kernels hold the addresses and
//	 eth0              eth0              eth0          answer for them
//	  |                 |                 |
//	  | veth            | veth            | veth
//	  |                 |                 |
//	 port1             port2             port3         the switch's namespace
//	  |                 |                 |            a packet socket on each port
//	+-+-----------------+-----------------+-+
//	|  Switch  (this process, user space)   |         learns, floods, counts; Split, Merge, Cut, Heal
//	|    Tap / Inject                       |
//	+-------------------+-------------------+
//	                    |
//	                 Prober                            asks every port for every address each few ms, by ARP
//	                                                   the port of an answer says which host gave it
//
// The prober sits on the switch and not on a host: it sees both sides of a split at once, and it knows who
// answered without trusting what the answer says. What it measures is what a client on that port would see.
//
// The whole runs below vnet.Reexec: no root, nothing of the machine is touched, and no process stays behind.
// Host I has its own Unix socket names (Host.SpreadPort) in a /run that only the lab sees, because network
// namespaces share the file system: what a host says to its Spread daemon does not pass the switch, so whoever
// splits the switch splits the daemons too.
package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"wackamole/internal/lab/vnet"
)

// Directory is where a lab's files go: in memory, seen by the lab's processes alone.
const Directory = "/run/lab"

// Options of a lab.
type Options struct {
	Hosts int // how many, 1 to MaxHosts
	// Output gets each line that a process of a host prints. It is called from one goroutine a process.
	Output func(h *Host, line string)
}

// A Lab is a switch with hosts plugged into it.
type Lab struct {
	Switch *Switch
	Hosts  []*Host // host I at I-1
}

// New builds a lab. The calling process must run below vnet.Reexec.
func New(o Options) (*Lab, error) {
	if o.Hosts < 1 || o.Hosts > MaxHosts {
		return nil, fmt.Errorf("make a lab of %d hosts: it takes 1 to %d", o.Hosts, MaxHosts)
	}
	if err := hideRun(); err != nil {
		return nil, err
	}
	s, err := newSwitch()
	if err != nil {
		return nil, err
	}
	l := &Lab{Switch: s}
	for number := 1; number <= o.Hosts; number++ {
		h, err := newHost(s, number, o.Output)
		if err != nil {
			l.Close()
			return nil, fmt.Errorf("make host %d: %w", number, err)
		}
		l.Hosts = append(l.Hosts, h)
	}
	s.start()
	return l, nil
}

// Host returns host I, from 1 on.
func (l *Lab) Host(number int) *Host { return l.Hosts[number-1] }

// Close kills every process of every host, stops the switch and waits until all are gone.
func (l *Lab) Close() error {
	var problems []error
	for _, h := range l.Hosts {
		problems = append(problems, h.close())
	}
	l.Switch.close()
	return errors.Join(problems...)
}

// hideRun puts an empty file system over /run, once a process.
var hideRun = sync.OnceValue(func() error {
	for _, dir := range []string{"/run", "/var/run"} {
		if err := vnet.MountPrivate(dir); err != nil {
			return err
		}
	}
	for _, dir := range []string{Directory, spreadDirectory} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make a folder of the lab: %w", err)
		}
	}
	return nil
})

// HostAddress is the real address of host I.
func HostAddress(host int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(host)}) }
