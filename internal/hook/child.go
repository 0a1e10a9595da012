package hook

import (
	"bufio"
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
)

// maxOutputLine is how many bytes of a line of output are kept.
const maxOutputLine = 400

// outputWait is how long the rest of the output is waited for once the child itself has ended. Something
// that it left running in the background may hold the pipe open for ever.
const outputWait = 200 * time.Millisecond

// child is one run of a program.
type child struct {
	path         string
	args         []string // with the program's name
	environment  []string
	input        []byte // for its standard input
	limit, grace time.Duration
	output       func(line string) // is called with each line that it writes, by one goroutine
}

// run starts the program, in a session of its own, and waits until it has ended. One that runs longer
// than limit, or than ctx, gets SIGTERM and after grace SIGKILL, and so does all that it started.
func (c *child) run(ctx context.Context) error {
	files, err := openPipes()
	if err != nil {
		return err
	}
	defer files.close()
	process, err := os.StartProcess(c.path, c.args, &os.ProcAttr{
		Dir: "/", Env: c.environment,
		Files: []*os.File{files.childInput, files.childOutput, files.childOutput},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	files.closeChilds()
	if err != nil {
		return startError(err)
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = files.input.Write(c.input) // a child need not read it
		_ = files.input.Close()
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		readLines(files.output, c.output)
	}()
	err = c.wait(ctx, process)
	_ = files.input.Close() // ends the write
	<-written
	_ = files.output.SetReadDeadline(time.Now().Add(outputWait))
	<-read
	return err
}

// startError explains the error that people will meet.
func startError(err error) error {
	if errors.Is(err, unix.ENOEXEC) {
		return fmt.Errorf("%w: is it for this machine? a script begins with #! and its interpreter, such as #!/bin/sh", err)
	}
	return err
}

// wait waits for the end of process, brings it about if need be, and says how it ended.
func (c *child) wait(ctx context.Context, process *os.Process) error {
	// The child is waited for without being reaped: as long as it is a zombie its number, which is
	// that of its process group, cannot be anybody else's.
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for unix.Waitid(unix.P_PID, process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
	}()
	limit := time.NewTimer(c.limit)
	defer limit.Stop()
	why := ""
	select {
	case <-ended:
	case <-limit.C:
		why = fmt.Sprintf("ended after %v", c.limit)
	case <-ctx.Done():
		why = "ended, there is no more time"
	}
	if why != "" {
		_ = unix.Kill(-process.Pid, unix.SIGTERM)
		select {
		case <-ended:
		case <-time.After(c.grace):
			why += " by force"
		}
		_ = unix.Kill(-process.Pid, unix.SIGKILL) // the rest of the group, if not all of it
		select {
		case <-ended:
		case <-time.After(c.grace):
			return errors.New(why + ", which the kernel has not done yet") // it hangs in a device, say
		}
	}
	state, err := process.Wait()
	switch {
	case why != "":
		return errors.New(why)
	case err != nil:
		return err
	case !state.Success():
		return errors.New(state.String())
	}
	return nil
}

// pipes are the two pipes between daemon and child.
type pipes struct {
	childInput, input   *os.File
	output, childOutput *os.File
}

func openPipes() (*pipes, error) {
	var p pipes
	var err error
	if p.childInput, p.input, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.output, p.childOutput, err = os.Pipe(); err != nil {
		_ = p.childInput.Close()
		_ = p.input.Close()
		return nil, err
	}
	return &p, nil
}

func (p *pipes) closeChilds() {
	_ = p.childInput.Close()
	_ = p.childOutput.Close()
}

func (p *pipes) close() {
	p.closeChilds()
	_ = p.input.Close()
	_ = p.output.Close()
}

// readLines calls each for every line until r ends; of a long line it keeps the beginning.
func readLines(r io.Reader, each func(string)) {
	lines := bufio.NewReaderSize(r, 1024)
	for {
		line, err := lines.ReadSlice('\n')
		text := string(line[:min(len(line), maxOutputLine)])
		for err == bufio.ErrBufferFull {
			_, err = lines.ReadSlice('\n')
		}
		if len(line) > 0 {
			if n := len(text); text[n-1] == '\n' {
				text = text[:n-1]
			} else if n == maxOutputLine {
				text += "..."
			}
			each(text)
		}
		if err != nil {
			return
		}
	}
}
