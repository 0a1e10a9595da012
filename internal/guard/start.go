package guard

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// Start waits for an older guard's end and starts one. The error is for a person;
// the daemon can go on without a guard, and use Restart later.
func Start(o Options) (*Guard, error) {
	if o.Limit == 0 {
		o.Limit = Limit
	}
	if o.Notice == nil {
		o.Notice = func(string) {}
	}
	g := &Guard{options: o, orders: -1, sessions: -1, last: monotonic()}
	return g, g.start(Patience)
}

// highDescriptor is above what this process has open otherwise, and orders are given
// there. Of a process that is killed Linux closes one file after the other, and each
// packet socket among them takes a grace period of RCU, milliseconds that the guard
// would learn of it later. Since 4.2 it begins with the highest descriptor, and before
// with the lowest, where the socket for sessions is: one of the two is among the first.
const highDescriptor = 240

// restartPatience is how long Restart waits for the name: for a process that has
// been killed to be gone.
const restartPatience = 200 * time.Millisecond

func (g *Guard) start(patience time.Duration) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("prepare the guard's descriptors: %w", err)
	}
	defer null.Close()
	held := null
	waiting := g.options.Waiting
	switch name, err := nameOf(g.options.Name).claim(patience, func() {
		if waiting != nil {
			waiting()
			g.options.Waiting = nil
		}
	}); {
	case errors.Is(err, errForeign):
		g.options.Notice(fmt.Sprintf("the guard goes without a name, a later daemon will not wait for it: %v", err))
	case err != nil:
		return err
	default:
		// From here on the File owns the descriptor: closing it twice would close
		// somebody else's.
		held = os.NewFile(uintptr(name), "name")
		defer held.Close()
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe to the guard: %w", err)
	}
	reading := os.NewFile(uintptr(pipe[0]), "orders")
	defer reading.Close()
	if high, err := unix.FcntlInt(uintptr(pipe[1]), unix.F_DUPFD_CLOEXEC, highDescriptor); err == nil {
		unix.Close(pipe[1])
		pipe[1] = high
	}
	// Room for the orders of some ten thousand addresses; the default takes 5,000.
	_, _ = unix.FcntlInt(uintptr(pipe[1]), unix.F_SETPIPE_SZ, 1<<17)
	if err := unix.SetNonblock(pipe[1], true); err != nil {
		unix.Close(pipe[1])
		return fmt.Errorf("prepare the guard's descriptors: %w", err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		unix.Close(pipe[1])
		return fmt.Errorf("make a socket to the guard: %w", err)
	}
	sessions := os.NewFile(uintptr(pair[1]), "sessions")
	defer sessions.Close()
	process, err := os.StartProcess(g.program(),
		[]string{argv0, strconv.Itoa(int(g.options.Limit / time.Millisecond))},
		&os.ProcAttr{
			Env:   environment,
			Files: []*os.File{null, null, os.Stderr, reading, held, sessions},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
	if err != nil {
		unix.Close(pipe[1])
		unix.Close(pair[0])
		return fmt.Errorf("start the guard: %w", err)
	}
	g.mu.Lock()
	g.process, g.orders, g.sessions = process, pipe[1], pair[0]
	g.written, g.marked, g.mark = 0, 0, monotonic()
	g.sendSession()
	g.mu.Unlock()
	go g.await(process)
	return nil
}

// program returns what to execute: a hard link to this executable that has the
// guard's name, where there is one beside it, otherwise the executable, even if it
// has been deleted or replaced.
func (g *Guard) program() string {
	const self = "/proc/self/exe"
	if g.options.Program != "" {
		return g.options.Program
	}
	path, err := os.Readlink(self)
	if err != nil {
		return self
	}
	link := filepath.Join(filepath.Dir(path), argv0)
	a, err := os.Stat(self)
	if err != nil {
		return self
	}
	if b, err := os.Stat(link); err != nil || !os.SameFile(a, b) {
		return self
	}
	return link
}
