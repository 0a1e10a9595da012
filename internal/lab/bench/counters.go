package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// counters count events of all threads of a process, perf_event_open(2), in user mode: more is not allowed to
// everybody. Threads that begin later are those of threads that are counted, and are counted with them.
type counters []int

// instructions opens counters of instructions. Many virtual machines have none.
func instructions(pid int) (counters, error) {
	return openCounters(pid, unix.PERF_TYPE_HARDWARE, unix.PERF_COUNT_HW_INSTRUCTIONS)
}

func openCounters(pid int, kind uint32, config uint64) (c counters, err error) {
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*")
	if err != nil {
		return nil, err
	}
	for _, t := range threads {
		thread, err := strconv.Atoi(filepath.Base(t))
		if err != nil {
			return nil, err
		}
		a := unix.PerfEventAttr{
			Type: kind, Config: config, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
			Bits: unix.PerfBitInherit | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
		}
		fd, err := unix.PerfEventOpen(&a, thread, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err != nil {
			c.close()
			return nil, fmt.Errorf("count: %w", os.NewSyscallError("perf_event_open", err))
		}
		c = append(c, fd)
	}
	return c, nil
}

// sum reads the counters.
func (c counters) sum() (sum uint64, err error) {
	var b [8]byte
	for _, fd := range c {
		if _, err := unix.Read(fd, b[:]); err != nil {
			return 0, fmt.Errorf("read a counter: %w", err)
		}
		sum += binary.NativeEndian.Uint64(b[:])
	}
	return sum, nil
}

func (c counters) close() {
	for _, fd := range c {
		unix.Close(fd)
	}
}
