package daemonize

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// scenario is the environment variable that makes this test program a daemon to be detached.
const scenario = "DAEMONIZE_TEST"

func TestMain(m *testing.M) {
	if name := os.Getenv(scenario); name != "" {
		os.Exit(beDaemon(name))
	}
	os.Exit(m.Run())
}

// report is what a daemon sees of itself.
type report struct {
	Before, After string // working directories
	Marker        bool   // is in the environment
	Session       bool   // is its own
	Umask         int
	Descriptors   []string
	Command       string
	Args          []string
	PID           int
	DiscardsText  bool
}

func beDaemon(name string) int {
	switch name { // no daemons
	case "sleep":
		time.Sleep(time.Hour)
	case "claim":
		if _, err := ClaimPIDFile("w.pid"); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("claimed")
		time.Sleep(time.Hour)
	}
	var d *Daemon
	if limit, err := time.ParseDuration(os.Getenv("DAEMONIZE_LIMIT")); err == nil && os.Getenv(marker) == "" {
		return (&parent{args: os.Args, stderr: os.Stderr, limit: limit, grace: limit}).run()
	}
	d, status, done := Start(os.Args, os.Stderr)
	if done {
		return status
	}
	switch name {
	case "ready":
		beReady(d)
	case "fail":
		fmt.Fprintf(d, "w.conf:1:1: no such luck\x00 at all\n")
		return 3
	case "silent":
		return 3
	case "panic":
		go panic("out of luck")
		select {}
	case "hang":
		fmt.Fprintf(d, "pid %d\n", os.Getpid())
		time.Sleep(time.Hour)
	case "stubborn":
		ignoreTerm()
		fmt.Fprintf(d, "pid %d\n", os.Getpid())
		time.Sleep(time.Hour)
	}
	return 0
}

// beReady is a daemon that works: it writes a report and ends when there is a file "end".
func beReady(d *Daemon) {
	var r report
	r.Before, _ = os.Getwd()
	directory := r.Before
	file, err := ClaimPIDFile("run/w.pid")
	if err != nil {
		fmt.Fprintln(d, err)
		os.Exit(1)
	}
	defer file.Remove()
	// What runs on while the daemon does, as its guard, must not hold the terminal.
	self, _ := os.Executable()
	helper := exec.Command(self)
	helper.Env = []string{scenario + "=sleep"}
	helper.Stdout, helper.Stderr = os.Stdout, os.Stderr
	if err := helper.Start(); err != nil {
		fmt.Fprintln(d, err)
		os.Exit(1)
	}
	defer helper.Wait()
	defer helper.Process.Kill()
	fmt.Fprintf(d, "warning: %s\n", strings.Repeat("a long one ", 20_000))
	if err := d.Ready(); err != nil {
		fmt.Fprintln(d, err)
		os.Exit(1)
	}
	n, err := fmt.Fprintln(d, "nobody reads this")
	r.DiscardsText = n > 0 && err == nil
	r.After, _ = os.Getwd()
	r.Marker = os.Getenv(marker) != ""
	session, _ := unix.Getsid(0)
	r.Session = session == os.Getpid()
	r.Umask = unix.Umask(0)
	for fd := range 20 {
		target, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil || strings.HasPrefix(target, "anon_inode:") || strings.Contains(target, "cgroup") || strings.Contains(target, "pidfd") {
			continue // epoll, the helper and the CPU limits are files of the Go runtime
		}
		r.Descriptors = append(r.Descriptors, strings.TrimPrefix(target, directory+"/"))
	}
	comm, _ := os.ReadFile("/proc/self/comm")
	r.Command = strings.TrimSpace(string(comm))
	r.Args = os.Args[1:]
	r.PID = os.Getpid()
	text, _ := json.Marshal(r)
	os.WriteFile(directory+"/report.new", text, 0o600)
	os.Rename(directory+"/report.new", directory+"/report")
	for await(directory+"/end") != nil {
	}
}

// await waits until there is a file.
func await(path string) error {
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// command runs this test program as a daemon in a directory of its own.
func command(t *testing.T, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(self, "-test.list=^$").Run(); errors.Is(err, syscall.ENOEXEC) {
		t.Skip("this machine cannot run the test program a second time (an emulated one?)")
	}
	c := exec.Command(self, "-c", "w.conf")
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), scenario+"="+name)
	return c
}

// gone says that a process does not run (a zombie does not).
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

func awaitEnd(pid int) {
	for !gone(pid) {
		time.Sleep(time.Millisecond)
	}
}

// pidOf finds "pid N" in a text.
func pidOf(t *testing.T, text string) int {
	t.Helper()
	words := strings.Fields(text)
	if i := slices.Index(words, "pid"); i >= 0 && i+1 < len(words) {
		if pid, err := strconv.Atoi(words[i+1]); err == nil {
			return pid
		}
	}
	t.Fatalf("no pid in %q", text)
	return 0
}

// in returns the content of a file in the command's directory.
func in(t *testing.T, c *exec.Cmd, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(c.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
