package logger

import (
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// patience is how long a line waits for a reader who is merely slow. It is waited once; while the
// reader stays stalled, further lines are dropped at once.
const patience = 50 * time.Millisecond

// Writer is the sink of the daemon in the foreground: lines stamped `[Sun 22 Nov 2026 15:58:58] ` in
// local time. Where it writes to a pipe or terminal that takes nothing, it drops lines and says how
// many as soon as it can.
type Writer struct {
	mu      sync.Mutex
	w       io.Writer
	now     func() time.Time
	buffer  []byte
	stalled bool
	lost    int
}

// NewWriter returns a sink that writes to w, os.Stdout as a rule.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, now: time.Now}
}

// Log writes a stamped line. The level is not shown, as in the original.
func (w *Writer) Log(_ Level, line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ready() {
		w.lost++
		return
	}
	stamp := foregroundStamp(w.now())
	w.buffer = w.buffer[:0]
	if w.lost > 0 {
		w.buffer = fmt.Appendf(w.buffer, "%s%d lines of the log were lost here: nobody read it\n", stamp, w.lost)
		w.lost = 0
	}
	w.buffer = append(w.buffer, stamp...)
	w.buffer = append(w.buffer, line...)
	w.buffer = append(w.buffer, '\n')
	// One write for each line: the lines of several processes that share a pipe stay whole (it is
	// less than PIPE_BUF). Where it cannot be written there is nobody to tell.
	_, _ = w.w.Write(w.buffer)
}

// ready says whether a line can be written without blocking. Linux calls a pipe writable as soon as
// PIPE_BUF bytes fit, which is more than a line.
func (w *Writer) ready() bool {
	file, ok := w.w.(*os.File)
	if !ok {
		return true
	}
	wait := patience
	if w.stalled {
		wait = 0
	}
	w.stalled = !writable(file, wait)
	return !w.stalled
}

func writable(file syscall.Conn, wait time.Duration) bool {
	raw, err := file.SyscallConn()
	if err != nil {
		return true // closed: the write says so
	}
	deadline := time.Now().Add(wait)
	ok := true
	controlErr := raw.Control(func(fd uintptr) {
		for {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			n, err := unix.Poll(fds, int(max(time.Until(deadline), 0)/time.Millisecond))
			if err == unix.EINTR {
				continue
			}
			ok = n != 0 || err != nil
			return
		}
	})
	return ok || controlErr != nil
}
