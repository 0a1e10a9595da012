package rtnl

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideVariable marks a test binary that runs in its own namespaces.
const insideVariable = "RTNL_TEST_INSIDE"

// inNamespace runs the calling test or benchmark again in a user and network
// namespace of its own, and reports whether this is that run. No privilege is
// needed and nothing of the host is touched.
func inNamespace(t testing.TB) bool {
	t.Helper()
	if os.Getenv(insideVariable) == "1" {
		return true
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v"}
	if _, ok := t.(*testing.B); ok {
		args = []string{"-test.run=^$", "-test.bench=^" + t.Name() + "$", "-test.benchtime=" + benchTime()}
	}
	command := exec.Command("/proc/self/exe", args...)
	command.Env = append(os.Environ(), insideVariable+"=1")
	command.SysProcAttr = ownNamespace()
	out, err := command.CombinedOutput()
	if _, ok := t.(*testing.B); ok && err == nil {
		fmt.Printf("in a namespace:\n%s", out) // a log would be cut
		return false
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		if strings.Contains(string(out), "--- SKIP") {
			t.Skipf("in a namespace:\n%s", out)
		}
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

func ownNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
}

// A host is the network namespace of a test.
type host struct {
	testing.TB
	*Conn
	notices []string
}

func newHost(t testing.TB) *host {
	t.Helper()
	h := &host{TB: t}
	c, err := Dial(Options{Notice: func(line string) { h.notices = append(h.notices, line) }})
	if err != nil {
		t.Fatal(err)
	}
	h.Conn = c
	t.Cleanup(func() { c.Close() })
	return h
}

// request sends one message and returns the kernel's answer.
func (h *host) request(kind, flags uint16, body []byte) error {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var errno [1]unix.Errno
	err := h.session.exchange(1, errno[:], func(b []byte, _ int, f uint16, sequence uint32) []byte {
		start := len(b)
		return finish(append(begin(b, kind, f|flags, sequence), body...), start)
	})
	if err == nil && errno[0] != 0 {
		err = errno[0]
	}
	return err
}

func linkBody(index uint32, up bool) []byte {
	b := append([]byte(nil), unix.AF_UNSPEC, 0, 0, 0)
	b = order.AppendUint32(b, index)
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	b = order.AppendUint32(b, flags)
	return order.AppendUint32(b, unix.IFF_UP)
}

// link makes an interface of the kind dummy, or one end of a veth pair where the
// kernel has no dummies, and sets it up.
func (h *host) link(name string) {
	h.Helper()
	var err error
	for _, kind := range []string{"dummy", "veth"} {
		body := linkBody(0, true)
		body = appendText(body, unix.IFLA_IFNAME, []byte(name))
		body = appendAttribute(body, unix.IFLA_LINKINFO, appendText(nil, unix.IFLA_INFO_KIND, []byte(kind))...)
		if err = h.request(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body); err == nil {
			h.promoteSecondaries(name, false)
			return
		}
	}
	h.Skipf("the kernel makes no dummy or veth interface: %v", err)
}

func (h *host) setUp(name string, up bool) {
	h.Helper()
	if err := h.request(unix.RTM_NEWLINK, 0, linkBody(h.index(name), up)); err != nil {
		h.Fatal(err)
	}
}

func (h *host) unlink(name string) {
	h.Helper()
	if err := h.request(unix.RTM_DELLINK, 0, linkBody(h.index(name), false)); err != nil {
		h.Fatal(err)
	}
}

func (h *host) index(name string) uint32 {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	l, err := h.session.link(name, 0)
	if err != nil {
		h.Fatalf("find %s: %v", name, err)
	}
	return uint32(l.Index)
}

// promoteSecondaries sets the interface's own and the namespace's setting.
func (h *host) promoteSecondaries(name string, on bool) {
	h.Helper()
	for file, on := range map[string]bool{"all": false, name: on} {
		value := "0"
		if on {
			value = "1"
		}
		if err := os.WriteFile(confDir+"/"+file+"/promote_secondaries", []byte(value), 0); err != nil {
			h.Fatal(err)
		}
	}
}

// add adds what a test starts with: not through Add.
func (h *host) add(name string, prefixes ...string) {
	h.Helper()
	for _, p := range prefixes {
		prefix := netip.MustParsePrefix(p)
		m := addressMessage{key: Key{h.index(name), prefix.Addr().As4(), uint8(prefix.Bits())}, peer: prefix.Addr().As4()}
		if err := h.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m.append(nil)); err != nil {
			h.Fatalf("add %s: %v", p, err)
		}
	}
}

// state returns the IPv4 addresses of an interface as text, in the kernel's order.
func (h *host) state(name string) string {
	h.Helper()
	list, err := h.Addresses()
	if err != nil {
		h.Fatal(err)
	}
	var lines []string
	for _, a := range list {
		if a.Interface == name {
			lines = append(lines, describe(a))
		}
	}
	return strings.Join(lines, "\n")
}

func describe(a Assigned) string {
	line := a.String()
	if a.Broadcast.IsValid() {
		line += " broadcast " + a.Broadcast.String()
	}
	if a.Peer.IsValid() {
		line += " peer " + a.Peer.String()
	}
	if a.Scope != 0 {
		line += fmt.Sprintf(" scope %d", a.Scope)
	}
	if a.Secondary() {
		line += " secondary"
	}
	return line
}

func (h *host) expect(name string, lines ...string) {
	h.Helper()
	if got, want := h.state(name), strings.Join(lines, "\n"); got != want {
		h.Errorf("addresses of %s:\n%s\nwant:\n%s", name, got, want)
	}
}

func addresses(name string, prefixes ...string) []Address {
	list := make([]Address, len(prefixes))
	for i, p := range prefixes {
		list[i] = Address{Interface: name, Prefix: netip.MustParsePrefix(p)}
	}
	return list
}

// many returns n addresses 10.x.y.z with labels.
func many(name string, n, bits int) []Address {
	list := make([]Address, n)
	for i := range list {
		a := netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})
		list[i] = Address{Interface: name, Prefix: netip.PrefixFrom(a, bits), Label: fmt.Sprintf("%s:%d", name, i+1)}
	}
	return list
}

func outcomes(results []Result) string {
	var words []string
	for _, r := range results {
		switch {
		case r.Err != nil:
			words = append(words, "failed")
		case r.Down:
			words = append(words, r.Outcome.String()+" (down)")
		default:
			words = append(words, r.Outcome.String())
		}
	}
	return strings.Join(words, ", ")
}

func expectOutcomes(t testing.TB, results []Result, want ...string) {
	t.Helper()
	if got, want := outcomes(results), strings.Join(want, ", "); got != want {
		t.Errorf("outcomes: %s\nwant:     %s", got, want)
		for _, r := range results {
			if r.Err != nil {
				t.Log(r.Err)
			}
		}
	}
}

// benchTime is one run where a benchmark is only to be seen to work.
func benchTime() string {
	if testing.Short() {
		return "1x"
	}
	return "10x"
}
