package node

import (
	"errors"
	"runtime"
	"strings"

	"wackamole/alloc"
	"wackamole/internal/context"
	"wackamole/internal/control"
)

// errEnded is the answer to a request that comes after the loop's end.
var errEnded = errors.New("the daemon is ending")

// ask has the loop run f and waits for that.
func (n *Node) ask(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case n.requests <- func() { f(); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-n.context.Done():
		return errEnded
	}
}

// Snapshot returns the state, for the control socket. It may be called from any
// goroutine while Run runs, as Fail and Recover may.
func (n *Node) Snapshot(ctx context.Context) (*control.State, error) {
	var s *control.State
	err := n.ask(ctx, func() { s = n.snapshot() })
	return s, err
}

// Fail leaves Spread, releases everything and stays away (wackatrl -f).
func (n *Node) Fail(ctx context.Context) error {
	return n.ask(ctx, func() {
		if !n.failed {
			n.log.Printf("told to stay away from Spread (wackatrl -f)")
		}
		n.failed = true
		n.alarms.stop(connectAlarm)
		n.lose("told to stay away")
	})
}

// Recover ends what Fail began (wackatrl -s). If a failed interface keeps this
// member away, it ends that instead, whatever the interface does; the member leaves
// again only for a new failure. On a member that is not away it does nothing.
func (n *Node) Recover(ctx context.Context) error {
	return n.ask(ctx, func() {
		switch {
		case n.failed:
			n.log.Printf("told to come back to Spread (wackatrl -s)")
			n.failed = false
			n.connect()
			n.checkHealth()
			if n.away != nil {
				n.log.Warningf("%s: staying away until it is back; wackatrl -s once more joins all the same", n.awayReason())
			}
		case n.away != nil:
			n.override()
		}
	})
}

// phase is what the node is doing.
func (n *Node) phase() control.Phase {
	switch {
	case n.failed || n.away != nil:
		return control.Failed
	case n.session == nil:
		return control.Connecting
	}
	switch n.machine.State() {
	case alloc.Gather:
		return control.Gather
	case alloc.Run:
		return control.Run
	}
	return control.Boot
}

func (n *Node) snapshot() *control.State {
	status := n.machine.Status()
	s := &control.State{
		Program: n.program, Phase: n.phase(), Mature: status.Mature, Group: n.config.Group,
		Name: status.Self, Address: n.known, Index: -1,
		Interfaces: make([]control.VirtualInterface, len(status.Rows)),
		Counters:   n.counters.snapshot(),
	}
	switch {
	case n.failed:
		s.Reason = "told to stay away (wackatrl -f)"
	case n.away != nil:
		s.Reason = n.awayReason()
	}
	if len(status.Members) > 0 {
		s.Index = status.Index
		s.View = &control.View{ID: status.View, Members: make([]control.Member, len(status.Members))}
		for i, m := range status.Members {
			s.View.Members[i] = control.Member{Name: m.Name, Address: m.Address, Kind: memberKind(m)}
		}
	}
	for i, r := range status.Rows {
		v := &n.holdings.interfaces[n.holdings.byKey[r.Key]]
		s.Interfaces[i] = control.VirtualInterface{
			Addresses: v.Addresses, Owner: r.Owner, Claim: int32(r.Claim), Held: n.holdings.has(v),
		}
	}
	s.Goroutines = runtime.NumGoroutine()
	stats := n.door.Announcer.Stats()
	s.Counters.Announcements, s.Counters.Notifications = stats.Announcements, stats.Notifications
	if n.door.Hooks != nil {
		s.Counters.HookFailures, s.Counters.HooksDropped = n.door.Hooks.Failures()
	}
	return s
}

func memberKind(m alloc.MemberStatus) control.MemberKind {
	switch {
	case m.Silent:
		return control.Silent
	case !m.Answered:
		return control.Unknown
	case m.Original:
		return control.Original
	}
	return control.Ours
}

// logState writes the state to the log (SIGUSR1).
func (n *Node) logState() {
	s := n.snapshot()
	if s.Reason != "" {
		n.log.Printf("away: %s", s.Reason)
	}
	n.log.Printf("state %v, mature %v, %s (%v), view of %d", s.Phase, s.Mature, s.Name, s.Address, len(n.machine.Status().Members))
	for _, v := range s.Interfaces {
		owner := "nobody"
		if v.Owner.IsValid() {
			owner = v.Owner.String()
		}
		held := ""
		if v.Held {
			held = ", held here"
		}
		addresses := make([]string, 0, len(v.Addresses))
		for _, a := range v.Addresses {
			addresses = append(addresses, a.String())
		}
		n.log.Printf("[%s]: owner %s, claim %d%s", strings.Join(addresses, " "), owner, v.Claim, held)
	}
}
