package guard

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wackamole/internal/lab/vnet"
	"wackamole/rtnl"
)

// The test binary is, by its arguments, the guard, a daemon that has one, or the
// tests in a namespace of their own.
func TestMain(m *testing.M) {
	switch {
	case IsGuard(os.Args):
		os.Exit(Main())
	case len(os.Args) == 4 && os.Args[1] == "daemon":
		os.Exit(daemon(os.Args[2], os.Args[3]))
	}
	os.Exit(vnet.Reexec(m))
}

// daemon holds addresses on dummy0 and does what its way says until it is told to
// end by the end of its input.
func daemon(way, count string) int {
	limit := 500 * time.Millisecond
	g, err := Start(Options{Name: "test", Limit: limit, Lost: func(released bool) { fmt.Println("guard lost", released) },
		Waiting: func() { fmt.Println("waiting") }})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	kernel, err := rtnl.Dial(rtnl.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var n int
	fmt.Sscan(count, &n)
	for _, r := range kernel.Add(testAddresses(n), g.Hold, nil) {
		if r.Err != nil {
			fmt.Println(r.Err)
			return 1
		}
	}
	fmt.Println("guard", g.process.Pid)
	ended := make(chan bool)
	go func() { os.Stdin.Read(make([]byte, 1)); close(ended) }()
	for {
		select {
		case <-ended:
			if way == "leave" { // in good order, but without releasing
				g.Done()
			}
			return 0
		case <-time.After(limit / 10):
			if g.Expired() {
				fmt.Println("expired")
			}
			if way != "silent" {
				g.Beat()
			}
		}
	}
}

func testAddresses(n int) []rtnl.Address {
	list := make([]rtnl.Address, n)
	for i := range list {
		a := netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(1 + i%250)})
		list[i] = rtnl.Address{Interface: "dummy0", Prefix: netip.PrefixFrom(a, 16)}
	}
	return list
}

// host is a namespace with dummy0, an address of its own on it, and a daemon.
type host struct {
	t     *testing.T
	space *vnet.Namespace
}

func newHost(t *testing.T) *host {
	vnet.Require(t)
	space, err := vnet.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { space.Close() })
	for _, err := range []error{space.Dummy("dummy0"), space.SetUp("dummy0"),
		space.AddAddress("dummy0", netip.MustParsePrefix("192.0.2.1/24"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return &host{t, space}
}

// process is a running daemon.
type process struct {
	*exec.Cmd
	stdin  interface{ Close() error }
	output *lines
}

func (h *host) start(way string, addresses int) *process {
	h.t.Helper()
	c := exec.Command(os.Args[0], "daemon", way, fmt.Sprint(addresses))
	out := &lines{}
	c.Stdout, c.Stderr = out, out
	in, err := c.StdinPipe()
	if err == nil {
		err = h.space.Start(c)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	p := &process{c, in, out}
	await(h.t, "the daemon to hold its addresses: "+out.String(), func() bool { return strings.Contains(out.String(), "guard ") })
	return p
}

func (p *process) guard() (pid int) {
	fmt.Sscanf(p.output.String()[strings.Index(p.output.String(), "guard "):], "guard %d", &pid)
	return pid
}

func (h *host) held() int {
	list, err := h.space.Addresses("dummy0")
	if err != nil {
		h.t.Fatal(err)
	}
	return len(list) - 1
}

// lines is a buffer for the output of a process, safe to look at meanwhile.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestKilledDaemon(t *testing.T) {
	h := newHost(t)
	p := h.start("live", 300)
	if h.held() != 300 {
		t.Fatalf("%d addresses held", h.held())
	}
	p.Process.Kill()
	p.Wait()
	await(t, "the guard to release", func() bool { return h.held() == 0 })
	if !strings.Contains(p.output.String(), "the daemon is gone: released 300 addresses") {
		t.Errorf("output: %s", p.output)
	}
}

func TestStoppedDaemon(t *testing.T) {
	h := newHost(t)
	p := h.start("live", 20)
	p.Process.Signal(syscall.SIGSTOP)
	await(t, "the guard to release", func() bool { return h.held() == 0 })
	p.Process.Signal(syscall.SIGCONT)
	await(t, "the daemon to find out", func() bool { return strings.Contains(p.output.String(), "guard lost true") })
	if !strings.Contains(p.output.String(), "expired") {
		t.Errorf("output: %s", p.output)
	}
	p.Process.Kill()
	p.Wait()
}

// A daemon that leaves in good order takes nothing along that it could not
// release itself.
func TestLeave(t *testing.T) {
	h := newHost(t)
	p := h.start("leave", 3)
	p.stdin.Close()
	p.Wait()
	await(t, "the guard to release", func() bool { return h.held() == 0 })
}

// A guard that is killed is reported, and its addresses stay.
func TestKilledGuard(t *testing.T) {
	h := newHost(t)
	p := h.start("live", 3)
	syscall.Kill(p.guard(), syscall.SIGTERM)
	syscall.Kill(p.guard(), syscall.SIGHUP)
	syscall.Kill(p.guard(), syscall.SIGKILL)
	await(t, "the daemon to notice", func() bool { return strings.Contains(p.output.String(), "guard lost false") })
	if h.held() != 3 {
		t.Errorf("%d addresses held", h.held())
	}
	p.Process.Kill()
	p.Wait()
}

// killall goes by the command name and by argv[0].
func TestGuardHasItsOwnName(t *testing.T) {
	h := newHost(t)
	p := h.start("live", 1)
	for _, file := range []string{"comm", "cmdline"} {
		await(t, "the guard's name in "+file, func() bool {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.guard(), file))
			return err == nil && bytes.HasPrefix(b, []byte(argv0))
		})
	}
	p.Process.Kill()
	p.Wait()
}

