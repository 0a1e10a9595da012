package vnet

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// The stages of a process that Reexec started, passed on in the environment.
const (
	stageVariable = "VNET_STAGE"
	stageInit     = "init"   // process 1 of the PID namespace: starts the next stage, buries orphans
	stageInside   = "inside" // runs the tests or the program
	stageRefused  = "refused"
	reasonName    = "VNET_REASON"
)

// A Runner is what runs inside: a *testing.M or a Program.
type Runner interface{ Run() int }

// A Program lets a function be a Runner. Its result is the exit status.
type Program func() int

// processors is how many threads of a Program may run Go code, on however small a machine: it plays several
// machines, and a goroutine that waits in a system call occupies one of them until the runtime notices, which takes
// it up to 10 ms.
const processors = 8

// Run calls the function.
func (p Program) Run() int {
	runtime.GOMAXPROCS(max(processors, runtime.NumCPU()))
	return p()
}

// Reexec runs r in new user, mount, PID and network namespaces and returns its exit status: it starts the
// running binary again with the same arguments, and in that process calls r.Run. Call it from TestMain or
// main, before anything with an effect, and hand its result to os.Exit.
//
// Where the kernel forbids namespaces, r runs where it is and Inside and Require tell why; as root without
// user namespaces the others are enough. Processes started inside are all gone when Reexec returns, and also
// when this process is killed.
func Reexec(r Runner) int {
	switch os.Getenv(stageVariable) {
	case stageInside, stageRefused:
		return r.Run()
	case stageInit:
		return runInit()
	}
	status, err := startNamespaces()
	if err != nil {
		os.Setenv(stageVariable, stageRefused)
		os.Setenv(reasonName, err.Error())
		return r.Run()
	}
	return status
}

// Inside tells whether the process runs in namespaces of its own: nil, or the reason why not.
func Inside() error {
	switch os.Getenv(stageVariable) {
	case stageInside:
		return nil
	case stageRefused:
		return errors.New(os.Getenv(reasonName))
	}
	return errors.New("not started by vnet.Reexec: call it in TestMain or main")
}

// Require skips the test, with the reason, where the kernel forbids namespaces.
func Require(t interface {
	Helper()
	Skipf(format string, args ...any)
}) {
	t.Helper()
	if err := Inside(); err != nil {
		t.Skipf("needs network namespaces: %v", err)
	}
}

// startNamespaces starts the next stage and returns its exit status once it has ended. It returns an error
// only where no namespaces were to be had, before anything has run.
func startNamespaces() (int, error) {
	// The kernel sends the parent death signal when the starting thread ends, not when the process does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	flags := uintptr(unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET)
	c := self(stageInit)
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  flags,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	err := probe(c.SysProcAttr)
	if err != nil && os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags &^ unix.CLONE_NEWUSER, Pdeathsig: syscall.SIGKILL}
		if probe(c.SysProcAttr) == nil {
			err = nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("make user, mount, PID and network namespaces: %w", err)
	}
	return wait(c)
}

// probeArgument makes the first stage only try its powers and exit, status 0 where they suffice.
const probeArgument = "-vnet-probe"

// probe tells whether namespaces made with attr can be used. Some systems allow user namespaces to be made
// and then refuse every operation in them.
func probe(attr *syscall.SysProcAttr) error {
	c := self(stageInit)
	c.Args = []string{c.Args[0], probeArgument}
	c.Stdout, c.Stderr = nil, nil
	copied := *attr
	c.SysProcAttr = &copied
	out, err := c.CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(out) > 0 {
		return errors.New(string(out))
	}
	return err
}

// self is the running binary with its own arguments, in another stage.
func self(stage string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Args[0] = os.Args[0]
	c.Env = append(os.Environ(), stageVariable+"="+stage)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	return c
}

// runInit is process 1 of the PID namespace. When it returns, the kernel kills all others.
func runInit() int {
	runtime.LockOSThread()
	// No mount made from here on may reach the machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Printf("make mounts private: %v", err)
		return 1
	}
	if len(os.Args) == 2 && os.Args[1] == probeArgument {
		n, err := NewNamespace()
		if err != nil {
			fmt.Print(err)
			return 1
		}
		n.Close()
		return 0
	}
	// A /proc that shows this PID namespace, where a container's masks do not forbid it: without it,
	// /proc/self is still right and only the numbers of others are not.
	unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")

	c := self(stageInside)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "start %s in its namespaces: %v\n", os.Args[0], err)
		return 1
	}
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "wait for %s: %v\n", os.Args[0], err)
			return 1
		}
		if pid == c.Process.Pid {
			return exitStatus(status)
		}
	}
}

// wait runs c and returns its exit status.
func wait(c *exec.Cmd) (int, error) {
	if err := c.Start(); err != nil {
		return 0, err
	}
	c.Wait() // its error is the status, read below
	return exitStatus(c.ProcessState.Sys().(syscall.WaitStatus)), nil
}

// exitStatus is what a shell makes of a wait status.
func exitStatus(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}

// MountPrivate hides what is at dir behind an empty file system in memory, for this process and those that it
// starts. A directory that is missing or a symbolic link is left alone: the link's target is what counts.
func MountPrivate(dir string) error {
	if err := Inside(); err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
		return nil
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount an empty file system on %s: %w", dir, err)
	}
	return nil
}
