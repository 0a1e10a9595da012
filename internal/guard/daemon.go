package guard

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/rtnl"
)

// Options of a Guard. The zero value is right for a daemon, but for Name.
type Options struct {
	Name    string        // tells daemons apart that may run beside each other: the group
	Limit   time.Duration // in place of Limit
	Program string        // in place of /proc/self/exe
	// Lost is called, from another goroutine, when the guard has ended though
	// nobody asked it to. Released says that it gave the daemon up and removed the
	// addresses first.
	Lost func(released bool)
	// Waiting is called once if the guard of an earlier daemon is still there.
	Waiting func()
}

// Guard is the daemon's end. Its methods are for one goroutine and do not wait
// for the guard process.
type Guard struct {
	options Options

	mu      sync.Mutex
	process *os.Process
	orders  int // descriptor of the pipe's writing end; -1: no guard
	ending  bool

	last time.Time // the last sign of life
}

// Start waits for an older guard's end and starts one. The error is for a person;
// the daemon can go on without a guard.
func Start(o Options) (*Guard, error) {
	if o.Limit == 0 {
		o.Limit = Limit
	}
	if o.Program == "" {
		o.Program = "/proc/self/exe"
	}
	g := &Guard{options: o, orders: -1, last: time.Now()}
	return g, g.start(Patience)
}

// restartPatience is how long Restart waits for the name: for a process that has
// been killed to be gone.
const restartPatience = 200 * time.Millisecond

func (g *Guard) start(patience time.Duration) error {
	name, err := g.claimName(patience)
	if err != nil {
		return err
	}
	// From here on the File owns the descriptor: closing it twice would close
	// somebody else's.
	held := os.NewFile(uintptr(name), "name")
	defer held.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("make a pipe to the guard: %w", err)
	}
	reading := os.NewFile(uintptr(pipe[0]), "orders")
	defer reading.Close()
	// Room for the orders of some ten thousand addresses; the default takes 5,000.
	_, _ = unix.FcntlInt(uintptr(pipe[1]), unix.F_SETPIPE_SZ, 1<<20)
	err = unix.SetNonblock(pipe[1], true)
	var null *os.File
	if err == nil {
		null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	if err != nil {
		unix.Close(pipe[1])
		return fmt.Errorf("prepare the guard's descriptors: %w", err)
	}
	defer null.Close()
	process, err := os.StartProcess(g.options.Program,
		[]string{argv0, strconv.Itoa(int(g.options.Limit / time.Millisecond))},
		&os.ProcAttr{
			Env:   []string{},
			Files: []*os.File{null, null, os.Stderr, reading, held},
			Sys:   &syscall.SysProcAttr{Setsid: true},
		})
	if err != nil {
		unix.Close(pipe[1])
		return fmt.Errorf("start the guard: %w", err)
	}
	g.mu.Lock()
	g.process, g.orders = process, pipe[1]
	g.mu.Unlock()
	go g.await(process)
	return nil
}

// claimName binds the name that a guard holds as long as it exists.
func (g *Guard) claimName(patience time.Duration) (int, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket for the guard's name: %w", err)
	}
	address := &unix.SockaddrUnix{Name: "@wackamole-guard/" + g.options.Name}
	for end := time.Now().Add(patience); ; {
		err := unix.Bind(fd, address)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) || time.Now().After(end) {
			unix.Close(fd)
			return -1, fmt.Errorf("claim the guard's name %s: %w: another wackamole of this group runs here, or its guard cannot release its addresses", address.Name, err)
		}
		if g.options.Waiting != nil {
			g.options.Waiting()
			g.options.Waiting = nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// await notices the guard's end.
func (g *Guard) await(process *os.Process) {
	state, err := process.Wait()
	g.mu.Lock()
	current := g.process == process
	if current {
		g.process = nil
		g.closeOrders()
	}
	ending := g.ending
	g.mu.Unlock()
	if current && !ending && g.options.Lost != nil {
		g.options.Lost(err == nil && state.ExitCode() == exitReleased)
	}
}

// Hold names addresses that the kernel is about to get.
func (g *Guard) Hold(keys []rtnl.Key) {
	g.last = time.Now()
	g.tell(hold, keys)
}

// Drop names addresses that the kernel has no more.
func (g *Guard) Drop(keys []rtnl.Key) {
	g.last = time.Now()
	g.tell(drop, keys)
}

// Beat is a sign of life.
func (g *Guard) Beat() {
	g.last = time.Now()
	g.tell(beat, []rtnl.Key{{}})
}

// Expired reports whether so much time has gone by since the last sign of life
// that the guard has released what was held, or is about to: its own count begins
// a little later than this one.
func (g *Guard) Expired() bool { return time.Since(g.last) >= g.options.Limit }

// Restart starts another guard and hands it what is held.
func (g *Guard) Restart(keys []rtnl.Key) error {
	g.abandon()
	if err := g.start(restartPatience); err != nil {
		return err
	}
	g.Hold(keys)
	return nil
}

// Done tells the guard that the daemon ends in good order: it removes what may be
// left and ends. Done waits for that, but not long.
func (g *Guard) Done() {
	g.mu.Lock()
	g.ending = true
	process := g.process
	g.mu.Unlock()
	g.tell(done, []rtnl.Key{{}})
	g.mu.Lock()
	g.closeOrders()
	g.mu.Unlock()
	if process == nil {
		return
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		g.mu.Lock()
		gone := g.process != process
		g.mu.Unlock()
		if gone {
			return
		}
	}
}

// tell writes orders. A guard that does not read them is no guard.
func (g *Guard) tell(what byte, keys []rtnl.Key) {
	const most = 4096 / orderSize // written whole or not at all, see pipe(7)
	var buf [most * orderSize]byte
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(keys) > 0 && g.orders >= 0 {
		part := keys[:min(len(keys), most)]
		keys = keys[len(part):]
		b := buf[:0]
		for _, k := range part {
			b = order{what, k}.append(b)
		}
		if err := write(g.orders, b); err != nil && g.process != nil {
			_ = g.process.Kill() // await does the rest
			return
		}
	}
}

// write writes to the pipe; a full one is given a moment.
func write(fd int, b []byte) error {
	for try := 0; ; try++ {
		_, err := unix.Write(fd, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && try < 3:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 50)
		default:
			return err
		}
	}
}

// abandon lets a guard go that is of no use any more.
func (g *Guard) abandon() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.process != nil {
		_ = g.process.Kill()
		g.process = nil
		g.closeOrders()
	}
}

func (g *Guard) closeOrders() {
	if g.orders >= 0 {
		unix.Close(g.orders)
		g.orders = -1
	}
}
