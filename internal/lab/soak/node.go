package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/lab"
)

// A node is a host with two interfaces, a Spread daemon and a wackamole.
type node struct {
	number int
	host   *lab.Host
	far    *lab.Host // eth1 is plugged in at its port
	door   *door
	binary string
	config string // file
	dir    string // where pid file and control socket are: a small file system of the node's own

	process *lab.Process // the present or last one
}

// endTime is how long a daemon may take to end.
const endTime = 20 * time.Second

func (n *node) control() string { return n.dir + "/control" }

// plug gives the node its eth1: the interface of another host, which moves here.
func (n *node) plug() error {
	if err := moveLink(n.far.Namespace, "eth0", n.host.Namespace, eth1.String()); err != nil {
		return err
	}
	if err := n.host.Namespace.AddAddress(eth1.String(), real(n.number, eth1)); err != nil {
		return err
	}
	return n.host.Namespace.SetUp(eth1.String())
}

// unplug removes an interface with all of its addresses.
func (n *node) unplug(at place) error { return n.host.Namespace.DeleteLink(at.String()) }

// replug makes the interface anew, with the node's own addresses.
func (n *node) replug(at place) error {
	var err error
	if at == eth0 {
		err = n.host.Replug()
	} else if err = n.far.Replug(); err == nil {
		err = n.plug()
	}
	if err != nil {
		return err
	}
	return n.addOwn(at)
}

// addOwn adds those of the node's own addresses that are missing.
func (n *node) addOwn(at place) error {
	for _, p := range append([]netip.Prefix{real(n.number, at)}, foreign(n.number, at)...) {
		err := n.host.Namespace.AddAddress(at.String(), p)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return nil
}

// configure writes the configuration.
func (n *node) configure(list []vif) (err error) {
	n.config, err = n.host.WriteFile("conf", configuration(n.host.SpreadPort(), n.control(), list))
	return err
}

// arguments of the daemon.
func (n *node) arguments() []string {
	return []string{"-d", "-c", n.config, "-p", n.dir + "/pid", "-a", real(n.number, eth0).Addr().String()}
}

// start starts the daemon.
func (n *node) start() error {
	p, err := n.host.Start(n.binary, n.arguments()...)
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.number, err)
	}
	n.process = p
	return nil
}

// startMute starts the daemon with a standard output that takes nothing.
func (n *node) startMute() error {
	p, err := n.host.Start("/bin/sh", append([]string{"-c", `exec "$0" "$@" >/dev/full 2>&1`, n.binary}, n.arguments()...)...)
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.number, err)
	}
	n.process = p
	return nil
}

// running tells whether the daemon has been started and has not ended.
func (n *node) running() bool {
	return n.process != nil && n.process.Running()
}

// wait waits for the daemon's end and returns how it ended.
func (n *node) wait() (string, error) {
	select {
	case <-n.process.Done():
		return n.process.Wait(), nil
	case <-time.After(endTime):
		return "", fmt.Errorf("node %d: the daemon has not ended within %v", n.number, endTime)
	}
}

// end sends a signal that ends the daemon and checks how it ends.
func (n *node) end(s syscall.Signal, want string) error {
	if err := n.process.Signal(s); err != nil {
		return err
	}
	how, err := n.wait()
	if err == nil && how != want {
		err = fmt.Errorf("node %d: the daemon ended with %s, not with %s", n.number, how, want)
	}
	return err
}

// refuses starts the daemon where it cannot work, and checks that it says why and ends.
func (n *node) refuses(want string) error {
	if err := n.start(); err != nil {
		return err
	}
	how, err := n.wait()
	if err != nil {
		return fmt.Errorf("%w: it was to refuse with %q", err, want)
	}
	// What it said may still be on its way.
	for deadline := time.Now().Add(endTime); how != "exit status 0" && time.Now().Before(deadline); time.Sleep(look) {
		for _, line := range n.process.Lines() {
			if strings.Contains(line, n.dir) && strings.Contains(line, want) {
				return nil
			}
		}
	}
	return fmt.Errorf("node %d: started where it cannot write %s, the daemon ended with %s and these words: %q", n.number, n.dir, how, n.process.Lines())
}

// tell runs wackatrl on the node.
func (n *node) tell(flag string) error {
	p, err := n.host.Start(n.binary, "ctl", flag, "-c", n.config)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-time.After(endTime):
		return fmt.Errorf("node %d: wackatrl %s has not ended within %v", n.number, flag, endTime)
	}
	if how := p.Wait(); how != "exit status 0" {
		return fmt.Errorf("node %d: wackatrl %s ended with %s: %q", n.number, flag, how, p.Lines())
	}
	return nil
}

// guards lists the node's guards.
func (n *node) guards() ([]process, error) {
	list, err := processes(n.host.Namespace)
	return guardsOf(list), err
}

// signalGuards sends a signal to the node's guards.
func (n *node) signalGuards(s syscall.Signal) error {
	list, err := n.guards()
	for _, g := range list {
		syscall.Kill(g.PID, s) // one that has ended meanwhile is no error
	}
	return err
}

// directorySize is the size of the node's own file system, in bytes.
const directorySize = 64 << 10

func (n *node) mount() error {
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("make node %d's directory: %w", n.number, err)
	}
	options := fmt.Sprintf("mode=0755,size=%d", directorySize)
	if err := unix.Mount("tmpfs", n.dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return fmt.Errorf("mount node %d's directory: %w", n.number, err)
	}
	return nil
}

// setReadOnly makes the node's directory read-only, or not. It lays a read-only view of the directory over it:
// the daemon's open pid file would stand in the way of changing the file system itself.
func (n *node) setReadOnly(on bool) error {
	var err error
	if on {
		err = unix.Mount(n.dir, n.dir, "", unix.MS_BIND, "")
		if err == nil {
			err = unix.Mount("", n.dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
		}
	} else {
		err = unix.Unmount(n.dir, unix.MNT_DETACH)
	}
	if err != nil {
		return fmt.Errorf("remount node %d's directory: %w", n.number, err)
	}
	return nil
}

// fill leaves no room in the node's directory.
func (n *node) fill() error {
	err := os.WriteFile(n.dir+"/full", bytes.Repeat([]byte{'x'}, 2*directorySize), 0o600)
	if !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("fill node %d's directory: %v instead of no space left", n.number, err)
	}
	return nil
}

func (n *node) empty() error {
	err := os.Remove(n.dir + "/full")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}
