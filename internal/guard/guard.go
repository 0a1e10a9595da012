// Package guard is a second process that releases the virtual addresses when the
// daemon cannot: it was killed (SIGKILL, out of memory, a crash) or stands still.
// Without it the addresses would stay on this host while Spread has the others
// take them over, and two hosts would answer for each.
//
// The model. The daemon starts its own binary again under another name and talks
// to it over a pipe: these addresses are held (before the kernel gets them), those
// are not any more (after the kernel has let them go), I am alive. The guard keeps
// a list of keys and a netlink socket that is open already. When the daemon ends, or
// when the daemon's last sign of life is Limit old while addresses are held, it
// removes what is on its list, ends the daemon's connection with Spread, which it
// was given too, and ends. So the addresses are gone before the other members hear
// that they may take them, and they do hear of it. Signs of life carry the time at which they
// were given, on the clock that both processes share, so that both know the same
// deadline whichever of them stood still.
//
// The guard listens to no signal but SIGKILL, lives in a session of its own, and
// has neither the daemon's command name nor its argv[0], so that a killall of the
// daemon leaves it alone. A killall that goes by the name of the executable
// (BusyBox) would still find it; therefore, where the daemon's binary has a hard
// link named wackguard beside it, the guard is started by that name.
//
// The guard also holds a name, an abstract unix socket of the network namespace:
// as long as it exists, a new daemon waits, so that an old guard never removes what
// a new daemon has just added.
//
// It is to cost little: one goroutine that waits in poll(2), no memory taken after
// the start but for the release itself, and so no garbage collector either.
package guard

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/rtnl"
)

const (
	// Limit is how long the daemon may give no sign of life while it holds
	// addresses. It is shorter than the time after which the other members go on
	// without a silent one (20 s).
	Limit = 10 * time.Second

	// Patience is how long a new daemon waits for the guard of an old one: what
	// that may take, and a little more.
	Patience = Limit + 2*time.Second
)

// argv0 is the guard's argv[0] and command name.
const argv0 = "wackguard"

// An order is what the daemon tells the guard, a record of 12 bytes in the
// machine's byte order (both ends are the same binary):
//
//	0  1  what
//	1  1  prefix length
//	2  2  zero
//	4  4  interface index
//	8  4  address
//
// A beat has the time at which it was given in bytes 4 to 11, in nanoseconds of
// CLOCK_MONOTONIC.
type order struct {
	what byte
	key  rtnl.Key
	at   time.Duration
}

const orderSize = 12

// What an order says.
const (
	hold byte = iota + 1 // the address is about to be added
	drop                 // the address is gone
	beat                 // the daemon is alive
	done                 // the daemon ends in good order
)

func (o order) append(b []byte) []byte {
	b = append(b, o.what, o.key.Bits, 0, 0)
	if o.what == beat {
		return binary.NativeEndian.AppendUint64(b, uint64(o.at))
	}
	b = binary.NativeEndian.AppendUint32(b, o.key.Index)
	return append(b, o.key.Addr[:]...)
}

// parseOrder decodes the first 12 bytes of b.
func parseOrder(b []byte) order {
	if b[0] == beat {
		return order{what: beat, at: time.Duration(binary.NativeEndian.Uint64(b[4:]))}
	}
	return order{what: b[0], key: rtnl.Key{
		Index: binary.NativeEndian.Uint32(b[4:]), Addr: [4]byte(b[8:12]), Bits: b[1],
	}}
}

// monotonic returns the time of the clock that daemon and guard share.
func monotonic() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0 // never: the clock is as old as Linux 2.6
	}
	return time.Duration(t.Nano())
}
