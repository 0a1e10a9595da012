package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"wackamole/conf"
)

// takeLittle keeps the process small: it is one of many on a router. A heap that is
// collected early is half as large.
func takeLittle() {
	debug.SetGCPercent(25)
	setProcessors(nil)
}

// setProcessors says how many threads may run Go code at a time. One goroutine does
// the work, and one sends announcements meanwhile; but both are in the kernel nearly
// all of that time, where each has a thread of its own anyway. A second processor, as
// the runtime calls it, for what is left would cost more in threads that wake each
// other up, and bring caches of its own.
//
// Whoever starts a hook, however, occupies one until the executable is loaded. There
// the others need a second one, on a machine with one core too: a take-over in the
// middle of hundreds of hooks would have to wait for dozens of them.
func setProcessors(hooks []conf.Hook) {
	n := 1
	if len(hooks) > 0 {
		n = 2
	}
	runtime.GOMAXPROCS(n)
}

// A mapping is a part of the program's file in memory that is never written.
type mapping struct{ begin, length uintptr }

// programMappings finds the mappings of the running program; none where /proc is
// missing or the file has been replaced.
func programMappings() []mapping {
	path, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil
	}
	var list []mapping
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[5] != path || strings.Contains(fields[1], "w") {
			continue
		}
		first, last, _ := strings.Cut(fields[0], "-")
		begin, err := strconv.ParseUint(first, 16, 64)
		end, errEnd := strconv.ParseUint(last, 16, 64)
		if err == nil && errEnd == nil {
			list = append(list, mapping{uintptr(begin), uintptr(end - begin)})
		}
	}
	return list
}

// forget gives back the pages that have been touched so far, most of them by the
// start or by a change that is over. What is needed again is mapped again from the
// page cache, at a few microseconds for 64 KiB.
func forget(list []mapping) {
	for _, m := range list {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.begin, m.length, unix.MADV_DONTNEED)
	}
}
