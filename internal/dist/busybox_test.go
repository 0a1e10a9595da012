package dist

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wackamole/internal/lab/vnet"
)

func TestMain(m *testing.M) { os.Exit(vnet.Reexec(m)) }

// root is a root file system with busybox, our binary and the start script, and
// nothing else, in a network of its own.
type root struct {
	t     *testing.T
	dir   string
	space *vnet.Namespace
}

const testConfig = `Spread = 4803@127.0.0.1
Group = wack1
Control = /var/run/wackamole/control
LogFacility = local3
Mature = 1s
VirtualInterfaces { eth0:10.9.0.101/32 eth0:10.9.0.102/32 }
`

func newRoot(t *testing.T) *root {
	vnet.Require(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed (Debian: busybox-static)")
	}
	if out, err := exec.Command("go", "version").CombinedOutput(); err != nil {
		t.Skipf("there is no go to build the binary with: %v: %s", err, out)
	}
	r := &root{t: t, dir: t.TempDir()}
	for _, d := range []string{"bin", "usr/sbin", "etc/init.d", "proc", "dev", "var/run", "var/log", "tmp"} {
		r.must(os.MkdirAll(filepath.Join(r.dir, d), 0o755))
	}
	r.copy(busybox, "bin/busybox")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(r.dir, "usr/sbin/wackamole"), "wackamole")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	r.must(os.Symlink("wackamole", filepath.Join(r.dir, "usr/sbin/wackatrl")))
	r.copy("wackamole.init", "etc/init.d/wackamole")
	r.must(os.WriteFile(filepath.Join(r.dir, "etc/wackamole.conf"), []byte(testConfig), 0o644))
	r.must(os.WriteFile(filepath.Join(r.dir, "etc/hosts"), []byte("127.0.0.1 localhost\n"), 0o644))
	r.mount("proc", "proc", "proc", 0)
	for _, d := range []string{"null", "zero", "urandom"} {
		r.must(os.WriteFile(filepath.Join(r.dir, "dev", d), nil, 0o644))
		r.mount("/dev/"+d, "dev/"+d, "", syscall.MS_BIND)
	}
	r.space, err = vnet.NewNamespace()
	r.must(err)
	t.Cleanup(func() { r.space.Close() })
	r.must(r.space.Dummy("eth0"))
	r.must(r.space.SetUp("eth0"))
	r.must(r.space.AddAddress("eth0", netip.MustParsePrefix("10.9.0.1/24")))
	r.sh("/bin/busybox --install -s /bin")
	return r
}

func (r *root) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *root) copy(from, to string) {
	b, err := os.ReadFile(from)
	r.must(err)
	r.must(os.WriteFile(filepath.Join(r.dir, to), b, 0o755))
}

func (r *root) mount(what, where, kind string, flags uintptr) {
	target := filepath.Join(r.dir, where)
	if err := syscall.Mount(what, target, kind, flags, ""); err != nil {
		r.t.Skipf("the kernel does not let this process mount %s: %v", where, err)
	}
	r.t.Cleanup(func() { syscall.Unmount(target, syscall.MNT_DETACH) })
}

// command is a shell command inside.
func (r *root) command(line string) *exec.Cmd {
	c := exec.Command("/bin/busybox", "sh", "-c", line)
	c.Dir, c.Env = "/", []string{"PATH=/bin:/usr/sbin"}
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: r.dir}
	return c
}

// sh runs a command and returns what it printed and its status.
func (r *root) sh(line string) (string, int) {
	r.t.Helper()
	c := r.command(line)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	r.must(r.space.Start(c))
	c.Wait()
	return out.String(), c.ProcessState.ExitCode()
}

// run runs a command that has to end with that status.
func (r *root) run(status int, line string) string {
	r.t.Helper()
	out, got := r.sh(line)
	if got != status {
		r.t.Fatalf("%s: status %d, want %d: %s\n%s", line, got, status, out, r.log())
	}
	return out
}

// service runs a command in the background until the test ends.
func (r *root) service(line string) {
	c := r.command("exec " + line)
	r.must(r.space.Start(c))
	r.t.Cleanup(func() { c.Process.Kill(); c.Wait() })
}

