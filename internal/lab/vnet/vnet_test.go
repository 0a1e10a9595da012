package vnet

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// roleVariable makes the test binary a program of its own, for the tests of Reexec itself.
const roleVariable = "VNET_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "leave an orphan":
		os.Exit(Reexec(Program(leaveOrphan)))
	case "hang":
		os.Exit(Reexec(Program(func() int { leaveOrphan(); select {} })))
	}
	os.Exit(Reexec(m))
}

func namespace(t *testing.T) *Namespace {
	t.Helper()
	Require(t)
	n, err := NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, n *Namespace) (list []string) {
	t.Helper()
	must(t, n.Do(func() error {
		links, err := net.Interfaces()
		for _, l := range links {
			list = append(list, l.Name)
		}
		slices.Sort(list)
		return err
	}))
	return list
}

func TestVethCarriesDatagrams(t *testing.T) {
	a, b := namespace(t), namespace(t)
	must(t, a.Veth("left", b, "right"))
	must(t, a.SetLinkAddress("left", net.HardwareAddr{2, 0, 0, 0, 0, 9}))
	must(t, a.AddAddress("left", netip.MustParsePrefix("192.0.2.1/24")))
	must(t, b.AddAddress("right", netip.MustParsePrefix("192.0.2.2/24")))
	must(t, a.SetUp("left"))
	must(t, b.SetUp("right"))

	if got, want := names(t, a), []string{"left", "lo"}; !slices.Equal(got, want) {
		t.Errorf("interfaces of a: %q, want %q", got, want)
	}
	if link, err := a.Interface("left"); err != nil || link.HardwareAddr.String() != "02:00:00:00:00:09" {
		t.Errorf("left = %+v, %v; want link-layer address 02:00:00:00:00:09", link, err)
	}
	var receiver net.PacketConn
	must(t, b.Do(func() (err error) {
		receiver, err = net.ListenPacket("udp4", "192.0.2.2:7000")
		return err
	}))
	defer receiver.Close()
	must(t, a.Do(func() error {
		c, err := net.Dial("udp4", "192.0.2.2:7000")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("across"))
		return err
	}))
	buffer := make([]byte, 100)
	size, from, err := receiver.ReadFrom(buffer)
	if err != nil || string(buffer[:size]) != "across" || !strings.HasPrefix(from.String(), "192.0.2.1:") {
		t.Errorf("received %q from %v, %v; want \"across\" from 192.0.2.1", buffer[:size], from, err)
	}
}

func TestDummyHasCarrier(t *testing.T) {
	n := namespace(t)
	for _, name := range []string{"eth0", "longestname0123"} {
		must(t, n.Dummy(name))
		must(t, n.SetUp(name))
		link, err := n.Interface(name)
		must(t, err)
		for link.Flags&net.FlagRunning == 0 { // the kernel tells of a carrier a little later
			runtime.Gosched()
			link, err = n.Interface(name)
			must(t, err)
		}
		must(t, n.SetDown(name))
		if link, err = n.Interface(name); err != nil || link.Flags&net.FlagUp != 0 {
			t.Errorf("%s after SetDown: %v, %v; want down", name, link, err)
		}
		must(t, n.DeleteLink(name))
	}
	if got := names(t, n); !slices.Equal(got, []string{"lo"}) {
		t.Errorf("interfaces left: %q, want lo alone", got)
	}
}

func TestAddresses(t *testing.T) {
	n := namespace(t)
	must(t, n.Dummy("eth0"))
	list := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("198.51.100.7/32")}
	for _, p := range list {
		must(t, n.AddAddress("eth0", p))
	}
	if got, err := n.Addresses("eth0"); err != nil || !slices.Equal(got, list) {
		t.Errorf("addresses %v, %v; want %v", got, err, list)
	}
	if err := n.AddAddress("eth0", list[0]); !errors.Is(err, unix.EEXIST) {
		t.Errorf("second add of one address: %v, want EEXIST", err)
	}
	must(t, n.DeleteAddress("eth0", list[0]))
	if got, err := n.Addresses("eth0"); err != nil || !slices.Equal(got, list[1:]) {
		t.Errorf("addresses after delete %v, %v; want %v", got, err, list[1:])
	}
	if err := n.AddAddress("eth9", list[0]); err == nil || !strings.Contains(err.Error(), "eth9") {
		t.Errorf("add on a missing interface: %v, want an error that names it", err)
	}
}

func TestProcessRunsInItsNamespace(t *testing.T) {
	n := namespace(t)
	must(t, n.Dummy("only-here"))
	var out bytes.Buffer
	c := exec.Command("cat", "/proc/net/dev")
	c.Stdout = &out
	must(t, n.Start(c))
	must(t, c.Wait())
	if !strings.Contains(out.String(), "only-here:") {
		t.Errorf("the process saw these interfaces:\n%s", out.String())
	}
	here, err := Here()
	must(t, err)
	defer here.Close()
	if slices.Contains(names(t, here), "only-here") {
		t.Error("the interface is in the tests' own namespace too")
	}
}

func TestDoComesBack(t *testing.T) {
	n := namespace(t)
	before, err := os.Readlink("/proc/thread-self/ns/net")
	must(t, err)
	must(t, n.Do(func() error {
		during, err := os.Readlink("/proc/thread-self/ns/net")
		if during == before {
			t.Errorf("Do ran in %s, the caller's own namespace", during)
		}
		return err
	}))
	if after, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || after != before {
		t.Errorf("after Do in %s, %v; want %s", after, err, before)
	}
}

func TestSysctlIsTheNamespacesOwn(t *testing.T) {
	a, b := namespace(t), namespace(t)
	must(t, a.Sysctl("net/ipv4/ip_forward", "1"))
	must(t, b.Sysctl("net/ipv4/ip_forward", "0"))
	must(t, a.Do(func() error {
		value, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
		if string(value) != "1\n" {
			t.Errorf("ip_forward in a: %q, want 1", value)
		}
		return err
	}))
}
