package cluster

import (
	"fmt"
	"syscall"

	"wackamole/internal/lab"
	"wackamole/spreadproto/spreadd"
)

// A Node is a host that runs a wackamole, or could.
type Node struct {
	Number int
	Host   *lab.Host

	cluster *Cluster
	binary  string
	config  string
	process *lab.Process // the present or last one; nil before the first start
}

func (c *Cluster) newNode(h *lab.Host, binary string, o Options) (*Node, error) {
	config, err := h.WriteFile("conf", c.config(h, o))
	if err != nil {
		return nil, err
	}
	listener, err := h.ListenSpread()
	if err != nil {
		return nil, err
	}
	if o.Listener != nil {
		listener = o.Listener(h, listener)
	}
	go c.Spread.Serve(spreadd.From(listener), daemonName(h.Number)) // it ends with Spread.Close
	return &Node{Number: h.Number, Host: h, cluster: c, binary: binary, config: config}, nil
}

// Start starts the node's wackamole, in the foreground and with the host's address as its real address.
func (n *Node) Start() error {
	p, err := n.Host.Start(n.binary, "-d", "-c", n.config, "-a", lab.HostAddress(n.Number).String())
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.Number, err)
	}
	n.process = p
	n.cluster.serve()
	return nil
}

// Signal sends a signal to the daemon's process alone; its guard is another process.
func (n *Node) Signal(s syscall.Signal) error { return n.process.Signal(s) }

// Stop sends a signal that ends the daemon, SIGTERM or SIGKILL for example, and waits until it has ended. It
// returns how: "exit status 0", "signal: killed".
func (n *Node) Stop(s syscall.Signal) (string, error) {
	if err := n.process.Signal(s); err != nil {
		return "", err
	}
	how := n.process.Wait()
	n.cluster.serve()
	return how, nil
}

// Running tells whether the daemon has been started and has not ended.
func (n *Node) Running() bool {
	return n.process != nil && n.process.Running()
}

// Process is the present or last process of the daemon, nil before the first start.
func (n *Node) Process() *lab.Process { return n.process }

// Lines returns the last lines that the daemon has printed.
func (n *Node) Lines() []string {
	if n.process == nil {
		return nil
	}
	return n.process.Lines()
}
