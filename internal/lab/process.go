package lab

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

const (
	keptLines = 200  // of what a process printed last
	maxLine   = 4096 // bytes; the rest of a longer line is cut off
)

// A Process runs on a host. It is killed with the lab, whatever happens.
type Process struct {
	PID  int
	host *Host
	c    *exec.Cmd
	pipe *os.File      // what it prints
	done chan struct{} // closed once it has ended
	read chan struct{} // closed once its output has been read

	mu    sync.Mutex
	lines []string
}

func (h *Host) start(program string, arguments []string) (*Process, error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	defer writer.Close()
	c := exec.Command(program, arguments...)
	c.Dir = Directory
	c.Stdout, c.Stderr = writer, writer
	if err := h.Namespace.Start(c); err != nil {
		reader.Close()
		return nil, err
	}
	p := &Process{
		PID: c.Process.Pid, host: h, c: c, pipe: reader,
		done: make(chan struct{}), read: make(chan struct{}),
	}
	go func() {
		c.Wait() // its error is in the ProcessState
		close(p.done)
	}()
	go p.collect()
	return p, nil
}

// collect reads what the process and its children print until the last of them has ended, or until Kill.
func (p *Process) collect() {
	defer close(p.read)
	reader := bufio.NewReaderSize(p.pipe, maxLine)
	for {
		line, err := reader.ReadSlice('\n')
		cut := errors.Is(err, bufio.ErrBufferFull)
		if len(line) > 0 {
			p.add(strings.TrimSuffix(string(line), "\n"))
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = reader.ReadSlice('\n')
		}
		if err != nil && !cut {
			return
		}
	}
}

func (p *Process) add(line string) {
	p.mu.Lock()
	if len(p.lines) == keptLines {
		p.lines = append(p.lines[:0], p.lines[1:]...)
	}
	p.lines = append(p.lines, line)
	p.mu.Unlock()
	if p.host.output != nil {
		p.host.output(p.host, line)
	}
}

// Lines returns the last lines that the process has printed, on standard output and standard error.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// Signal sends a signal to the process alone. An ended process is no error.
func (p *Process) Signal(s syscall.Signal) error {
	err := p.c.Process.Signal(s)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to process %d of host %d: %w", s, p.PID, p.host.Number, err)
	}
	return nil
}

// Done is closed once the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// ended tells whether the process has ended and all of its output been read.
func (p *Process) ended() bool {
	select {
	case <-p.read:
		return !p.Running()
	default:
		return false
	}
}

// Wait waits for the end of the process and returns how it ended: "exit status 0", "signal: killed".
func (p *Process) Wait() string {
	<-p.done
	return p.c.ProcessState.String()
}

// Kill kills the process, waits for its end and for the end of its output. Children that still hold its
// output open go on unread.
func (p *Process) Kill() {
	p.c.Process.Kill() // an error says that it has ended
	<-p.done
	p.pipe.Close()
	<-p.read
}
