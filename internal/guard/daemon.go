package guard

import (
	"os"
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
	Program string        // in place of the running executable
	// Lost is called, from another goroutine, when the guard has ended though
	// nobody asked it to. Released says that it gave the daemon up and removed the
	// addresses first.
	Lost func(released bool)
	// Waiting is called once if the guard of an earlier daemon is still there.
	Waiting func()
	// Notice is called with a line about anything else that a person should know.
	Notice func(line string)
}

// Guard is the daemon's end. Its methods are for one goroutine and do not wait
// for the guard process.
type Guard struct {
	options Options

	mu      sync.Mutex
	process *os.Process
	orders  int // descriptor of the pipe's writing end; -1: no guard
	// sessions is the descriptor of a socket for the connections with Spread, open as
	// long as orders is, and session the present one.
	sessions int
	session  syscall.Conn
	ending   bool
	written  int           // bytes that went into the pipe
	marked   int           // written at the time of mark
	mark     time.Duration // when it was last looked at whether the guard reads

	last time.Duration // the last sign of life
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
func (g *Guard) Hold(keys []rtnl.Key) { g.tell(hold, keys) }

// Drop names addresses that the kernel has no more.
func (g *Guard) Drop(keys []rtnl.Key) { g.tell(drop, keys) }

// Beat is a sign of life. Hold and Drop are signs of life too.
func (g *Guard) Beat() {
	g.tell(beat, nil)
	g.checkReading()
}

// Expired reports whether so much time has gone by since the last sign of life
// that the guard has released what was held, or is about to.
func (g *Guard) Expired() bool { return monotonic()-g.last >= g.options.Limit }

// checkReading gives up a guard that leaves orders unread for half the limit.
func (g *Guard) checkReading() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := monotonic()
	if g.process == nil || now-g.mark < g.options.Limit/2 {
		return
	}
	unread, err := unix.IoctlGetInt(g.orders, unix.TIOCINQ)
	if err == nil && unread > g.written-g.marked {
		g.options.Notice("the guard does not take orders: starting another")
		_ = g.process.Kill() // await does the rest
		return
	}
	g.marked, g.mark = g.written, now
}

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
	g.tell(done, nil)
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

// tell writes a sign of life and orders. A guard that does not read them is no
// guard.
func (g *Guard) tell(what byte, keys []rtnl.Key) {
	const most = 4096 / orderSize // written whole or not at all, see pipe(7)
	var buf [most * orderSize]byte
	g.last = monotonic()
	g.mu.Lock()
	defer g.mu.Unlock()
	b := order{what: beat, at: g.last}.append(buf[:0])
	if what == done {
		b = order{what: done}.append(b)
	}
	for more := true; more; b = buf[:0] {
		part := keys[:min(len(keys), most-len(b)/orderSize)]
		keys = keys[len(part):]
		for _, k := range part {
			b = order{what: what, key: k}.append(b)
		}
		more = len(keys) > 0
		if g.orders < 0 {
			return
		}
		if err := write(g.orders, b); err != nil {
			if g.process != nil {
				_ = g.process.Kill() // await does the rest
			}
			return
		}
		g.written += len(b)
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
		unix.Close(g.sessions)
		g.orders, g.sessions = -1, -1
	}
}
