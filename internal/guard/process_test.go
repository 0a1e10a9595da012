package guard

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/rtnl"
)

// field returns a number of /proc/PID/FILE, in KiB.
func field(t *testing.T, pid int, file, name string) (n int) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			fmt.Sscan(rest, &n)
			return n
		}
	}
	t.Fatalf("no %s in %s:\n%s", name, file, b)
	return 0
}

// A router pays for a guard with memory that no other process shares: about
// 0.5 MiB for the real binary, most of it the Go runtime's, and 12 bytes for each
// address. Without the settings in environment it is 150 KiB more.
func TestGuardIsSmall(t *testing.T) {
	if os.Getpagesize() != 4096 {
		t.Skip("the figures are for pages of 4 KiB")
	}
	h := newHost(t)
	program := filepath.Join(t.TempDir(), "wackamole")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, "wackamole")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Skipf("needs the program, and cannot build it: %v\n%s", err, out)
	}
	for _, test := range []struct{ addresses, limit int }{{254, 528}, {4000, 576}} {
		ours, theirs := sessionSockets(t)
		c, writing := h.startGuard(program, theirs)
		b := order{what: beat, at: monotonic()}.append(nil)
		for i := range test.addresses {
			b = order{what: hold, key: rtnl.Key{Index: 99, Addr: [4]byte{10, 0, byte(i >> 8), byte(i)}, Bits: 32}}.append(b)
		}
		if _, err := writing.Write(b); err != nil {
			t.Fatal(err)
		}
		awaitRead(t, writing)
		got := field(t, c.Process.Pid, "smaps_rollup", "Anonymous")
		t.Logf("%d KiB of anonymous memory with %d addresses", got, test.addresses)
		if got > test.limit {
			t.Errorf("%d KiB of anonymous memory with %d addresses", got, test.addresses)
		}
		writing.Close()
		ours.Close()
		c.Process.Kill()
		c.Wait()
	}
}

// startGuard starts a guard with that socket and returns this end of its orders.
func (h *host) startGuard(program string, sessions *os.File) (c *exec.Cmd, orders *os.File) {
	h.t.Helper()
	reading, orders, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	defer reading.Close()
	defer sessions.Close()
	c = exec.Command(program, "60000")
	c.Args[0], c.Env, c.ExtraFiles = argv0, environment, []*os.File{reading, sessions, sessions}
	if err := h.space.Start(c); err != nil {
		h.t.Fatal(err)
	}
	return c, orders
}

// sessionSockets returns both ends of a socket for sessions.
func sessionSockets(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(pair[0]), "sessions"), os.NewFile(uintptr(pair[1]), "sessions")
}

// Whichever of its two lines to the daemon ends first, the guard releases, also what
// it has not yet read about; a socket that is broken is no end.
func TestEitherLineEnds(t *testing.T) {
	for _, which := range []string{"orders", "sessions", "orders, sessions broken"} {
		t.Run(which, func(t *testing.T) {
			h := newHost(t)
			sessions, theirs := sessionSockets(t)
			defer sessions.Close()
			if which == "orders, sessions broken" {
				theirs.Close()
				var err error
				if theirs, err = os.Open(os.DevNull); err != nil {
					t.Fatal(err)
				}
			}
			c, orders := h.startGuard(os.Args[0], theirs)
			defer orders.Close()
			link, err := h.space.Interface("dummy0")
			if err != nil {
				t.Fatal(err)
			}
			list := testAddresses(300)
			b := order{what: beat, at: monotonic()}.append(nil)
			for _, a := range list {
				if err := h.space.AddAddress("dummy0", a.Prefix); err != nil {
					t.Fatal(err)
				}
				b = order{what: hold, key: rtnl.Key{Index: uint32(link.Index), Addr: a.Prefix.Addr().As4(), Bits: uint8(a.Prefix.Bits())}}.append(b)
			}
			if which != "orders, sessions broken" {
				c.Process.Signal(syscall.SIGSTOP)
			}
			if _, err := orders.Write(b); err != nil {
				t.Fatal(err)
			}
			switch which {
			case "orders":
				orders.Close()
			case "sessions":
				sessions.Close()
			default:
				awaitRead(t, orders)
				if n := h.held(); n != len(list) {
					t.Errorf("%d addresses held while the daemon lives", n)
				}
				orders.Close()
			}
			c.Process.Signal(syscall.SIGCONT)
			await(t, "the guard to release", func() bool { return h.held() == 0 })
			c.Wait()
		})
	}
}

