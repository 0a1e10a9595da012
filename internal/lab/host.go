package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"

	"wackamole/internal/lab/vnet"
)

// spreadDirectory is where Spread clients look for the socket of their daemon first.
const spreadDirectory = "/run/spread"

// A Host is a network namespace with an interface eth0 on the switch, up, with the address HostAddress.
type Host struct {
	Number    int
	Namespace *vnet.Namespace
	network   *Switch
	output    func(*Host, string)

	mu        sync.Mutex
	processes []*Process
}

func newHost(s *Switch, number int, output func(*Host, string)) (*Host, error) {
	n, err := vnet.NewNamespace()
	if err != nil {
		return nil, err
	}
	h := &Host{Number: number, Namespace: n, network: s, output: output}
	// Without IPv6 an idle host is silent.
	err = n.Sysctl("net/ipv6/conf/default/disable_ipv6", "1")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = s.plug(n, "eth0")
	}
	if err == nil {
		err = h.configure()
	}
	if err != nil {
		n.Close()
		return nil, err
	}
	return h, nil
}

// Unplug removes eth0 from the host with all of its addresses, as pulling out a card does.
func (h *Host) Unplug() error { return h.Namespace.DeleteLink("eth0") }

// Replug gives the host a new eth0 with its real address after Unplug.
func (h *Host) Replug() error {
	if err := h.network.replug(h.Number, h.Namespace, "eth0"); err != nil {
		return err
	}
	return h.configure()
}

// configure gives eth0 its addresses and takes it into service.
func (h *Host) configure() error {
	if err := h.Namespace.SetLinkAddress("eth0", HostMAC(h.Number)); err != nil {
		return err
	}
	if err := h.Namespace.AddAddress("eth0", netip.PrefixFrom(HostAddress(h.Number), 24)); err != nil {
		return err
	}
	return h.Namespace.SetUp("eth0")
}

// SpreadPort is the name of the host's Spread daemon for a client: a port number of its own, because the
// hosts share one file system.
func (h *Host) SpreadPort() string { return strconv.Itoa(4800 + h.Number) }

// ListenSpread opens the Unix socket where clients look for the daemon SpreadPort.
func (h *Host) ListenSpread() (net.Listener, error) {
	l, err := net.Listen("unix", spreadDirectory+"/"+h.SpreadPort())
	if err != nil {
		return nil, fmt.Errorf("listen as the Spread daemon of host %d: %w", h.Number, err)
	}
	return l, nil
}

// File is the name of a file of the host in the lab's Directory.
func (h *Host) File(name string) string {
	return fmt.Sprintf("%s/host%d.%s", Directory, h.Number, name)
}

// WriteFile writes File(name) and returns its full name.
func (h *Host) WriteFile(name string, content []byte) (string, error) {
	path := h.File(name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return "", fmt.Errorf("write a file of host %d: %w", h.Number, err)
	}
	return path, nil
}

// Start runs a program on the host.
func (h *Host) Start(program string, arguments ...string) (*Process, error) {
	p, err := h.start(program, arguments)
	if err != nil {
		return nil, fmt.Errorf("host %d: %w", h.Number, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.processes = slices.DeleteFunc(h.processes, (*Process).ended)
	h.processes = append(h.processes, p)
	return p, nil
}

// KillAll kills every process on the host, those too that their parents have left behind, and waits until
// they are gone.
func (h *Host) KillAll() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.processes {
		p.Kill()
	}
	h.processes = nil
	return h.Namespace.KillAll()
}

func (h *Host) close() error {
	err := h.KillAll()
	h.Namespace.Close()
	if err != nil {
		return fmt.Errorf("kill the processes of host %d: %w", h.Number, err)
	}
	return nil
}
