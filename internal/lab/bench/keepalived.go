package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A keepalived under test has all addresses in one VRRP instance. This program is the other router: it has a
// higher priority, and gives up by an advertisement with priority 0, which makes keepalived master as soon as the
// protocol allows, after the skew time (RFC 5798 section 6.1). That is made as short as it can be.
type keepalived struct {
	wire    *wire
	process *process
	folder  string
	fd      int
	began   time.Duration

	mu     sync.Mutex
	master bool // this program is
	stop   chan struct{}
}

const (
	routerID         = 51
	ownPriority      = 254                    // keepalived's
	advertPeriod     = 100 * time.Millisecond // how often this program advertises
	advertInterval   = 3 * time.Second        // how often it says that it does, so that a busy machine makes no master
	lastInterval     = 10 * time.Millisecond  // what the last advertisements say
	keepalivedFrames = 5                      // vrrp_garp_master_repeat
)

// skewTime is what keepalived waits after the last advertisement: (256 - 254) / 256 of the interval.
const skewTime = lastInterval * (256 - ownPriority) / 256

func findKeepalived() string {
	for _, path := range []string{"keepalived", "/usr/sbin/keepalived", "/usr/local/sbin/keepalived"} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

func startKeepalived(program string, w *wire, list []virtual) (k *keepalived, err error) {
	k = &keepalived{wire: w, fd: -1, stop: make(chan struct{}), master: true}
	if k.folder, err = os.MkdirTemp("", "bench"); err != nil {
		return nil, err
	}
	config := filepath.Join(k.folder, "conf")
	if err := os.WriteFile(config, keepalivedConfiguration(list), 0o600); err != nil {
		return nil, err
	}
	err = w.observer.Do(func() error {
		link, err := net.InterfaceByName("far0")
		if err != nil {
			return err
		}
		if k.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(k.fd, &unix.SockaddrLinklayer{Ifindex: link.Index})
	})
	if err != nil {
		return nil, err
	}
	go k.advertise()
	k.process, err = start(w, program, "-n", "-P", "-l", "-f", config,
		"-p", filepath.Join(k.folder, "pid"), "-r", filepath.Join(k.folder, "vrrp.pid"))
	if err != nil {
		k.close()
		return nil, err
	}
	for end := now() + patience; !bytes.Contains([]byte(k.process.output.String()), []byte("BACKUP STATE")); time.Sleep(10 * time.Millisecond) {
		select {
		case <-k.process.done:
			return nil, fmt.Errorf("keepalived ended:\n%s", k.process.output)
		default:
		}
		if now() > end {
			return nil, fmt.Errorf("keepalived does not become a backup:\n%s", k.process.output)
		}
	}
	return k, nil
}

// keepalivedConfiguration puts the first address into the advertisements and the rest beside it, as
// keepalived.conf(5) advises for many.
func keepalivedConfiguration(list []virtual) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "vrrp_instance bench {\n\tversion 3\n\tstate BACKUP\n\tinterface bench0\n\tvirtual_router_id %d\n\tpriority %d\n\tadvert_int 1\n",
		routerID, ownPriority)
	line := func(v virtual) { fmt.Fprintf(&b, "\t\t%v/32 dev %s\n", v.addr, v.link) }
	b.WriteString("\tvirtual_ipaddress {\n")
	line(list[0])
	b.WriteString("\t}\n")
	if len(list) > 1 {
		b.WriteString("\tvirtual_ipaddress_excluded {\n")
		for _, v := range list[1:] {
			line(v)
		}
		b.WriteString("\t}\n")
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// advertise is the life of a master, as long as it is one.
func (k *keepalived) advertise() {
	ticker := time.NewTicker(advertPeriod)
	defer ticker.Stop()
	for {
		k.mu.Lock()
		if k.master {
			k.send(255, advertInterval)
		}
		k.mu.Unlock()
		select {
		case <-ticker.C:
		case <-k.stop:
			return
		}
	}
}

func (k *keepalived) send(priority byte, interval time.Duration) error {
	_, err := unix.Write(k.fd, advertisement(priority, interval, observerAddress.Addr(), virtuals(1, k.wire.links)[0].addr))
	return err
}

func (k *keepalived) name() string { return "keepalived" }

func (k *keepalived) frames() int { return keepalivedFrames }

func (k *keepalived) takeOver() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.master = false
	// The skew time follows from what the advertisement before the last one said.
	if err := k.send(255, lastInterval); err != nil {
		return err
	}
	k.began = now()
	return k.send(0, lastInterval)
}

func (k *keepalived) begin() time.Duration { return k.began }

func (k *keepalived) release() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.master = true
	k.began = now()
	return k.send(255, advertInterval)
}

func (k *keepalived) close() {
	close(k.stop)
	if k.process != nil {
		k.process.end()
	}
	unix.Close(k.fd)
	os.RemoveAll(k.folder)
}

// advertisement is an Ethernet frame with a VRRP advertisement, version 3 for IPv4 (RFC 5798 section 5.1), from the
// virtual router's link-layer address.
func advertisement(priority byte, period time.Duration, from, virtual netip.Addr) []byte {
	const protocol = 112
	b := []byte{0x01, 0x00, 0x5e, 0, 0, 18, 0x00, 0x00, 0x5e, 0, 1, routerID, 0x08, 0x00}
	source, group, address := from.As4(), [4]byte{224, 0, 0, 18}, virtual.As4()

	vrrp := []byte{3<<4 | 1, routerID, priority, 1}
	vrrp = binary.BigEndian.AppendUint16(vrrp, uint16(period/(10*time.Millisecond)))
	vrrp = append(vrrp, 0, 0)
	vrrp = append(vrrp, address[:]...)
	pseudo := append(append([]byte{}, source[:]...), group[:]...)
	pseudo = append(pseudo, 0, protocol, 0, byte(len(vrrp)))
	binary.BigEndian.PutUint16(vrrp[6:], checksum(append(pseudo, vrrp...)))

	ip := []byte{0x45, 0xc0, 0, byte(20 + len(vrrp)), 0, 0, 0, 0, 255, protocol, 0, 0}
	ip = append(append(ip, source[:]...), group[:]...)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	return append(append(b, ip...), vrrp...)
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
