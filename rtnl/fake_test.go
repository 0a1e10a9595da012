package rtnl

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A fakeKernel is a transport that keeps interfaces and addresses as Linux does,
// primaries and secondaries included, and loses answers when told to.
type fakeKernel struct {
	links     []string // index-1 -> name, "" for one that vanished
	addresses []addressMessage
	confDir   string
	queue     [][]byte
	overflow  bool
	sends     int

	// loseAnswer, where set, says whether the next answer is lost.
	loseAnswer func() bool
	// interrupt, where set, says whether the next dump is marked as interrupted.
	interrupt func() bool
	// refuse, where set, is the answer to a request to change something.
	refuse unix.Errno
	// refuseDump is the answer to dumps.
	refuseDump unix.Errno
}

func (k *fakeKernel) close() error { return nil }

func (k *fakeKernel) receive(b []byte) (int, error) {
	if k.overflow {
		k.overflow = false
		return 0, unix.ENOBUFS
	}
	if len(k.queue) == 0 {
		return 0, unix.EAGAIN
	}
	n := copy(b, k.queue[0])
	k.queue = k.queue[1:]
	return n, nil
}

func (k *fakeKernel) answer(b []byte) {
	if k.loseAnswer != nil && k.loseAnswer() {
		k.overflow = true
		return
	}
	k.queue = append(k.queue, b)
}

func (k *fakeKernel) send(b []byte) error {
	k.sends++
	for len(b) > 0 {
		m, rest, err := next(b)
		if err != nil {
			return err
		}
		b = rest
		k.request(m)
	}
	return nil
}

func (k *fakeKernel) acknowledge(m message, errno unix.Errno) {
	if errno == 0 && m.flags&unix.NLM_F_ACK == 0 {
		return
	}
	b := begin(nil, unix.NLMSG_ERROR, 0, m.sequence)
	b = order.AppendUint32(b, uint32(-int32(errno)))
	k.answer(finish(append(b, make([]byte, unix.SizeofNlMsghdr)...), 0))
}

func (k *fakeKernel) request(m message) {
	switch m.kind {
	case unix.RTM_GETLINK:
		k.getLink(m)
	case unix.RTM_GETADDR:
		if k.refuseDump != 0 {
			k.acknowledge(m, k.refuseDump)
			return
		}
		var flags uint16 = unix.NLM_F_MULTI
		if k.interrupt != nil && k.interrupt() {
			flags |= unix.NLM_F_DUMP_INTR
		}
		for part := range slices.Chunk(k.addresses, 3) {
			var b []byte
			for _, a := range part {
				start := len(b)
				b = a.append(begin(b, unix.RTM_NEWADDR, flags, m.sequence))
				b = appendAttribute(b, unix.IFA_FLAGS, order.AppendUint32(nil, a.flags)...)
				b = finish(b, start)
			}
			k.answer(b)
		}
		k.answer(finish(append(begin(nil, unix.NLMSG_DONE, flags, m.sequence), 0, 0, 0, 0), 0))
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		var a addressMessage
		if ok, err := a.parse(m.body); err != nil || !ok {
			k.acknowledge(m, unix.EINVAL)
			return
		}
		a.label = slices.Clone(a.label)
		switch {
		case k.refuse != 0:
			k.acknowledge(m, k.refuse)
		case a.key.Index == 0 || int(a.key.Index) > len(k.links) || k.links[a.key.Index-1] == "":
			k.acknowledge(m, unix.ENODEV)
		case m.kind == unix.RTM_NEWADDR:
			k.acknowledge(m, k.add(a))
		default:
			k.acknowledge(m, k.remove(a))
		}
	}
}

func (k *fakeKernel) getLink(m message) {
	index := order.Uint32(m.body[4:])
	var name string
	_ = eachAttribute(m.body[unix.SizeofIfInfomsg:], func(kind uint16, data []byte) error {
		if kind == unix.IFLA_IFNAME {
			name = string(text(data))
		}
		return nil
	})
	if name != "" {
		index = uint32(slices.Index(k.links, name) + 1)
	}
	if index == 0 || int(index) > len(k.links) || k.links[index-1] == "" {
		k.acknowledge(m, unix.ENODEV)
		return
	}
	b := begin(nil, unix.RTM_NEWLINK, 0, m.sequence)
	b = append(b, linkBody(index, true)...)
	b = appendText(b, unix.IFLA_IFNAME, []byte(k.links[index-1]))
	k.queue = append(k.queue, finish(b, 0))
}

// add is __inet_insert_ifa.
func (k *fakeKernel) add(a addressMessage) unix.Errno {
	a.flags = 0
	for _, b := range k.addresses {
		if b.subnet() != a.subnet() {
			continue
		}
		if b.key == a.key {
			return unix.EEXIST
		}
		a.flags = unix.IFA_F_SECONDARY
	}
	k.addresses = append(k.addresses, a)
	return 0
}

// remove is __inet_del_ifa.
func (k *fakeKernel) remove(a addressMessage) unix.Errno {
	i := slices.IndexFunc(k.addresses, func(b addressMessage) bool { return b.key == a.key })
	if i < 0 {
		return unix.EADDRNOTAVAIL
	}
	primary := k.addresses[i].flags&unix.IFA_F_SECONDARY == 0
	k.addresses = slices.Delete(k.addresses, i, i+1)
	if !primary {
		return 0
	}
	on, _ := readSetting(filepath.Join(k.confDir, k.links[a.key.Index-1], "promote_secondaries"))
	if !on {
		k.addresses = slices.DeleteFunc(k.addresses, func(b addressMessage) bool { return b.subnet() == a.subnet() })
		return 0
	}
	for j := range k.addresses {
		if k.addresses[j].subnet() == a.subnet() {
			k.addresses[j].flags = 0
			break
		}
	}
	return 0
}

// String prints the addresses, sorted, as "eth0 eth0:1 10.0.0.1/24".
func (k *fakeKernel) String() string {
	var lines []string
	for _, a := range k.addresses {
		lines = append(lines, fmt.Sprintf("%s %s %s", k.links[a.key.Index-1], a.label, a.key.prefix()))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// conf makes a directory of settings, without one for an interface named in
// readOnly.
func (k *fakeKernel) conf(dir string, readOnly ...string) {
	k.confDir = dir
	for _, name := range append([]string{"all"}, k.links...) {
		if slices.Contains(readOnly, name) {
			continue
		}
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "promote_secondaries"), []byte("0\n"), 0o644); err != nil {
			panic(err)
		}
	}
}

// put adds what is there from the start.
func (k *fakeKernel) put(name string, prefixes ...string) {
	for _, p := range prefixes {
		prefix := netip.MustParsePrefix(p)
		key := Key{uint32(slices.Index(k.links, name) + 1), prefix.Addr().As4(), uint8(prefix.Bits())}
		if errno := k.add(addressMessage{key: key, peer: key.Addr, label: []byte(name)}); errno != 0 {
			panic(errno)
		}
	}
}
