// Package stream opens sockets: TCP and unix connections, listeners, and
// connected UDP sockets for short questions.
//
// It stands in for the dialers and listeners of package net, which bring a
// resolver and the ways of many systems with them: a seventh of the whole binary
// on a router. What is opened here has the same methods, with deadlines and with
// the runtime's poller beneath.
//
// There are no names here: an Address is what the kernel takes. Package hosts
// finds the addresses of a name.
//
// Errors are *fs.PathError values that carry the operation and the other end
// ("connect 10.0.0.1:4803: connection refused"). To be tested for are the
// kernel's (unix.ECONNREFUSED), os.ErrDeadlineExceeded, the context's while
// dialling, and os.ErrClosed after Close.
package stream

import (
	"io/fs"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// An Address is one end of a connection.
type Address struct {
	network string // tcp, udp or unix
	ip      netip.AddrPort
	path    string
}

// TCP returns the address of a TCP port.
func TCP(a netip.AddrPort) Address { return Address{network: "tcp", ip: a} }

// UDP returns the address of a UDP port.
func UDP(a netip.AddrPort) Address { return Address{network: "udp", ip: a} }

// Unix returns the address of a unix stream socket. A path that starts with @ is
// an abstract name.
func Unix(path string) Address { return Address{network: "unix", path: path} }

// Network returns tcp, udp or unix.
func (a Address) Network() string { return a.network }

// String returns IP:PORT, or the path.
func (a Address) String() string {
	if a.network == "unix" {
		return a.path
	}
	return a.ip.String()
}

// socket makes a socket that can talk to a, or be bound to it.
func (a Address) socket() (int, error) {
	family, kind := unix.AF_UNIX, unix.SOCK_STREAM
	switch {
	case a.network == "unix":
	case a.ip.Addr().Unmap().Is4():
		family = unix.AF_INET
	default:
		family = unix.AF_INET6
	}
	if a.network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	return unix.Socket(family, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

// sockaddr is a for the kernel. The form is that of package syscall: that of unix
// brings all of two dozen kinds of sockets, 20 KB on mips.
func (a Address) sockaddr() (syscall.Sockaddr, error) {
	ip := a.ip.Addr().Unmap()
	switch {
	case a.network == "unix":
		return &syscall.SockaddrUnix{Name: a.path}, nil
	case ip.Is4():
		return &syscall.SockaddrInet4{Port: int(a.ip.Port()), Addr: ip.As4()}, nil
	case !ip.IsValid():
		return nil, unix.EINVAL
	}
	to := &syscall.SockaddrInet6{Port: int(a.ip.Port()), Addr: ip.As16()}
	if zone := ip.Zone(); zone != "" {
		index, err := zoneIndex(zone)
		if err != nil {
			return nil, err
		}
		to.ZoneId = index
	}
	return to, nil
}

// zoneIndex is the interface that the zone of a link-local address names, by its
// number or its name.
func zoneIndex(zone string) (uint32, error) {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	return InterfaceIndex(zone)
}

// fromSockaddr is the kernel's address in our form.
func fromSockaddr(network string, from syscall.Sockaddr) Address {
	a := Address{network: network}
	switch from := from.(type) {
	case *syscall.SockaddrInet4:
		a.ip = netip.AddrPortFrom(netip.AddrFrom4(from.Addr), uint16(from.Port))
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(from.Addr)
		if from.ZoneId != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(from.ZoneId), 10))
		}
		a.ip = netip.AddrPortFrom(ip, uint16(from.Port))
	case *syscall.SockaddrUnix:
		a.path = from.Name
	}
	return a
}

// InterfaceIndex returns the number of a network interface. The error wraps
// unix.ENODEV if there is none of that name. It needs no privilege.
func InterfaceIndex(name string) (uint32, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("interface %.20q: %w", name, unix.ENODEV) // no interface can have that name
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a socket to look at interface %s: %w", name, err)
	}
	defer unix.Close(fd)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); err != nil {
		return 0, fmt.Errorf("interface %s: %w", name, err)
	}
	return request.Uint32(), nil
}

// failed is the error of an operation on the socket to or at an address.
func failed(operation string, a Address, err error) error {
	return &fs.PathError{Op: operation, Path: a.String(), Err: err}
}
