package garp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/packet"
	"golang.org/x/sys/unix"
)

// insideVariable marks a test binary that runs in its own namespaces.
const insideVariable = "GARP_TEST_INSIDE"

// inNamespace runs the calling test or benchmark again in a user and network
// namespace of its own, and reports whether this is that run. No privilege is
// needed and nothing of the host is touched.
func inNamespace(t testing.TB, flags ...string) bool {
	t.Helper()
	if os.Getenv(insideVariable) == "1" {
		return true
	}
	_, bench := t.(*testing.B)
	args := append([]string{"-test.run=^" + t.Name() + "$", "-test.v"}, flags...)
	if bench {
		args = append([]string{"-test.run=^$", "-test.bench=^" + t.Name() + "$"}, flags...)
	}
	command := exec.Command("/proc/self/exe", args...)
	command.Env = append(os.Environ(), insideVariable+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := command.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil && strings.Contains(string(out), "--- SKIP"):
		t.Skipf("in a namespace:\n%s", out)
	case err == nil && bench:
		fmt.Printf("in a namespace:\n%s", out) // a log would be cut
	case err == nil:
		t.Logf("in a namespace:\n%s", out)
	case errors.As(err, &exit):
		t.Errorf("in a namespace: %v\n%s", err, out)
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EINVAL), errors.Is(err, syscall.ENOSPC):
		t.Skipf("the kernel allows no user and network namespaces: %v", err)
	default:
		t.Fatal(err)
	}
	return false
}

// A wire is a pair of virtual Ethernet interfaces in the test's namespace: what
// is sent on left arrives on right.
type wire struct {
	testing.TB
	c *netlink.Conn
}

const left, right = "left0", "right0"

func newWire(t testing.TB) *wire {
	t.Helper()
	c, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	w := &wire{t, c}
	w.create()
	return w
}

// create makes the pair and takes it into service.
func (w *wire) create() {
	w.Helper()
	e := netlink.NewAttributeEncoder()
	e.String(unix.IFLA_IFNAME, left)
	e.Nested(unix.IFLA_LINKINFO, func(info *netlink.AttributeEncoder) error {
		info.String(unix.IFLA_INFO_KIND, "veth")
		info.Nested(unix.IFLA_INFO_DATA, func(data *netlink.AttributeEncoder) error {
			const peer = 1 // VETH_INFO_PEER
			data.Do(peer, func() ([]byte, error) {
				p := netlink.NewAttributeEncoder()
				p.String(unix.IFLA_IFNAME, right)
				b, err := p.Encode()
				return append(make([]byte, unix.SizeofIfInfomsg), b...), err
			})
			return nil
		})
		return nil
	})
	if err := w.request(unix.RTM_NEWLINK, netlink.Create|netlink.Excl, make([]byte, unix.SizeofIfInfomsg), e); err != nil {
		w.Skipf("the kernel makes no veth interface: %v", err)
	}
	for _, name := range []string{left, right} {
		// Without this they would talk by themselves.
		w.setting("ipv6/conf/"+name+"/disable_ipv6", "1")
		w.set(name, true)
	}
	w.running()
}

// running waits until frames get through both ways. The kernel swallows them
// until it has dealt with the news of a carrier, which may take a second, and no
// flag of the interface tells.
func (w *wire) running() {
	w.Helper()
	for _, way := range [][2]string{{left, right}, {right, left}} {
		c, err := packet.Listen(w.iface(way[0]), packet.Raw, 0, nil)
		if err != nil {
			w.Fatal(err)
		}
		before := w.received(way[1])
		probe := make([]byte, 60)
		copy(probe, Broadcast[:])
		probe[12], probe[13] = 0x88, 0xb5 // an EtherType for experiments
		await(w, "a carrier", func() bool {
			if _, err := c.WriteTo(probe, &packet.Addr{HardwareAddr: Broadcast[:]}); err != nil {
				w.Fatal(err)
			}
			return w.received(way[1]) > before
		})
		if err := c.Close(); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *wire) request(kind, flags netlink.HeaderFlags, header []byte, e *netlink.AttributeEncoder) error {
	attributes, err := e.Encode()
	if err != nil {
		return err
	}
	_, err = w.c.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Acknowledge | flags},
		Data:   append(header, attributes...),
	})
	return err
}

