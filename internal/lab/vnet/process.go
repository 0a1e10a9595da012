package vnet

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// spawner is a thread that never ends and starts every process: the parent death signal is sent when the
// starting thread ends, and the Go runtime ends threads as it sees fit.
var spawner = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range jobs {
			f()
		}
	}()
	return jobs
})

// Start starts c in the namespace. The process is killed when this one ends, however that happens; c.Wait is
// up to the caller.
func (n *Namespace) Start(c *exec.Cmd) error {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Pdeathsig = syscall.SIGKILL
	done := make(chan error)
	spawner() <- func() { done <- n.Do(c.Start) }
	if err := <-done; err != nil {
		return fmt.Errorf("start %s in its network namespace: %w", c.Path, err)
	}
	return nil
}

// Processes lists the processes in the namespace, by their numbers in the PID namespace of the caller, who is
// left out.
func (n *Namespace) Processes() ([]int, error) {
	directories, err := n.ProcessDirectories()
	var list []int
	for _, dir := range directories {
		if pid := innermostPID(dir + "/status"); pid != 0 && pid != os.Getpid() {
			list = append(list, pid)
		}
	}
	return list, err
}

// ProcessDirectories lists where /proc tells of each process in the namespace. The numbers there may be those of
// an outer PID namespace; it is the network namespace that tells.
func (n *Namespace) ProcessDirectories() ([]string, error) {
	want, err := n.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("list the processes of a network namespace: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes of a network namespace: %w", err)
	}
	var list []string
	for _, e := range entries {
		dir := "/proc/" + e.Name()
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		// A process that is just ending has no namespace any more.
		if have, err := os.Stat(dir + "/ns/net"); err != nil || !os.SameFile(have, want) {
			continue
		}
		list = append(list, dir)
	}
	return list, nil
}

// innermostPID reads the number that a process has in its own PID namespace; /proc may be that of an outer
// one. It is 0 once the process is gone.
func innermostPID(status string) int {
	content, err := os.ReadFile(status)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(content)) {
		if numbers, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(numbers)
			pid, err := strconv.Atoi(fields[len(fields)-1])
			if err == nil {
				return pid
			}
		}
	}
	return 0
}

// KillAll kills every process in the namespace and returns once none is left.
func (n *Namespace) KillAll() error {
	for {
		list, err := n.Processes()
		if err != nil || len(list) == 0 {
			return err
		}
		for _, pid := range list {
			syscall.Kill(pid, syscall.SIGKILL) // one that has ended meanwhile is what we want
		}
		runtime.Gosched()
	}
}
