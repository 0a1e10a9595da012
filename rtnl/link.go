package rtnl

import (
	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

const (
	maxLinks = 1 << 14
	// extSkipStats asks for no counters (RTEXT_FILTER_SKIP_STATS, Linux 4.4).
	extSkipStats = 1 << 3
	// maxHardwareAddr is MAX_ADDR_LEN of linux/netdevice.h.
	maxHardwareAddr = 32
)

// A HardwareAddr is a link-layer address.
type HardwareAddr []byte

// String returns the address as octets with colons between.
func (a HardwareAddr) String() string {
	var s []byte
	for i, octet := range a {
		if i > 0 {
			s = append(s, ':')
		}
		s = fmt.Appendf(s, "%02x", octet)
	}
	return string(s)
}

// A Link is an interface.
type Link struct {
	Index int
	Name  string
	// Type is the ARPHRD_ number of its hardware: 1 Ethernet, 772 loopback.
	Type uint16
	// HardwareAddr is its link-layer address; nil where it has none.
	HardwareAddr HardwareAddr
	// Up: an administrator has set it up.
	Up bool
	// Running: it is operational (RFC 2863 state up, or the driver does not say).
	Running bool
	// Carrier: the driver reports a link, as far as it is up.
	Carrier bool
}

// String returns the link as "2 eth0 02:00:00:00:00:01 up running carrier".
func (l Link) String() string {
	s := fmt.Sprintf("%d %s %s", l.Index, l.Name, l.HardwareAddr)
	for _, f := range []struct {
		on   bool
		name string
	}{{l.Up, " up"}, {l.Running, " running"}, {l.Carrier, " carrier"}} {
		if f.on {
			s += f.name
		}
	}
	return s
}

func (l Link) equal(m Link) bool {
	return l.Index == m.Index && l.Name == m.Name && l.Type == m.Type && l.Up == m.Up &&
		l.Running == m.Running && l.Carrier == m.Carrier && string(l.HardwareAddr) == string(m.HardwareAddr)
}

// parse decodes the body of RTM_NEWLINK and RTM_DELLINK (rtnetlink(7)): struct
// ifinfomsg
//
//	0 1  family
//	1 1  padding
//	2 2  ARPHRD_ type
//	4 4  index
//	8 4  flags, IFF_
//	12 4 which flags changed
//
// and attributes: IFLA_IFNAME, IFLA_ADDRESS.
func (l *Link) parse(body []byte) error {
	if len(body) < unix.SizeofIfInfomsg {
		return errMalformed
	}
	index := int32(order.Uint32(body[4:]))
	flags := order.Uint32(body[8:])
	*l = Link{
		Type:    order.Uint16(body[2:]),
		Index:   int(index),
		Up:      flags&unix.IFF_UP != 0,
		Running: flags&unix.IFF_RUNNING != 0,
		Carrier: flags&unix.IFF_LOWER_UP != 0,
	}
	if index <= 0 {
		return errMalformed
	}
	return eachAttribute(body[unix.SizeofIfInfomsg:], func(kind uint16, data []byte) error {
		switch kind {
		case unix.IFLA_IFNAME:
			name := text(data)
			if len(name) >= unix.IFNAMSIZ {
				return errMalformed
			}
			l.Name = string(name)
		case unix.IFLA_ADDRESS:
			if len(data) > maxHardwareAddr {
				return errMalformed
			}
			l.HardwareAddr = append(HardwareAddr(nil), data...)
		}
		return nil
	})
}

// Links lists the interfaces by index.
func (c *Conn) Links() ([]Link, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session.links()
}

func (s *session) links() ([]Link, error) {
	request := make([]byte, unix.SizeofIfInfomsg)
	request = appendAttribute(request, unix.IFLA_EXT_MASK, order.AppendUint32(nil, extSkipStats)...)
	var list []Link
	err := s.dump(unix.RTM_GETLINK, request, maxLinks, func() { list = list[:0] }, func(m message) error {
		var l Link
		if m.kind != unix.RTM_NEWLINK {
			return nil
		}
		if err := l.parse(m.body); err != nil {
			return err
		}
		list = append(list, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	return list, nil
}

// link asks for one interface by its name, or by its index where name is empty.
func (s *session) link(name string, index uint32) (l Link, err error) {
	if len(name) >= unix.IFNAMSIZ || name == "" && index == 0 {
		return l, ErrNoInterface
	}
	s.sequence++
	b := begin(s.out[:0], unix.RTM_GETLINK, unix.NLM_F_REQUEST, s.sequence)
	b = append(b, unix.AF_UNSPEC, 0, 0, 0)
	b = order.AppendUint32(b, index)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = appendAttribute(b, unix.IFLA_EXT_MASK, order.AppendUint32(nil, extSkipStats)...)
	if name != "" {
		b = appendText(b, unix.IFLA_IFNAME, []byte(name))
	}
	s.out = finish(b, 0)
	if err := s.transport.send(s.out); err != nil {
		return l, err
	}
	for {
		b, err := s.receive()
		if err == unix.ENOBUFS {
			continue
		}
		if err != nil {
			return l, err
		}
		for len(b) > 0 {
			var m message
			if m, b, err = next(b); err != nil {
				return l, err
			}
			if m.sequence != s.sequence {
				continue
			}
			switch m.kind {
			case unix.RTM_NEWLINK:
				return l, l.parse(m.body)
			case unix.NLMSG_ERROR:
				errno, err := m.errno()
				if errno == unix.ENODEV {
					return l, ErrNoInterface
				}
				return l, first(err, errno)
			}
		}
	}
}