// awaitRead waits until the guard has read its orders.
func awaitRead(t *testing.T, orders *os.File) {
	t.Helper()
	await(t, "the guard to have read everything", func() bool {
		unread, err := unix.IoctlGetInt(int(orders.Fd()), unix.TIOCINQ)
		return err == nil && unread == 0
	})
}

// What the guard does all day leaves nothing behind.
func TestGuardDoesNotGrow(t *testing.T) {
	h := newHost(t)
	p := h.start("slow", 10)
	p.tellMuch(t, 1)
	before := field(t, p.guard(), "smaps_rollup", "Anonymous")
	for n := range 3 {
		p.tellMuch(t, n+2)
	}
	if after := field(t, p.guard(), "smaps_rollup", "Anonymous"); after > before+32 {
		t.Errorf("%d KiB before 300,000 orders, %d KiB after", before, after)
	}
	p.Process.Kill()
	p.Wait()
}

// tellMuch lets the daemon give 100,000 orders, for the n-th time, and waits until
// the guard has read them.
func (p *process) tellMuch(t *testing.T, n int) {
	t.Helper()
	p.Process.Signal(syscall.SIGUSR1)
	await(t, "the guard to have read everything", func() bool { return strings.Count(p.output.String(), "told") == n })
}

// A guard that is stopped is noticed by the orders that it leaves unread.
func TestGuardThatDoesNotRead(t *testing.T) {
	h := newHost(t)
	p := h.start("live", 3)
	syscall.Kill(p.guard(), syscall.SIGSTOP)
	await(t, "the daemon to notice", func() bool { return strings.Contains(p.output.String(), "guard lost false") })
	if !strings.Contains(p.output.String(), "does not take orders") || h.held() != 3 {
		t.Errorf("%d addresses held, output: %s", h.held(), p.output)
	}
	p.Process.Kill()
	p.Wait()
}

// A guard that stood still itself, with a daemon that did not, goes on.
func TestGuardStopsAndGoesOn(t *testing.T) {
	h := newHost(t)
	p := h.start("slow", 3)
	syscall.Kill(p.guard(), syscall.SIGSTOP)
	p.Process.Signal(syscall.SIGUSR2) // a few signs of life
	await(t, "the signs of life", func() bool { return strings.Contains(p.output.String(), "alive") })
	syscall.Kill(p.guard(), syscall.SIGCONT)
	p.Process.Signal(syscall.SIGKILL)
	p.Wait()
	await(t, "the guard to release", func() bool { return h.held() == 0 })
	if got := p.output.String(); !strings.Contains(got, "the daemon is gone: released 3 addresses") {
		t.Errorf("output: %s", got)
	}
}

// Nobody reads what the guard has to say: that must not keep it from its work.
func TestBrokenStandardError(t *testing.T) {
	h := newHost(t)
	p := h.start("mute", 30)
	p.Process.Kill()
	p.Wait()
	await(t, "the guard to release", func() bool { return h.held() == 0 })
}

