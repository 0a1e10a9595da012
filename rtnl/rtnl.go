// Package rtnl adds, removes and lists the IPv4 addresses of this host's
// interfaces over rtnetlink (rtnetlink(7), RFC 3549), many at a time.
//
// # Model
//
// A [Conn] is one netlink socket. [Conn.Add] and [Conn.Delete] take any number
// of addresses and return one [Result] for each, in the same order. They send
// chunks of at most 200 messages a system call. The kernel works a chunk off in
// order before the call returns, answers each message that fails, and answers
// the last in any case: its answer vouches for all that came before and were
// not complained of. Answers are matched by sequence number. Where one was lost
// (ENOBUFS), the kernel's list of addresses is read and decides.
//
// Both are idempotent: what is there already or gone already is told apart from
// what was done, and is no error. An address that is there with another prefix,
// or on another interface, is left alone and reported.
//
// What the caller did not name stays. Linux keeps one primary address for each
// subnet of an interface and deletes its secondaries with it, unless
// net.ipv4.conf.*.promote_secondaries is set. So Delete removes secondaries
// first; if one that it was not told to remove hangs on a primary that it
// was, it sets promote_secondaries for that interface, and where it cannot,
// it puts the address back in the same system call.
//
// [Prepared] is the same release for a guard process: a socket opened
// beforehand and 12 bytes of memory for each address. [Watcher] reports changes
// made by others. [Labels] hands out the alias names eth0:1, eth0:2, ...
//
// Integers in netlink messages are in the byte order of the machine, addresses
// in network byte order.
package rtnl

import (
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// An Address is an IPv4 address of an interface, as a caller names it.
type Address struct {
	// Interface is the name of the interface, such as eth0 or br-lan.
	Interface string

	// Prefix is the address itself, host bits included, and the length of its
	// network prefix: 10.0.0.5/24.
	Prefix netip.Prefix

	// Broadcast is the broadcast address to set. The zero Addr stands for the
	// last address of the prefix. None is ever set for /31 and /32.
	Broadcast netip.Addr

	// Label is the alias name, such as eth0:1, at most 15 characters. The kernel
	// takes the name of the interface where it is empty.
	Label string
}

// String returns the address as "eth0:1:10.0.0.5/24", or with the interface's
// name where there is no label.
func (a Address) String() string {
	name := a.Label
	if name == "" {
		name = a.Interface
	}
	return name + ":" + a.Prefix.String()
}

// check returns what makes a unfit to be sent to the kernel.
func (a Address) check() error {
	switch {
	case !a.Prefix.IsValid() || !a.Prefix.Addr().Is4():
		return fmt.Errorf("%s is no IPv4 address with a prefix length", a.Prefix)
	case len(a.Label) >= unix.IFNAMSIZ:
		return fmt.Errorf("label %q is longer than %d characters", a.Label, unix.IFNAMSIZ-1)
	case a.Broadcast.IsValid() && !a.Broadcast.Is4():
		return fmt.Errorf("broadcast address %s is no IPv4 address", a.Broadcast)
	}
	return nil
}

// broadcast returns the broadcast address to set and whether there is one.
func (a Address) broadcast() (b [4]byte, ok bool) {
	bits := a.Prefix.Bits()
	if bits >= 31 {
		return b, false
	}
	if a.Broadcast.IsValid() {
		return a.Broadcast.As4(), true
	}
	b = a.Prefix.Addr().As4()
	for i := bits; i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b, true
}

// A Key is what the kernel tells an address by. It is 12 bytes long.
type Key struct {
	// Index is the index of the interface.
	Index uint32
	// Addr is the address in network byte order.
	Addr [4]byte
	// Bits is the length of the prefix.
	Bits uint8
}

// String returns the key as "10.0.0.5/24 on interface 3".
func (k Key) String() string {
	return fmt.Sprintf("%s on interface %d", k.prefix(), k.Index)
}

func (k Key) prefix() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4(k.Addr), int(k.Bits))
}

// Options change how a [Conn] or a [Prepared] works. The zero value is right
// for a daemon.
type Options struct {
	// ConfDir is the directory with a subdirectory of settings for each
	// interface, /proc/sys/net/ipv4/conf where it is empty.
	ConfDir string

	// Notice, where it is not nil, is called with one line of text for each
	// thing that Delete does beyond what it was told: setting
	// promote_secondaries, putting an address back.
	Notice func(line string)
}

// A Conn is a netlink socket for requests. Its methods may be called from
// several goroutines and then run one after the other. None of them waits for
// anything but the kernel's own work.
type Conn struct {
	mu      sync.Mutex
	session session
	release releaser
}

// Dial opens a netlink socket. Listing needs no privilege, adding and removing
// need CAP_NET_ADMIN.
func Dial(o Options) (*Conn, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	return newConn(s, o), nil
}

func newConn(t transport, o Options) *Conn {
	c := &Conn{session: session{transport: t}}
	c.release = newReleaser(&c.session, o)
	return c
}

// Close closes the socket.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.transport.close()
}
