// Package daemonize puts the daemon into the background, the way it was always started from a script:
// the command returns once the daemon is at work, with status 0, or says why it is not.
//
// A Go program cannot fork, its threads would be gone in the copy. So the process that somebody started
// runs the program again, with the same arguments and working directory, in a session of its own and
// with /dev/null as standard input, output and error. The two are joined by a pipe, descriptor 3 of the
// new process; an environment variable, which the new process removes at once, tells it about it:
//
//	parent: Start -> starts the child, copies the pipe to the terminal, waits
//	                                        |
//	child:  Start -> reads its configuration, binds, opens; writes what a person must see to Daemon
//	        Ready -> chdir /, a zero byte into the pipe -> the parent exits with 0
//	  or it ends                              end of file -> the parent exits with 1
//
// A crash before Ready is written to the pipe too. A signal that the parent gets ends the child.
//
// PIDFile is the file that says which process it is, and keeps a second daemon from starting. Notifier
// speaks to a supervisor such as systemd; there the daemon stays in the foreground.
package daemonize

import (
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// marker is the environment variable that a child gets.
const marker = "WACKAMOLE_DETACHED"

// pipeDescriptor is the child's end of the pipe.
const pipeDescriptor = 3

// umask of the daemon, as the original sets it: what it creates is not for everybody to read.
const umask = 0o027

// Daemon is the background process' tie to the one that started it. It is an io.Writer for what a person
// must see before the daemon is ready: that is written to the terminal, through the parent.
type Daemon struct {
	pipe *os.File // nil after Ready
}

// Start detaches. In the process that somebody started it runs the program again, with args as os.Args,
// and returns when that is ready or has ended: done is true, and status is what to exit with, 0 or 1,
// after errors were written to stderr. In the new process it returns at once: done is false, and d is
// for it to report with. Call it before any goroutine and any file that matters, and after the
// arguments were checked.
func Start(args []string, stderr io.Writer) (d *Daemon, status int, done bool) {
	if d := inChild(args); d != nil {
		return d, 0, false
	}
	p := parent{args: args, stderr: stderr, limit: readyLimit, grace: endLimit}
	return nil, p.run(), true
}

// inChild returns nil in any process that Start did not start.
func inChild(args []string) *Daemon {
	if os.Getenv(marker) == "" {
		return nil
	}
	_ = os.Unsetenv(marker)
	var s unix.Stat_t
	if unix.Fstat(pipeDescriptor, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil // set by hand
	}
	unix.CloseOnExec(pipeDescriptor) // what the daemon starts must not hold it open
	unix.Umask(umask)
	if len(args) > 0 {
		// The name by which pidof and killall know the process; the kernel takes that of the file,
		// which the program was perhaps started by a link to.
		_ = os.WriteFile("/proc/self/comm", []byte(filepath.Base(args[0])), 0)
	}
	pipe := os.NewFile(pipeDescriptor, "pipe to the starting process")
	_ = debug.SetCrashOutput(pipe, debug.CrashOptions{})
	return &Daemon{pipe: pipe}
}

// Write shows text on the terminal. It is for one goroutine. After Ready nobody is there to read it, and
// it is discarded.
func (d *Daemon) Write(text []byte) (int, error) {
	if d.pipe == nil {
		return len(text), nil
	}
	if _, err := io.WriteString(d.pipe, strings.ReplaceAll(string(text), "\x00", "?")); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Ready says that the daemon is at work: the command that started it returns. The working directory
// becomes /, so relative names must be resolved before. A nil Daemon, of a process that stays in the
// foreground, does nothing.
func (d *Daemon) Ready() error {
	if d == nil || d.pipe == nil {
		return nil
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("leave the working directory: %w", err)
	}
	_ = debug.SetCrashOutput(nil, debug.CrashOptions{})
	_, _ = d.pipe.Write([]byte{0}) // a parent that was killed does not matter any more
	_ = d.pipe.Close()
	d.pipe = nil
	return nil
}