// link changes an interface or removes it.
func (w *wire) link(kind netlink.HeaderFlags, name string, up bool, e *netlink.AttributeEncoder) {
	w.Helper()
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	header := []byte{unix.AF_UNSPEC, 0, 0, 0}
	for _, n := range []uint32{uint32(w.iface(name).Index), flags, unix.IFF_UP} {
		header = appendNative(header, n)
	}
	if err := w.request(kind, 0, header, e); err != nil {
		w.Fatalf("change %s: %v", name, err)
	}
}

// appendNative appends n in the machine's own byte order, as netlink wants it.
func appendNative(b []byte, n uint32) []byte {
	e := netlink.NewAttributeEncoder()
	e.Uint32(0, n)
	attribute, _ := e.Encode()
	return append(b, attribute[unix.SizeofRtAttr:]...)
}

func (w *wire) set(name string, up bool) {
	w.Helper()
	w.link(unix.RTM_NEWLINK, name, up, netlink.NewAttributeEncoder())
}

func (w *wire) setAddr(name string, addr LinkAddr) {
	w.Helper()
	e := netlink.NewAttributeEncoder()
	e.Bytes(unix.IFLA_ADDRESS, addr[:])
	w.link(unix.RTM_NEWLINK, name, true, e)
}

func (w *wire) remove() {
	w.Helper()
	w.link(unix.RTM_DELLINK, left, false, netlink.NewAttributeEncoder())
}

// address gives right an address, so that the kernel takes part.
func (w *wire) address(p netip.Prefix) {
	w.Helper()
	e := netlink.NewAttributeEncoder()
	e.Bytes(unix.IFA_LOCAL, p.Addr().AsSlice())
	e.Bytes(unix.IFA_ADDRESS, p.Addr().AsSlice())
	header := appendNative([]byte{unix.AF_INET, byte(p.Bits()), 0, 0}, uint32(w.iface(right).Index))
	if err := w.request(unix.RTM_NEWADDR, netlink.Create|netlink.Excl, header, e); err != nil {
		w.Fatalf("add %v: %v", p, err)
	}
}

func (w *wire) iface(name string) *net.Interface {
	w.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		w.Fatal(err)
	}
	return i
}

func (w *wire) addr(name string) LinkAddr { return LinkAddr(w.iface(name).HardwareAddr) }

// setting writes a file of /proc/sys/net.
func (w *wire) setting(file, value string) {
	if err := os.WriteFile("/proc/sys/net/"+file, []byte(value), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		w.Fatal(err)
	}
}

// received is how many frames the interface has been given since its creation.
func (w *wire) received(name string) int {
	w.Helper()
	text, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		w.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if at, counters, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(at) == name {
			n, err := strconv.Atoi(strings.Fields(counters)[1])
			if err != nil {
				w.Fatal(err)
			}
			return n
		}
	}
	w.Fatalf("no counters of %s", name)
	return 0
}

// A listener is the frames that arrive on an interface.
type listener struct {
	testing.TB
	c *packet.Conn
}

func (w *wire) listen(name string) *listener {
	w.Helper()
	c, err := packet.Listen(w.iface(name), packet.Raw, unix.ETH_P_ALL, nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return &listener{w, c}
}

// next returns the next frame that came from the link-layer address. The test
// fails if there is none for a long time.
func (l *listener) next(from LinkAddr) []byte {
	l.Helper()
	if err := l.c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		l.Fatal(err)
	}
	for {
		b := make([]byte, 2048)
		n, _, err := l.c.ReadFrom(b)
		if err != nil {
			l.Fatalf("wait for a frame from %v: %v", from, err)
		}
		if n >= 14 && LinkAddr(b[6:12]) == from {
			return b[:n]
		}
	}
}

// await waits for a condition.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
		time.Sleep(time.Millisecond)
	}
}
