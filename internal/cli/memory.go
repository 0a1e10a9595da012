package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// takeLittle keeps the process small: it is one of many on a router.
//
// A heap that is collected early is half as large. One goroutine does the work,
// and what others do beside it is to wait in system calls, for which the runtime
// has threads; a second processor would only bring caches of its own.
func takeLittle() {
	debug.SetGCPercent(25)
	runtime.GOMAXPROCS(1)
}

// startOver is when what only the start needed has been used for the last time.
const startOver = 10 * time.Second

// forgetStart gives back the pages of the program's file that have been touched so
// far, most of them by the start alone. What is needed again is mapped again from
// the page cache, at a few microseconds for 64 KiB.
func forgetStart() {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[5] != path || strings.Contains(fields[1], "w") {
			continue
		}
		first, last, _ := strings.Cut(fields[0], "-")
		from, err := strconv.ParseUint(first, 16, 64)
		to, errTo := strconv.ParseUint(last, 16, 64)
		if err == nil && errTo == nil {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(from), uintptr(to-from), unix.MADV_DONTNEED)
		}
	}
}
