package node

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/conf"
	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/rtnl"
)

// resolveTime bounds the resolution of this host's own name.
const resolveTime = 2 * time.Second

// errNoRealAddress is the answer of a host that cannot name itself.
var errNoRealAddress = errors.New("no real address found for this host: give one with -a, " +
	"or give the interface of the first virtual interface an address of its own")

// findRealAddress finds the address that names this member in messages: as the
// original does, the first that the host name resolves to. Where that is a
// loopback address, as Debian's /etc/hosts makes it, or the name does not
// resolve, it is the address from which this host reaches the network of its
// first virtual interface, or else one of that interface; reason says why.
// Virtual addresses never count: one that is there may be a crash's leftover.
func findRealAddress(ctx context.Context, door Doors, list []conf.VirtualInterface) (a netip.Addr, reason string, err error) {
	var system unix.Utsname
	if err := unix.Uname(&system); err != nil {
		return a, "", fmt.Errorf("read the host name: %w", err)
	}
	host := unix.ByteSliceToString(system.Nodename[:])
	virtual := make(map[netip.Addr]bool)
	for _, v := range list {
		for _, a := range v.Addresses {
			virtual[a.Addr()] = true
		}
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	names, err := door.Lookup(ctx, host)
	if err != nil {
		reason = fmt.Sprintf("the host name %s does not resolve (%v)", host, err)
	} else {
		for _, a := range names {
			if a = a.Unmap(); a.Is4() && !a.IsLoopback() && !a.IsUnspecified() && !virtual[a] {
				return a, "", nil
			}
		}
		reason = fmt.Sprintf("the host name %s resolves to no address that others could know (%s)", host, listed(names))
	}
	present, err := door.Kernel.Addresses()
	if err != nil {
		return a, "", fmt.Errorf("list the addresses of this host: %w", err)
	}
	if a = nearest(list[0].Addresses[0], virtual, present); a.IsValid() {
		return a, reason, nil
	}
	return a, "", fmt.Errorf("%w (%s)", errNoRealAddress, reason)
}

// nearest returns the host's own address that is closest to a virtual one: on
// its interface and in its network, else in its network, else on its interface.
// The virtual address may be configured with /32, so that it is the networks of
// the addresses already there that tell.
func nearest(v conf.Address, virtual map[netip.Addr]bool, present []rtnl.Assigned) netip.Addr {
	var best netip.Addr
	rank := 0
	for _, p := range present {
		a := p.Prefix.Addr()
		if a.IsLoopback() || virtual[a] {
			continue
		}
		near := 0
		if p.Prefix.Contains(v.Addr()) || v.Prefix.Contains(a) {
			near += 2
		}
		if p.Interface == v.Interface {
			near++
		}
		if near > rank {
			best, rank = a, near
		}
	}
	return best
}

func listed(addrs []netip.Addr) string {
	var b strings.Builder
	for i, a := range addrs {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.String())
	}
	return b.String()
}
