package guard

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
	"wackamole/rtnl"
)

// Descriptors that the guard inherits.
const (
	ordersDescriptor  = 3
	nameDescriptor    = 4
	sessionDescriptor = 5
)

// Exit statuses of the guard.
const (
	exitDone     = 0 // as the daemon wanted
	exitReleased = 3 // the daemon stood still, the addresses are released
	exitFailed   = 4
)

// environment of the guard: settings of the Go runtime (see package runtime) that
// make it small. One processor needs the fewest threads, and a collector that has
// nothing to collect would still run every two minutes and take a hundred KiB for
// it. Nothing here runs for so long that it has to be preempted, and the signal for
// that would take a stack of its own. (GODEBUG=sbrk=1 would save another hundred,
// but of 3,000 processes started with it under Go 1.26 eighteen died in the
// runtime's own start.)
var environment = []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}

// IsGuard reports whether a command line is that of a guard.
func IsGuard(args []string) bool { return len(args) == 2 && args[0] == argv0 }

// storage is the guard's list. It is static because memory of the heap costs more
// than it is long; what is not used of it is never touched, in the daemon all.
var storage [rtnl.MaxHeld]rtnl.Key

// Main is the guard process. Call it before anything else is set up: it is to
// take little memory.
func Main() int {
	// SIGPIPE too: standard error may be a pipe whose reader died with the daemon.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE)
	put("/proc/self/comm", argv0)
	put("/proc/self/oom_score_adj", "-900") // needs a capability, and is not vital
	_ = unix.Chdir("/")
	milliseconds, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return exitFailed
	}
	addresses, err := rtnl.Prepare(rtnl.Options{Notice: say}, storage[:])
	if err != nil {
		say(err.Error())
		return exitFailed
	}
	// Not on the stack, which would have to grow for it.
	w := &watch{
		addresses: addresses,
		limit:     time.Duration(milliseconds) * time.Millisecond,
		last:      monotonic(),
		complain:  func(err error) { say(err.Error()) },
	}
	return w.run(ordersDescriptor, sessionDescriptor)
}

// put writes a file of /proc by plain system calls: the os package would set up
// the runtime's poller, which nothing else here needs.
func put(path, text string) {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	_, _ = unix.Write(fd, []byte(text))
	unix.Close(fd)
}

// run listens to the daemon until one of them ends. Either line may be the first to
// end with the daemon (see highDescriptor); orders that are still in the pipe are
// carried out before anything is released.
func (w *watch) run(orders, sessions int) int {
	poll := []unix.PollFd{{Fd: int32(orders), Events: unix.POLLIN}, {Fd: int32(sessions), Events: unix.POLLIN}}
	gone := false
	for {
		wait := -1
		if gone {
			wait = 0
		} else if d := w.wait(monotonic()); d >= 0 {
			wait = int((d + time.Millisecond - 1) / time.Millisecond)
		}
		n, err := unix.Poll(poll, wait)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return w.release("poll: "+err.Error(), exitFailed)
		case n == 0 && gone:
			return w.daemonGone()
		case n == 0 && w.wait(monotonic()) == 0: // poll may return a little early
			return w.release(fmt.Sprintf("the daemon has stood still for %v", w.limit), exitReleased)
		}
		if poll[1].Revents != 0 {
			more, closed := w.session.take(sessions)
			if gone = closed; !more {
				poll[1].Fd = -1
			}
		}
		if w.session.taken > sessionsTaken && w.addresses.Held() == 0 {
			return exitDone
		}
		if poll[0].Revents == 0 {
			continue
		}
		n, err = unix.Read(orders, w.room())
		switch {
		case err == unix.EINTR || err == unix.EAGAIN:
		case err != nil:
			return w.release("read: "+err.Error(), exitFailed)
		case n == 0:
			return w.daemonGone()
		default:
			w.take(n)
		}
	}
}

func (w *watch) daemonGone() int {
	if w.ended {
		return w.release("the daemon has ended", exitDone)
	}
	return w.release("the daemon is gone", exitDone)
}

// Releasing goes on until nothing is left, with a pause between two attempts, and
// ends in any case: each attempt takes memory that is not given back.
const (
	attempts = 20
	pause    = time.Second
)

func (w *watch) release(why string, status int) int {
	defer w.session.hangUp()
	held := w.addresses.Held()
	if held == 0 {
		return status
	}
	for i := range attempts {
		left, err := w.addresses.Release()
		w.session.hangUp() // what is left now may be left for long
		if left == 0 {
			say(fmt.Sprintf("%s: released %d addresses", why, held))
			return status
		}
		if i == 0 {
			say(fmt.Sprintf("%s: %v: trying again every %v", why, err, pause))
		}
		time.Sleep(pause)
	}
	say(fmt.Sprintf("%d addresses cannot be removed: remove them by hand", w.addresses.Held()))
	return exitFailed
}
