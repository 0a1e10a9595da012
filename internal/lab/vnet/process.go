package vnet

import (
	"fmt"
	"os/exec"
	"runtime"
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
