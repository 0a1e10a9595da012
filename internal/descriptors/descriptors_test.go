package descriptors

import (
	"testing"

	"golang.org/x/sys/unix"
)

func flags(t *testing.T, fd int) int {
	t.Helper()
	f, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestCloseOnExec(t *testing.T) {
	for name, mark := range map[string]func(){"by a range": CloseOnExec, "one by one": markEach} {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		far, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 500)
		if err != nil {
			t.Fatal(err)
		}
		standard := flags(t, 1)
		mark()
		if flags(t, fd) != unix.FD_CLOEXEC || flags(t, far) != unix.FD_CLOEXEC {
			t.Errorf("%s: flags %d, %d", name, flags(t, fd), flags(t, far))
		}
		if flags(t, 1) != standard {
			t.Errorf("%s: standard output is marked too", name)
		}
		unix.Close(fd)
		unix.Close(far)
	}
}
