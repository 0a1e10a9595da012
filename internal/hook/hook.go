// Package hook runs what RunDynamic names when virtual interfaces come and go.
//
// The original loads shared objects and an embedded Perl into the daemon. A static binary can do
// neither, so a hook is a child process here:
//
//   - RunDynamic module:func EVENT runs the executable ModuleDir/module with two arguments, func and the
//     event as one word (on-up, on-down, post-up, post-down). The event is on its standard input as one
//     line of JSON, and in its environment as WACK_EVENT, WACK_INTERFACE, WACK_IP, WACK_PREFIX (those
//     of the first address), WACK_IPS (all addresses, a blank between) and WACK_OWNER.
//   - RunDynamic Package::func EVENT runs the machine's perl, which loads what PerlUse names from the
//     PerlUseLib directories and calls the sub with the three references that the original passes: the
//     first address (a hash), the others (an array of hashes) and the owner (a hash), each hash with the
//     keys ifname, ip, broadcast and netmask. It is a new perl every time: globals do not last.
//
// "post" events come once a round, with every value zero, as in the original.
//
// Check says at start what could not run later: a shared object in place of an executable, no perl.
// Runner runs the hooks. The daemon hands it events and never waits: they are queued, in order for each
// virtual interface, and run by a few children side by side; "post" events wait for the events of
// their round. A child has a time limit, its output goes to the log, and it inherits no descriptor and
// no environment. While a virtual interface's hook is slow, newer events replace those of it that they
// make moot; they are counted.
package hook

import (
	"net/netip"

	"wackamole/conf"
)

// change is one event: what happened to a virtual interface, or that a round of changes is over.
type change struct {
	Kind conf.Event
	// Interface is the virtual interface; without addresses for PostUp and PostDown.
	Interface conf.VirtualInterface
	// Owner is the real address of the owner as the allocation table has it; invalid when there is none.
	Owner netip.Addr
}

// key names the virtual interface; the zero Addr for "post" events.
func (e change) key() netip.Addr {
	if e.isPost() || len(e.Interface.Addresses) == 0 {
		return netip.Addr{}
	}
	return e.Interface.Key()
}

func (e change) isPost() bool { return e.Kind == conf.PostUp || e.Kind == conf.PostDown }

func (e change) isUp() bool { return e.Kind == conf.OnUp || e.Kind == conf.PostUp }

// String is for the log, such as "on-up 10.0.0.5".
func (e change) String() string {
	if key := e.key(); key.IsValid() {
		return e.Kind.Word() + " " + key.String()
	}
	return e.Kind.Word()
}