// Not by any way in which killall, pkill and pidof find processes: the command
// name, argv[0], and BusyBox by the executable too.
func TestKillallLeavesTheGuard(t *testing.T) {
	h := newHost(t)
	for _, tool := range [][]string{{"killall", "-9"}, {"busybox", "killall", "-9"}, {"pkill", "-9", "-x"}} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			t.Logf("there is no %s here", tool[0])
			continue
		}
		dir := t.TempDir()
		daemon := filepath.Join(dir, "wackdaemon")
		copyFile(t, os.Args[0], daemon)
		if err := os.Link(daemon, filepath.Join(dir, argv0)); err != nil {
			t.Fatal(err)
		}
		p := h.startAs(daemon, "live", 5)
		if out, err := exec.Command(tool[0], append(tool[1:], "wackdaemon")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(tool, " "), err, out)
		}
		p.Wait()
		await(t, strings.Join(tool, " ")+" to leave the guard alone: "+p.output.String(), func() bool { return h.held() == 0 })
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.guard()))
		if exe != "" && filepath.Base(exe) != argv0 {
			t.Errorf("the guard's executable is %s", exe)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Only a hard link to the very executable is taken for the guard's.
func TestProgram(t *testing.T) {
	g := &Guard{}
	link := filepath.Join(filepath.Dir(os.Args[0]), argv0)
	if err := os.WriteFile(link, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(link)
	if got := g.program(); got != "/proc/self/exe" {
		t.Errorf("another file was taken for it: %s", got)
	}
	os.Remove(link)
	if got := g.program(); got != "/proc/self/exe" {
		t.Errorf("without a link: %s", got)
	}
	own, err := os.Stat(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if running, err := os.Stat("/proc/self/exe"); err == nil && !os.SameFile(running, own) {
		t.Skip("/proc/self/exe is not the running program here (an emulator's?)")
	}
	if err := os.Link(os.Args[0], link); err != nil {
		t.Fatal(err)
	}
	if got := g.program(); got != link {
		t.Errorf("with a link: %s", got)
	}
}

func TestClaim(t *testing.T) {
	n := nameOf("claim-" + strconv.Itoa(os.Getpid()))
	fd, err := n.claim(time.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	waited := 0
	if _, err := n.claim(30*time.Millisecond, func() { waited++ }); err == nil || strings.Contains(err.Error(), errForeign.Error()) || waited != 1 {
		t.Errorf("claimed twice: %v, waited %d times", err, waited)
	}
	// As soon as it waits, the other one ends.
	old := fd
	fd, err = n.claim(20*time.Second, func() { waited++; unix.Close(old) })
	if err != nil || waited != 2 {
		t.Errorf("not claimed when free: %v, waited %d times", err, waited)
	}
	unix.Close(fd)
	long := nameOf(strings.Repeat("x", 300))
	if fd, err = long.claim(0, nil); err != nil {
		t.Errorf("a long name: %v", err)
	}
	unix.Close(fd)
}

// A name that is taken by something that cannot be known as a guard is not waited
// for longer than patience, and no reason to go without a guard.
func TestClaimTakenByOthers(t *testing.T) {
	n := nameOf("other-" + strconv.Itoa(os.Getpid()))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrUnix{Name: string(n)}) // and does not listen
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := n.claim(10*time.Millisecond, func() { t.Error("waited for a guard") }); err == nil || !strings.Contains(err.Error(), errForeign.Error()) {
		t.Errorf("%v", err)
	}
}

func TestSayToLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sayToLog(path, "released 3 addresses")
	var b [200]byte
	n, _, err := l.ReadFrom(b[:])
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("<28>wackguard[%d]: released 3 addresses", os.Getpid())
	if got := string(bytes.TrimSpace(b[:n])); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	sayToLog(path+"-not-there", "nothing happens")
}

// What ends the daemon must not end the guard: signals from a terminal, from
// init scripts, to its process group, and a log that nobody reads.
func TestGuardIsOnItsOwn(t *testing.T) {
	h := newHost(t)
	p := h.start("live", 1)
	p.tellMuch(t, 1) // by then it is set up
	pid := p.guard()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "SigIgn:")
	ignored, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGPIPE} {
		if ignored&(1<<(s-1)) == 0 {
			t.Errorf("%v is not ignored", s)
		}
	}
	if session, err := unix.Getsid(pid); err != nil || session != pid {
		t.Errorf("session %d, %v", session, err)
	}
	if wd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err != nil || wd != "/" {
		t.Errorf("works in %s, %v: a file system that it keeps busy", wd, err)
	}
	p.Process.Kill()
	p.Wait()
}

// The settings of the guard's runtime are not everybody's. It must come up with
// them each time.
func TestGuardStartsEachTime(t *testing.T) {
	if err := exec.Command("/proc/self/exe", "-test.run=^$").Run(); errors.Is(err, syscall.ENOEXEC) {
		t.Skip("this program cannot start itself here: ", err)
	}
	for range 300 {
		c := exec.Command("/proc/self/exe", "no number")
		c.Args[0] = argv0
		c.Env = environment
		out, err := c.CombinedOutput()
		if c.ProcessState == nil || c.ProcessState.ExitCode() != exitFailed {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}
