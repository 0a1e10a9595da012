package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"wackamole/internal/lab/vnet"
)

// What the lab's own tools do not offer: an interface that changes its namespace, a queue that is full, a
// neighbour table full of entries.

// moveLink moves the interface into another namespace, under another name. Its addresses stay behind.
func moveLink(from *vnet.Namespace, name string, to *vnet.Namespace, newName string) error {
	var target *os.File
	err := to.Do(func() (err error) {
		target, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	if err != nil {
		return fmt.Errorf("move interface %s: %w", name, err)
	}
	defer target.Close()
	a := netlink.NewAttributeEncoder()
	a.String(unix.IFLA_IFNAME, newName)
	a.Uint32(unix.IFLA_NET_NS_FD, uint32(target.Fd()))
	return onLink(from, "move", name, func(c *netlink.Conn, index uint32) error {
		return execute(c, unix.RTM_NEWLINK, 0, linkHeader(index), a)
	})
}

// choke gives the interface a queue that takes only frames shorter than the least that Ethernet knows. What the
// daemon sends has that length and is refused (ENOBUFS); the answers of the kernel to ARP requests are shorter.
func choke(n *vnet.Namespace, name string) error {
	const limit = 50
	a := netlink.NewAttributeEncoder()
	a.String(unix.TCA_KIND, "bfifo")
	a.Bytes(unix.TCA_OPTIONS, binary.NativeEndian.AppendUint32(nil, limit)) // struct tc_fifo_qopt
	return onLink(n, "choke", name, func(c *netlink.Conn, index uint32) error {
		return execute(c, unix.RTM_NEWQDISC, netlink.Create|netlink.Replace, queueHeader(index), a)
	})
}

// unchoke gives the interface its own queue back.
func unchoke(n *vnet.Namespace, name string) error {
	return onLink(n, "unchoke", name, func(c *netlink.Conn, index uint32) error {
		return execute(c, unix.RTM_DELQDISC, 0, queueHeader(index), netlink.NewAttributeEncoder())
	})
}

// addNeighbours fills the neighbour table of the interface with lasting entries.
func addNeighbours(n *vnet.Namespace, name string, list []netip.Addr) error {
	return eachNeighbour(n, "add neighbours on", name, unix.RTM_NEWNEIGH, netlink.Create|netlink.Replace, list)
}

// deleteNeighbours undoes addNeighbours. Entries that went with their interface are no error.
func deleteNeighbours(n *vnet.Namespace, name string, list []netip.Addr) error {
	return eachNeighbour(n, "delete neighbours on", name, unix.RTM_DELNEIGH, 0, list)
}

func eachNeighbour(n *vnet.Namespace, what, name string, kind netlink.HeaderType, flags netlink.HeaderFlags, list []netip.Addr) error {
	return onLink(n, what, name, func(c *netlink.Conn, index uint32) error {
		for _, address := range list {
			b := address.As4()
			a := netlink.NewAttributeEncoder()
			a.Bytes(unix.NDA_DST, b[:])
			a.Bytes(unix.NDA_LLADDR, append(net.HardwareAddr{0x02, 0x76}, b[:]...))
			err := execute(c, kind, flags, neighbourHeader(index), a)
			if err != nil && kind == unix.RTM_NEWNEIGH {
				return fmt.Errorf("%v: %w", address, err)
			}
		}
		return nil
	})
}

// onLink runs f with a socket in the namespace and the interface's index.
func onLink(n *vnet.Namespace, what, name string, f func(c *netlink.Conn, index uint32) error) error {
	link, err := n.Interface(name)
	if err == nil {
		err = n.Do(func() error {
			c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
			if err != nil {
				return err
			}
			defer c.Close()
			return f(c, uint32(link.Index))
		})
	}
	if err != nil {
		return fmt.Errorf("%s interface %s: %w", what, name, err)
	}
	return nil
}

func execute(c *netlink.Conn, kind netlink.HeaderType, flags netlink.HeaderFlags, header []byte, a *netlink.AttributeEncoder) error {
	attributes, err := a.Encode()
	if err != nil {
		return err
	}
	_, err = c.Execute(netlink.Message{
		Header: netlink.Header{Type: kind, Flags: flags | netlink.Request | netlink.Acknowledge},
		Data:   append(header, attributes...),
	})
	return err
}

// linkHeader is struct ifinfomsg: family, padding, type, index, flags, change mask.
func linkHeader(index uint32) []byte {
	b := binary.NativeEndian.AppendUint32(make([]byte, 4, 16), index)
	return append(b, make([]byte, 8)...)
}

// queueHeader is struct tcmsg: family and padding, index, handle, parent, info. The queue is the root of the
// interface's.
func queueHeader(index uint32) []byte {
	b := binary.NativeEndian.AppendUint32(make([]byte, 4, 20), index)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = binary.NativeEndian.AppendUint32(b, 0xffffffff) // TC_H_ROOT
	return binary.NativeEndian.AppendUint32(b, 0)
}

// neighbourHeader is struct ndmsg: family and padding, index, state, flags, type.
func neighbourHeader(index uint32) []byte {
	b := binary.NativeEndian.AppendUint32([]byte{unix.AF_INET, 0, 0, 0}, index)
	b = binary.NativeEndian.AppendUint16(b, unix.NUD_PERMANENT)
	return append(b, 0, unix.RTN_UNICAST)
}
