package vnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Veth makes a pair of virtual Ethernet interfaces: name in n, peerName in peer. Both are down.
func (n *Namespace) Veth(name string, peer *Namespace, peerName string) error {
	return n.newLink(name, "veth", func(data *netlink.AttributeEncoder) {
		data.Do(vethInfoPeer, func() ([]byte, error) {
			inner := netlink.NewAttributeEncoder()
			inner.String(unix.IFLA_IFNAME, peerName)
			inner.Uint32(unix.IFLA_NET_NS_FD, uint32(peer.file.Fd()))
			attributes, err := inner.Encode()
			return append(linkHeader(0, 0, 0), attributes...), err
		})
	})
}

// vethInfoPeer is VETH_INFO_PEER of linux/veth.h: the description of the other end.
const vethInfoPeer = 1

// Dummy makes an interface that has a carrier once it is up and swallows what is sent to it. Where the kernel
// has no dummy driver, it is one end of a virtual Ethernet pair whose other end, name with "-far" or cut to
// fit, is up in the same namespace.
func (n *Namespace) Dummy(name string) error {
	err := n.newLink(name, "dummy", func(*netlink.AttributeEncoder) {})
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return err
	}
	far := name
	if len(far) > unix.IFNAMSIZ-5 {
		far = far[:unix.IFNAMSIZ-5]
	}
	far += "-far"
	if err := n.Veth(name, n, far); err != nil {
		return err
	}
	// The far end answers to nothing: with an IPv6 address of its own it would talk.
	n.Sysctl("net/ipv6/conf/"+far+"/disable_ipv6", "1")
	return n.SetUp(far)
}

func (n *Namespace) newLink(name, kind string, data func(*netlink.AttributeEncoder)) error {
	attributes := netlink.NewAttributeEncoder()
	attributes.String(unix.IFLA_IFNAME, name)
	attributes.Nested(unix.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error {
		info.String(unix.IFLA_INFO_KIND, kind)
		info.Nested(unix.IFLA_INFO_DATA, func(d *netlink.AttributeEncoder) error {
			data(d)
			return nil
		})
		return nil
	})
	err := n.request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, linkHeader(0, 0, 0), attributes)
	if err != nil {
		return fmt.Errorf("make %s interface %s: %w", kind, name, err)
	}
	return nil
}

// DeleteLink removes the interface, and its other end if it is one of a pair.
func (n *Namespace) DeleteLink(name string) error {
	return n.changeLink("remove", name, unix.RTM_DELLINK, 0, 0, nil)
}

// SetUp takes the interface into service. A virtual Ethernet pair has a carrier once both ends are up.
func (n *Namespace) SetUp(name string) error {
	return n.changeLink("set up", name, unix.RTM_NEWLINK, unix.IFF_UP, unix.IFF_UP, nil)
}

// SetDown takes the interface out of service; its peer loses the carrier.
func (n *Namespace) SetDown(name string) error {
	return n.changeLink("set down", name, unix.RTM_NEWLINK, 0, unix.IFF_UP, nil)
}

// SetLinkAddress gives the interface the link-layer address.
func (n *Namespace) SetLinkAddress(name string, a net.HardwareAddr) error {
	return n.changeLink("set the link-layer address of", name, unix.RTM_NEWLINK, 0, 0, a)
}

func (n *Namespace) changeLink(what, name string, message netlink.HeaderType, flags, mask uint32, mac net.HardwareAddr) error {
	attributes := netlink.NewAttributeEncoder()
	if mac != nil {
		attributes.Bytes(unix.IFLA_ADDRESS, mac)
	}
	link, err := n.Interface(name)
	if err == nil {
		err = n.request(message, 0, linkHeader(link.Index, flags, mask), attributes)
	}
	if err != nil {
		return fmt.Errorf("%s interface %s: %w", what, name, err)
	}
	return nil
}

// Interface finds an interface of the namespace.
func (n *Namespace) Interface(name string) (link *net.Interface, err error) {
	err = n.Do(func() error {
		link, err = net.InterfaceByName(name)
		return err
	})
	return link, err
}

// AddAddress gives the interface an IPv4 address (p is the unmasked address with its prefix length), with the
// broadcast address of its prefix where there is one.
func (n *Namespace) AddAddress(name string, p netip.Prefix) error {
	return n.changeAddress("add", name, unix.RTM_NEWADDR, netlink.Create|netlink.Excl, p)
}

// DeleteAddress takes exactly the address with this prefix length from the interface.
func (n *Namespace) DeleteAddress(name string, p netip.Prefix) error {
	return n.changeAddress("delete", name, unix.RTM_DELADDR, 0, p)
}

func (n *Namespace) changeAddress(what, name string, message netlink.HeaderType, flags netlink.HeaderFlags, p netip.Prefix) error {
	if !p.Addr().Is4() {
		return fmt.Errorf("%s %s: not an IPv4 address", what, p)
	}
	attributes := netlink.NewAttributeEncoder()
	address := p.Addr().As4()
	attributes.Bytes(unix.IFA_LOCAL, address[:])
	attributes.Bytes(unix.IFA_ADDRESS, address[:])
	if p.Bits() < 31 {
		broadcast := binary.BigEndian.Uint32(address[:]) | ^uint32(0)>>p.Bits()
		attributes.Bytes(unix.IFA_BROADCAST, binary.BigEndian.AppendUint32(nil, broadcast))
	}
	link, err := n.Interface(name)
	if err == nil {
		// struct ifaddrmsg: family, prefix length, flags, scope, then the index.
		header := []byte{unix.AF_INET, byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE}
		header = binary.NativeEndian.AppendUint32(header, uint32(link.Index))
		err = n.request(message, flags, header, attributes)
	}
	if err != nil {
		return fmt.Errorf("%s %s on %s: %w", what, p, name, err)
	}
	return nil
}

// Addresses lists the IPv4 addresses of the interface with their prefix lengths, in the kernel's order.
func (n *Namespace) Addresses(name string) (list []netip.Prefix, err error) {
	err = n.Do(func() error {
		link, err := net.InterfaceByName(name)
		if err != nil {
			return err
		}
		found, err := link.Addrs()
		if err != nil {
			return err
		}
		for _, a := range found {
			p, err := netip.ParsePrefix(a.String())
			if err == nil && p.Addr().Is4() {
				list = append(list, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the addresses of %s: %w", name, err)
	}
	return list, nil
}

// linkHeader is struct ifinfomsg: family, padding, type, index, flags, mask of the flags to change.
func linkHeader(index int, flags, mask uint32) []byte {
	b := make([]byte, 4, 16)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, mask)
}

// request sends one rtnetlink message in the namespace and waits for its acknowledgement. errors.Is finds the
// kernel's errno in the error.
func (n *Namespace) request(message netlink.HeaderType, flags netlink.HeaderFlags, header []byte, attributes *netlink.AttributeEncoder) error {
	encoded, err := attributes.Encode()
	if err != nil {
		return err
	}
	return n.Do(func() error {
		c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Execute(netlink.Message{
			Header: netlink.Header{Type: message, Flags: flags | netlink.Request | netlink.Acknowledge},
			Data:   append(header, encoded...),
		})
		return err
	})
}
