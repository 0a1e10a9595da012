// Package descriptors keeps open files from going where they do not belong.
package descriptors

import (
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// CloseOnExec marks all descriptors but the standard ones to be closed when a child executes its
// program. Go opens its own so; those that whoever started this process left open are not.
func CloseOnExec() {
	if unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) != nil {
		markEach() // Linux before 5.11
	}
}

// markEach does the same with what /proc lists.
func markEach() {
	directory, err := os.Open("/proc/self/fd")
	if err != nil {
		return
	}
	defer directory.Close()
	names, _ := directory.Readdirnames(-1)
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}
