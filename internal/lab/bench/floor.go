package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"wackamole/garp"
	"wackamole/internal/lab/vnet"
)

// The floor is what a program could do that knows everything beforehand: messages for all addresses are prepared
// and pushed into the kernel in a loop that does nothing else, and after that prepared frames, two an address,
// as ours announces them.
type floor struct {
	wire        *wire
	fd          int
	add, remove [][]byte
	pushers     []*pusher
	began       time.Duration
	pushed      time.Duration // all messages; the frames come then
}

// chunkLength is how many messages go into one system call: more answers than that, should all fail, would not
// fit a socket's buffer.
const chunkLength = 200

func newFloor(w *wire, list []virtual) (*floor, error) {
	f := &floor{wire: w, fd: -1}
	err := w.subject.Do(func() error {
		var err error
		f.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a socket for the floor: %w", err)
	}
	index := make(map[string]uint32)
	byLink := make(map[string][]netip.Addr)
	for _, v := range list {
		byLink[v.link] = append(byLink[v.link], v.addr)
	}
	for _, name := range w.links {
		link, err := w.subject.Interface(name)
		if err != nil {
			return nil, err
		}
		index[name] = uint32(link.Index)
		if len(byLink[name]) == 0 {
			continue
		}
		p, err := newPusher(w.subject, link, byLink[name])
		if err != nil {
			return nil, err
		}
		f.pushers = append(f.pushers, p)
	}
	f.add = prepare(list, index, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	f.remove = prepare(list, index, unix.RTM_DELADDR, 0)
	return f, nil
}

// prepare makes the messages for a list of addresses, the last of each chunk to be acknowledged.
func prepare(list []virtual, index map[string]uint32, kind, flags uint16) (chunks [][]byte) {
	order := binary.NativeEndian
	for from := 0; from < len(list); from += chunkLength {
		part := list[from:min(from+chunkLength, len(list))]
		var b []byte
		for i, v := range part {
			f := flags | unix.NLM_F_REQUEST
			if i == len(part)-1 {
				f |= unix.NLM_F_ACK
			}
			start := len(b)
			b = order.AppendUint32(b, 0) // length, below
			b = order.AppendUint16(b, kind)
			b = order.AppendUint16(b, f)
			b = order.AppendUint64(b, 0) // sequence number and port
			b = append(b, unix.AF_INET, 32, 0, unix.RT_SCOPE_UNIVERSE)
			b = order.AppendUint32(b, index[v.link])
			four := v.addr.As4()
			for _, attribute := range []uint16{unix.IFA_LOCAL, unix.IFA_ADDRESS} {
				b = order.AppendUint16(b, unix.SizeofRtAttr+4)
				b = order.AppendUint16(b, attribute)
				b = append(b, four[:]...)
			}
			if kind == unix.RTM_NEWADDR { // with a label, as ours has one
				label := append([]byte(v.link+":"+strconv.Itoa(from+i+1)), 0)
				b = order.AppendUint16(b, uint16(unix.SizeofRtAttr+len(label)))
				b = order.AppendUint16(b, unix.IFA_LABEL)
				b = append(b, label...)
			}
			order.PutUint32(b[start:], uint32(len(b)-start))
			for len(b)%unix.NLMSG_ALIGNTO != 0 {
				b = append(b, 0)
			}
		}
		chunks = append(chunks, b)
	}
	return chunks
}

// send pushes prepared chunks and sees that the kernel took them.
func (f *floor) send(chunks [][]byte) error {
	var answer [4096]byte
	for _, c := range chunks {
		if err := unix.Sendto(f.fd, c, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			return fmt.Errorf("send addresses: %w", err)
		}
		n, _, err := unix.Recvfrom(f.fd, answer[:], 0)
		if err != nil {
			return fmt.Errorf("receive the answer about addresses: %w", err)
		}
		if n < 20 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
			return fmt.Errorf("unexpected answer %x", answer[:n])
		}
		if errno := -int32(binary.NativeEndian.Uint32(answer[16:])); errno != 0 {
			return fmt.Errorf("the kernel refused addresses: %w", unix.Errno(errno))
		}
	}
	return nil
}

func (f *floor) name() string { return "floor" }

func (f *floor) frames() int { return 2 }

func (f *floor) takeOver() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f.began = now()
	if err := f.send(f.add); err != nil {
		return err
	}
	f.pushed = now()
	for _, p := range f.pushers {
		if err := p.push(); err != nil {
			return err
		}
	}
	return nil
}

func (f *floor) begin() time.Duration { return f.began }

func (f *floor) release() error {
	f.began = now()
	err := f.send(f.remove)
	f.pushed = now()
	return err
}

func (f *floor) close() {
	for _, p := range f.pushers {
		p.close()
	}
	unix.Close(f.fd)
}

// A pusher sends prepared frames: for each address both forms of an announcement, all of one form first.
type pusher struct {
	fd       int
	frames   [][]byte
	messages []mmsghdr
	vectors  []unix.Iovec
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	header unix.Msghdr
	length uint32
}

func newPusher(n *vnet.Namespace, link *net.Interface, list []netip.Addr) (*pusher, error) {
	p := &pusher{fd: -1}
	from := garp.LinkAddr(link.HardwareAddr)
	for _, form := range []func([]byte, garp.LinkAddr, [4]byte) []byte{garp.AppendAnnouncement, garp.AppendGratuitousReply} {
		for _, a := range list {
			p.frames = append(p.frames, form(nil, from, a.As4()))
		}
	}
	p.messages, p.vectors = make([]mmsghdr, len(p.frames)), make([]unix.Iovec, len(p.frames))
	for i, frame := range p.frames {
		p.vectors[i].Base = &frame[0]
		p.vectors[i].SetLen(len(frame))
		p.messages[i].header.Iov = &p.vectors[i]
		p.messages[i].header.SetIovlen(1)
	}
	err := n.Do(func() error {
		var err error
		if p.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(p.fd, &unix.SockaddrLinklayer{Ifindex: link.Index}) // protocol 0: it hears nothing
	})
	if err != nil {
		return nil, fmt.Errorf("open a packet socket on %s: %w", link.Name, err)
	}
	return p, nil
}

// push hands all frames to the kernel.
func (p *pusher) push() error {
	const most = 1024 // UIO_MAXIOV, what sendmmsg takes
	for rest := p.messages; len(rest) > 0; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(p.fd), uintptr(unsafe.Pointer(&rest[0])), uintptr(min(len(rest), most)), 0, 0, 0)
		if errno != 0 {
			return fmt.Errorf("push frames: %w", errno)
		}
		rest = rest[n:]
	}
	return nil
}

func (p *pusher) close() { unix.Close(p.fd) }
