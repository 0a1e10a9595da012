package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"wackamole/internal/lab/vnet"
)

const (
	// offloadHeader is the size of struct virtio_net_hdr, which PACKET_VNET_HDR puts before each frame: what
	// is left to do for a network card (checksums, cutting into segments). The switch hands it on as it came,
	// so that TCP and UDP of the hosts work although no card ever does it.
	offloadHeader = 10
	// maxFrame is the largest frame that a host can leave to be cut into segments, with its headers.
	maxFrame = 64<<10 + 18
	// minFrame is an Ethernet header.
	minFrame = 14
	// receiveBuffer asks for as much as the kernel grants without privilege over the machine.
	receiveBuffer = 4 << 20
)

// A port is the switch's end of a cable: a packet socket on an interface of the switch's namespace. What waits
// in it is bounded by the socket's buffers; what does not fit is dropped and counted, as a switch does.
type port struct {
	number int
	socket atomic.Pointer[socket] // replaced when another cable is plugged in

	received, sent, dropped atomic.Uint64
}

// A socket is one open packet socket.
type socket struct {
	file *os.File
	raw  syscall.RawConn
}

// name is that of the port's interface in the switch's namespace.
func (p *port) name() string { return fmt.Sprintf("port%d", p.number) }

// open opens the port on its interface, which must be there.
func (p *port) open(n *vnet.Namespace) error {
	s := &socket{}
	err := n.Do(func() error { return s.listen(p.name()) })
	if err != nil {
		if s.file != nil {
			s.file.Close()
		}
		return fmt.Errorf("open switch port %d: %w", p.number, err)
	}
	p.socket.Store(s)
	return nil
}

func (s *socket) listen(name string) error {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	s.file = os.NewFile(uintptr(fd), name)
	if s.raw, err = s.file.SyscallConn(); err != nil {
		return err
	}
	for _, option := range []int{unix.PACKET_VNET_HDR, unix.PACKET_IGNORE_OUTGOING} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
			return err
		}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receiveBuffer); err != nil {
		return err
	}
	everything := binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL)
	return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: binary.NativeEndian.Uint16(everything), Ifindex: link.Index})
}

// send puts a frame, with its offload header, on the cable, or drops it where that would take waiting.
func (p *port) send(frame []byte) {
	var err error
	closed := p.socket.Load().raw.Write(func(fd uintptr) bool {
		_, err = unix.Write(int(fd), frame)
		return true
	})
	if err != nil || closed != nil {
		p.dropped.Add(1)
		return
	}
	p.sent.Add(1)
}