// A new daemon waits until the old one's guard has released.
func TestNewDaemonWaits(t *testing.T) {
	h := newHost(t)
	old := h.start("live", 2)
	next := make(chan *process)
	go func() { next <- h.start("live", 2) }()
	time.Sleep(100 * time.Millisecond)
	old.Process.Kill()
	old.Wait()
	p := <-next
	if !strings.Contains(p.output.String(), "waiting") {
		t.Errorf("the new daemon did not wait: %s", p.output)
	}
	if h.held() != 2 {
		t.Errorf("the new daemon holds %d addresses", h.held())
	}
	p.Process.Kill()
	p.Wait()
}

func TestOrders(t *testing.T) {
	o := order{drop, rtnl.Key{Index: 0x01020304, Addr: [4]byte{10, 0, 0, 5}, Bits: 24}}
	b := o.append(nil)
	if len(b) != orderSize || parseOrder(b) != o {
		t.Errorf("%x is read as %v", b, parseOrder(b))
	}
}

// list is a kernel of which only the guard's list counts.
type list struct{ held []rtnl.Key }

func (l *list) Hold(k []rtnl.Key) error { l.held = append(l.held, k...); return nil }
func (l *list) Drop(k []rtnl.Key)       { l.held = l.held[len(k):] }
func (l *list) Held() int               { return len(l.held) }
func (l *list) Release() (int, error)   { l.held = nil; return 0, nil }

// Orders may come in pieces, and time counts only while something is held.
func TestWatch(t *testing.T) {
	begin := time.Now()
	l := &list{}
	w := watch{addresses: l, limit: 10 * time.Second}
	w.heard(begin)
	if got := w.wait(begin.Add(time.Hour)); got != -1 {
		t.Errorf("waits %v with nothing held", got)
	}
	var b []byte
	for _, o := range []order{{what: hold, key: rtnl.Key{Bits: 1}}, {what: hold, key: rtnl.Key{Bits: 2}}, {what: beat}, {what: drop, key: rtnl.Key{Bits: 1}}} {
		b = o.append(b)
	}
	for i := range b {
		w.take(b[i:i+1], begin.Add(time.Hour))
	}
	if len(l.held) != 1 || l.held[0].Bits != 2 || w.ended {
		t.Errorf("held %v, ended %v", l.held, w.ended)
	}
	if got := w.wait(begin.Add(time.Hour + 4*time.Second)); got != 6*time.Second {
		t.Errorf("waits %v", got)
	}
	w.take(order{what: done}.append(nil), begin)
	if !w.ended {
		t.Error("done was not heard")
	}
}
