package guard

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// say tells a person a line: on standard error, or where that is /dev/null, as
// for a daemon in the background, the system log. It never waits.
func say(line string) {
	var s unix.Stat_t
	if err := unix.Fstat(2, &s); err == nil && s.Mode&unix.S_IFMT == unix.S_IFCHR && uint64(s.Rdev) == unix.Mkdev(1, 3) {
		sayToLog("/dev/log", line)
		return
	}
	fds := []unix.PollFd{{Fd: 2, Events: unix.POLLOUT}}
	if n, err := unix.Poll(fds, 0); err == nil && n == 1 {
		_, _ = unix.Write(2, []byte(argv0+": "+line+"\n"))
	}
}

// sayToLog sends the line as facility daemon, priority warning (RFC 3164), by one
// datagram: whoever reads this socket adds the time.
func sayToLog(path, line string) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	const priority = 3<<3 | 4
	b := []byte("<" + strconv.Itoa(priority) + ">" + argv0 + "[" + strconv.Itoa(os.Getpid()) + "]: " + line)
	_ = unix.Sendto(fd, b, unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: path})
}
