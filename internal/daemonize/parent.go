package daemonize

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"wackamole/internal/descriptors"
	"wackamole/internal/fmt"
)

// readyLimit is how long the daemon may take until it is ready. It may have to wait for the guard of an
// earlier one to release its addresses, and for a slow name server; a start script must not hang.
const readyLimit = 90 * time.Second

// endLimit is how long a daemon that is not ready in time may take to end.
const endLimit = 10 * time.Second

// parent is the process that somebody started.
type parent struct {
	args         []string
	stderr       io.Writer
	limit, grace time.Duration
}

// run starts the child and returns the exit status.
func (p *parent) run() int {
	process, pipe, err := p.start()
	if err != nil {
		p.say("start in the background: %v", err)
		return 1
	}
	defer pipe.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	defer signal.Stop(signals)
	ended := make(chan struct{})
	defer close(ended)
	interrupted := make(chan struct{})
	go func() {
		select {
		case <-signals:
			close(interrupted)
			_ = process.Signal(syscall.SIGTERM)
		case <-ended:
		}
	}()

	_ = pipe.SetReadDeadline(time.Now().Add(p.limit))
	ready, said, err := p.copy(pipe)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		p.say("not ready after %v: ending it", p.limit)
		_ = process.Signal(syscall.SIGTERM)
		_ = pipe.SetReadDeadline(time.Now().Add(p.grace))
		_, _, _ = p.copy(pipe)
		_ = process.Kill() // its guard releases what it may hold
		_, _ = process.Wait()
		return 1
	}
	select {
	case <-interrupted:
		ready = false
	default:
	}
	if ready {
		_ = process.Release()
		return 0
	}
	state, err := process.Wait()
	switch {
	case err != nil:
		p.say("wait for the daemon: %v", err)
	case !said || !state.Exited():
		p.say("the daemon ended before it was ready: %v", state)
	}
	return 1
}

// start starts the child and returns the reading end of the pipe.
func (p *parent) start() (*os.Process, *os.File, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, nil, err
	}
	defer null.Close()
	reading, writing, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer writing.Close()
	descriptors.CloseOnExec() // what this process inherited is not the daemon's
	process, err := os.StartProcess(executable(), p.args, &os.ProcAttr{
		Env:   append(os.Environ(), marker+"=1"),
		Files: []*os.File{null, null, null, writing}, // the last one is pipeDescriptor
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		_ = reading.Close()
		return nil, nil, err
	}
	return process, reading, nil
}

// executable is the path of this program. The name that it has on disk is better than its link in /proc,
// because people see it in lists of processes, but an upgrade may just have put another program there.
func executable() string {
	const self = "/proc/self/exe"
	path, err := os.Executable()
	if err != nil {
		return self
	}
	named, err := os.Stat(path)
	if err != nil {
		return self
	}
	if running, err := os.Stat(self); err == nil && !os.SameFile(named, running) {
		return self
	}
	return path
}

// copy copies what the child says to the terminal, until it is ready or has ended, or the deadline.
func (p *parent) copy(pipe *os.File) (ready, said bool, err error) {
	b := make([]byte, 4096)
	for {
		n, err := pipe.Read(b)
		text, _, ready := bytes.Cut(b[:n], []byte{0})
		if len(text) > 0 {
			said = true
			_, _ = p.stderr.Write(text)
		}
		if ready {
			return true, said, nil
		}
		if err != nil {
			return false, said, err
		}
	}
}

func (p *parent) say(format string, args ...any) {
	fmt.Fprintf(p.stderr, "wackamole: "+format+"\n", args...)
}