func (r *root) log() string {
	b, _ := os.ReadFile(filepath.Join(r.dir, "var/log/messages"))
	return string(b)
}

func (r *root) await(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain for %s\n%s", what, r.log())
		}
	}
}

// holds reports whether eth0 has exactly these virtual addresses.
func (r *root) holds(last ...string) func() bool {
	return func() bool {
		list, err := r.space.Addresses("eth0")
		r.must(err)
		var have []string
		for _, p := range list[1:] {
			a := p.Addr().String()
			have = append(have, a[strings.LastIndexByte(a, '.')+1:])
		}
		return strings.Join(have, " ") == strings.Join(last, " ")
	}
}

// TestBusybox is a machine with nothing but busybox: the start script starts,
// reloads and stops the daemon, syslogd has its lines, killall does not hit the
// guard, and no process is left.
func TestBusybox(t *testing.T) {
	r := newRoot(t)
	r.service("syslogd -n -O /var/log/messages")
	r.service("/usr/sbin/wackamole spreadd")
	r.await("the Spread daemon", func() bool { _, s := r.sh("grep -q 0100007F:12C3 /proc/net/tcp"); return s == 0 })

	r.run(3, "/etc/init.d/wackamole status")
	r.run(0, "/etc/init.d/wackamole start")
	pid := strings.TrimSpace(r.run(0, "cat /var/run/wackamole.pid"))
	if out := r.run(0, "/etc/init.d/wackamole status"); !strings.Contains(out, "pid "+pid) {
		t.Errorf("status: %s", out)
	}
	r.await("the addresses", r.holds("101", "102"))
	if out := r.run(1, "wackamole -c /etc/wackamole.conf"); !strings.Contains(out, "runs already") {
		t.Errorf("a second instance says: %s", out)
	}
	if out := r.run(0, "wackatrl -l"); !strings.HasPrefix(out, "Owner: 10.9.0.1\n\t*    eth0:10.9.0.101/32\n") {
		t.Errorf("wackatrl -l: %s", out)
	}
	r.run(0, "sed -i s/10.9.0.102/10.9.0.103/ /etc/wackamole.conf && /etc/init.d/wackamole reload")
	r.await("the reload", r.holds("101", "103"))
	// Lines about addresses wait for a moment, and go with a daemon that is killed.
	r.await("the lines about it", func() bool { return strings.Contains(r.log(), "UP: eth0:2:10.9.0.103/") })
	r.run(0, "echo nonsense >> /etc/wackamole.conf")
	if out := r.run(1, "/etc/init.d/wackamole reload"); !strings.Contains(out, "wackamole.conf:7:1") {
		t.Errorf("reload of a broken file: %s", out)
	}
	r.run(0, "sed -i /nonsense/d /etc/wackamole.conf")

	// Killed, the daemon leaves its guard, which releases; what is stale then is
	// no obstacle.
	r.run(0, "kill -9 "+pid)
	r.await("the guard", r.holds())
	r.run(0, "/etc/init.d/wackamole start")
	r.await("the addresses", r.holds("101", "103"))
	r.run(0, "/etc/init.d/wackamole stop")
	if !r.holds()() {
		t.Error("stopped, and still holding addresses")
	}
	r.await("the guard's end", func() bool { out, _ := r.sh("ps"); return !strings.Contains(out, "wackguard") })
	if out := r.run(0, "ls /var/run"); strings.Contains(out, "wackamole.pid") {
		t.Errorf("left in /var/run: %s", out)
	}
	for _, want := range []string{
		"local3.notice wackamole[" + pid + "]:   UP: eth0:1:10.9.0.101/255.255.255.255",
		"local3.notice wackamole[" + pid + "]: DOWN: eth0:2:10.9.0.102/255.255.255.255",
		"local3.notice wackamole[" + pid + "]: connecting to 4803@127.0.0.1",
	} {
		if !strings.Contains(r.log(), want) {
			t.Errorf("syslog lacks %q:\n%s", want, r.log())
		}
	}
}
