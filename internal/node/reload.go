package node

import (
	"net/netip"
	"sort"

	"wackamole/alloc"
	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/context"
)

// Reload takes over a configuration, which the caller has checked. Addresses that
// are in both the old and the new one stay where they are.
func (n *Node) Reload(ctx context.Context, c *conf.Config, spread string) error {
	return n.ask(ctx, func() { n.reload(c, spread) })
}

// LogState writes the state to the log.
func (n *Node) LogState(ctx context.Context) error { return n.ask(ctx, n.logState) }

func (n *Node) reload(c *conf.Config, spread string) {
	if c.Group != n.config.Group || spread != n.spread {
		n.log.Printf("another group or another Spread daemon: leaving and joining anew")
		n.lose("reloaded")
		n.alarms.set(connectAlarm, 0)
	}
	if c.Control != n.config.Control {
		n.log.Warningf("Control stays at %q until the daemon is started again", n.config.Control)
	}
	old := n.config
	n.config, n.spread = c, spread
	n.configureAnnouncer()
	if n.door.Hooks != nil {
		n.door.Hooks.Configure(c)
	}
	// The machine lets go what left the list; the holdings still know it then.
	n.step(alloc.Reconfigured{Config: machineConfig(c, n.known)})
	n.holdings.configure(c.Interfaces)
	n.applyHoldings()
	n.health.configure(c.Interfaces)
	n.learnLinks()
	n.checkHealth() // also where nothing is known
	n.log.Printf("reloaded: %d virtual interfaces, %d before", len(c.Interfaces), len(old.Interfaces))
}

// applyHoldings brings the addresses into line with the virtual interfaces that
// are held, after their definitions may have changed.
func (n *Node) applyHoldings() {
	var missing []*holding
	wanted := make(map[netip.Addr]bool)
	for i, v := range n.holdings.interfaces {
		if !n.machine.Holds(v.Key()) {
			continue
		}
		for _, a := range v.Addresses {
			x := n.holdings.held[a.Addr()]
			if x != nil && x.address.Interface == a.Interface && x.address.Prefix == a.Prefix {
				x.address, x.vif = a, i
				wanted[a.Addr()] = true
				continue
			}
			missing = append(missing, &holding{address: a, vif: i})
		}
	}
	var gone []*holding
	for addr, x := range n.holdings.held {
		if !wanted[addr] {
			gone = append(gone, x)
		}
	}
	sort.Sort(configured(gone))
	n.take(gone)
	for _, x := range missing {
		n.holdings.held[x.address.Addr()] = x
	}
	if len(missing) > 0 {
		n.put(missing)
	}
}

// configureAnnouncer gives the announcer the Notify lists and the networks of the
// virtual interfaces.
func (n *Node) configureAnnouncer() {
	c := garp.Config{Notify: make([]garp.NotifyEntry, len(n.config.Notify))}
	for i, e := range n.config.Notify {
		c.Notify[i] = garp.NotifyEntry{
			ARPCache: e.ARPCache, Interface: e.Interface, Block: e.Block, Throttle: e.Throttle, Ping: e.Ping,
		}
	}
	c.Networks = networksOf(n.config.Interfaces)
	n.door.Announcer.Configure(c)
}
