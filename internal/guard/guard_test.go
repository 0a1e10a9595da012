package guard

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// sessionAt is a variable of the environment: where the daemon is to connect to,
// as if to Spread.
const sessionAt = "WACKAMOLE_TEST_SESSION"

// daemon holds addresses on dummy0 and does what its way says until it is told to
// end by the end of its input.
func daemon(way, count string) int {
	limit := 500 * time.Millisecond
	switch way {
	case "slow":
		limit = time.Minute
	case "mute": // standard error is a pipe that nobody reads
		r, w, err := os.Pipe()
		if err != nil {
			fmt.Println(err)
			return 1
		}
		r.Close()
		os.Stderr = w
	}
	g, err := Start(Options{Name: "test", Limit: limit, Lost: func(released bool) { fmt.Println("guard lost", released) },
		Waiting: func() { fmt.Println("waiting") }, Notice: func(line string) { fmt.Println(line) }})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if path := os.Getenv(sessionAt); path != "" {
		for range 3 { // the last one counts
			conn, err := net.Dial("unix", path)
			if err != nil {
				fmt.Println(err)
				return 1
			}
			g.Session(conn.(*net.UnixConn))
		}
	}
	kernel, err := rtnl.Dial(rtnl.Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	var n int
	fmt.Sscan(count, &n)
	var held []rtnl.Key
	for _, r := range kernel.Add(testAddresses(n), func(k []rtnl.Key) { held = append(held, k...); g.Hold(k) }, nil) {
		if r.Err != nil {
			fmt.Println(r.Err)
			return 1
		}
	}
	if way == "anew" {
		if err := g.Restart(held); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	talk := make(chan os.Signal, 1)
	signal.Notify(talk, syscall.SIGUSR1, syscall.SIGUSR2)
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
		case s := <-talk:
			if s == syscall.SIGUSR2 {
				for range 5 {
					g.Beat()
				}
				fmt.Println("alive")
				continue
			}
			keys := make([]rtnl.Key, 100)
			for i := range keys {
				keys[i] = rtnl.Key{Index: 2, Addr: [4]byte{10, 9, 9, byte(i)}, Bits: 32}
			}
			for range 500 {
				g.Hold(keys)
				g.Drop(keys)
			}
			for unread := 1; unread > 0; time.Sleep(time.Millisecond) {
				unread, _ = unix.IoctlGetInt(g.orders, unix.TIOCINQ)
			}
			fmt.Println("told")
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
	return h.startAs(os.Args[0], way, addresses)
}

func (h *host) startAs(program, way string, addresses int) *process {
	h.t.Helper()
	p := h.launch(program, way, addresses)
	p.awaitHolding(h.t)
	return p
}

// launch does not wait until it holds anything.
func (h *host) launch(program, way string, addresses int) *process {
	h.t.Helper()
	c := exec.Command(program, "daemon", way, fmt.Sprint(addresses))
	out := &lines{}
	c.Stdout, c.Stderr = out, out
	in, err := c.StdinPipe()
	if err == nil {
		err = h.space.Start(c)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return &process{c, in, out}
}

func (p *process) awaitHolding(t *testing.T) {
	t.Helper()
	await(t, "the daemon to hold its addresses", func() bool { return strings.Contains(p.output.String(), "guard ") })
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
	await(t, "the daemon to find out", func() bool {
		return strings.Contains(p.output.String(), "guard lost true") && strings.Contains(p.output.String(), "expired")
	})
	p.Process.Kill()
	p.Wait()
}

// Spread hears of a daemon's end when the addresses are gone, not before; and it
// does hear of one that stands still.
func TestHangsUpAfterTheRelease(t *testing.T) {
	for _, c := range []struct {
		name, way string
		signal    syscall.Signal
	}{
		{"killed", "live", syscall.SIGKILL},
		{"stopped", "live", syscall.SIGSTOP},
		{"killed, with a second guard", "anew", syscall.SIGKILL},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t)
			path := filepath.Join(t.TempDir(), "session")
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			t.Setenv(sessionAt, path)
			p := h.start(c.way, 300)
			var conn net.Conn
			for range 3 {
				if conn, err = l.Accept(); err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
			p.Process.Signal(c.signal)
			conn.SetReadDeadline(time.Now().Add(20 * time.Second)) // against hanging only
			if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the session did not end: %v", err)
			}
			if n := h.held(); n != 0 {
				t.Errorf("%d addresses are still held when it ends", n)
			}
			p.Process.Kill()
			p.Wait()
		})
	}
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
	p := h.launch(os.Args[0], "live", 2)
	await(t, "the new daemon to wait", func() bool { return strings.Contains(p.output.String(), "waiting") })
	old.Process.Kill()
	old.Wait()
	p.awaitHolding(t)
	if h.held() != 2 {
		t.Errorf("the new daemon holds %d addresses", h.held())
	}
	if out := old.output.String(); !strings.Contains(out, "released 2 addresses") {
		t.Errorf("the old guard: %s", out)
	}
	p.Process.Kill()
	p.Wait()
}
