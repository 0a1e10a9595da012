package guard

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/rtnl"
)

// Descriptors that the guard inherits.
const (
	ordersDescriptor = 3
	nameDescriptor   = 4
)

// Exit statuses of the guard.
const (
	exitDone     = 0 // as the daemon wanted
	exitReleased = 3 // the daemon stood still, the addresses are released
	exitFailed   = 4
)

// IsGuard reports whether a command line is that of a guard.
func IsGuard(args []string) bool { return len(args) == 2 && args[0] == argv0 }

// Main is the guard process. Call it before anything else is set up: it is to
// take little memory.
func Main() int {
	debug.SetGCPercent(10)
	debug.SetMemoryLimit(1 << 20)
	runtime.LockOSThread()
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	_ = os.WriteFile("/proc/self/comm", []byte(argv0), 0)
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("-900"), 0) // needs a capability, and is not vital
	_ = os.Chdir("/")
	milliseconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return exitFailed
	}
	addresses, err := rtnl.Prepare(rtnl.Options{})
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", argv0, err)
		return exitFailed
	}
	w := watch{addresses: addresses, limit: time.Duration(milliseconds) * time.Millisecond}
	w.heard(time.Now())
	return w.run(ordersDescriptor)
}

// addresses is rtnl.Prepared.
type addresses interface {
	Hold([]rtnl.Key) error
	Drop([]rtnl.Key)
	Held() int
	Release() (left int, err error)
}

// watch is the guard's state.
type watch struct {
	addresses addresses
	limit     time.Duration
	last      time.Time // when something was last heard
	part      []byte    // of an order that has not come whole
	ended     bool      // the daemon said that it ends
}

func (w *watch) heard(now time.Time) { w.last = now }

// wait returns how long to wait for the next order: without limit (-1) while
// nothing is held.
func (w *watch) wait(now time.Time) time.Duration {
	if w.addresses.Held() == 0 {
		return -1
	}
	return max(0, w.limit-now.Sub(w.last))
}

// take carries out orders. Orders of one kind that follow each other are carried
// out together.
func (w *watch) take(b []byte, now time.Time) {
	w.heard(now)
	w.part = append(w.part, b...)
	var keys []rtnl.Key
	var what byte
	flush := func() {
		switch what {
		case hold:
			if err := w.addresses.Hold(keys); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", argv0, err)
			}
		case drop:
			w.addresses.Drop(keys)
		case done:
			w.ended = true
		}
		keys = keys[:0]
	}
	for ; len(w.part) >= orderSize; w.part = w.part[orderSize:] {
		o := parseOrder(w.part)
		if o.what != what {
			flush()
			what = o.what
		}
		keys = append(keys, o.key)
	}
	flush()
	w.part = append([]byte(nil), w.part...)
}

// run listens to the daemon until one of them ends.
func (w *watch) run(orders int) int {
	buf := make([]byte, 4096)
	poll := []unix.PollFd{{Fd: int32(orders), Events: unix.POLLIN}}
	for {
		wait := -1
		if d := w.wait(time.Now()); d >= 0 {
			wait = int((d + time.Millisecond - 1) / time.Millisecond)
		}
		n, err := unix.Poll(poll, wait)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return w.release("poll: "+err.Error(), exitFailed)
		case n == 0:
			return w.release(fmt.Sprintf("the daemon has stood still for %v", w.limit), exitReleased)
		}
		n, err = unix.Read(orders, buf)
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return w.release("read: "+err.Error(), exitFailed)
		case n == 0 && w.ended:
			return w.release("", exitDone)
		case n == 0:
			return w.release("the daemon is gone", exitDone)
		default:
			w.take(buf[:n], time.Now())
		}
	}
}

// Releasing goes on until nothing is left, with a pause between two attempts, and
// ends in any case.
const (
	attempts = 60
	pause    = time.Second
)

func (w *watch) release(why string, status int) int {
	held := w.addresses.Held()
	if held == 0 {
		return status
	}
	for i := range attempts {
		left, err := w.addresses.Release()
		if left == 0 {
			fmt.Fprintf(os.Stderr, "%s: %s: released %d addresses\n", argv0, why, held)
			return status
		}
		if i == 0 {
			fmt.Fprintf(os.Stderr, "%s: %s: %v\n", argv0, why, err)
		}
		time.Sleep(pause)
	}
	return exitFailed
}
