package daemonize

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
	"wackamole/internal/rundir"
)

// DefaultPIDFile is where the original writes its process id.
const DefaultPIDFile = "/var/run/wackamole.pid"

// ErrRunning is the error, wrapped, of a pid file that belongs to a daemon that runs.
var ErrRunning = errors.New("wackamole runs already")

// dyingTime is how long a process that has been killed may keep its lock.
const dyingTime = 500 * time.Millisecond

// maxPID bounds what is read of a pid file: a number of 32 bits and white space.
const maxPID = 32

// PIDFile is a pid file that belongs to this process. It is locked (flock) as long as the process lives,
// which is how a file that a crash left behind differs from that of a running daemon: process ids are
// used again, and a router gives the same ones after each boot.
type PIDFile struct {
	file *os.File
	path string
}

// ClaimPIDFile creates the pid file, mode 0644, with missing directories above it, or takes over one whose
// process is gone, and writes this process's id and a newline. The error is ErrRunning if the process
// is not gone. What is no pid file is left alone.
func ClaimPIDFile(path string) (*PIDFile, error) {
	path, err := rundir.Absolute(path) // the daemon will change its directory
	if err != nil {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	if err := rundir.MakeFor(path); err != nil {
		return nil, fmt.Errorf("pid file %s: %w", path, err)
	}
	// A file may be removed by the daemon that it belonged to between open and lock.
	for range 100 {
		p, err := claim(path)
		if err != nil {
			return nil, fmt.Errorf("pid file %s: %w", path, err)
		}
		if p != nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("pid file %s: somebody keeps replacing it", path)
}

// claim returns nil if the file was replaced while it was being locked.
func claim(path string) (_ *PIDFile, err error) {
	// No link is followed, and no FIFO waited for: the directory may be one where anybody can make files.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if errors.Is(err, unix.ELOOP) {
		return nil, errors.New("it is a symbolic link: remove it, or name its target with -p")
	}
	if err != nil {
		return nil, reason(err)
	}
	p := &PIDFile{file: file, path: path}
	keep := false
	defer func() {
		if !keep {
			_ = file.Close()
		}
	}()
	if info, err := file.Stat(); err != nil {
		return nil, reason(err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not an ordinary file: name another with -p")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxPID+1))
	if err != nil {
		return nil, reason(err)
	}
	pid, ok := parsePID(content)
	if !ok {
		return nil, errors.New("it holds something else than a process id: name another file with -p, or remove it")
	}
	// A daemon that was just killed gives its lock up a moment after its guard has
	// noticed.
	for end := time.Now().Add(dyingTime); ; time.Sleep(10 * time.Millisecond) {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR && err != unix.EWOULDBLOCK || time.Now().After(end) {
			break
		}
	}
	switch {
	case err == unix.EWOULDBLOCK && pid == 0:
		return nil, ErrRunning
	case err == unix.EWOULDBLOCK:
		return nil, fmt.Errorf("%w, process %d: end it first, or give this one another pid file with -p", ErrRunning, pid)
	case err != nil:
		return nil, fmt.Errorf("lock: %w", err)
	}
	if !p.isCurrent() {
		return nil, nil
	}
	// A reader finds the old number or the new one, at no time an empty file.
	text := strconv.Itoa(os.Getpid()) + "\n"
	if err := file.Chmod(0o644); err != nil { // whatever the umask
		return nil, reason(err)
	}
	if _, err := file.WriteAt([]byte(text), 0); err != nil {
		return nil, reason(err)
	}
	if err := file.Truncate(int64(len(text))); err != nil {
		return nil, reason(err)
	}
	keep = true
	return p, nil
}

// reason is an error of the os package without the path, which is in the message already.
func reason(err error) error {
	var e *os.PathError
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %w", e.Op, e.Err)
	}
	return err
}

// parsePID reads the text of a pid file. An empty one has the pid 0.
func parsePID(content []byte) (pid int, ok bool) {
	text := strings.TrimSpace(string(content))
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil
}

// isCurrent says whether the path still names the file.
func (p *PIDFile) isCurrent() bool {
	ours, err := p.file.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(p.path)
	return err == nil && os.SameFile(ours, named)
}

// Remove removes the file, unless somebody has put another one in its place, and gives up the lock. A
// nil PIDFile does nothing.
func (p *PIDFile) Remove() {
	if p == nil {
		return
	}
	if p.isCurrent() {
		_ = os.Remove(p.path)
	}
	_ = p.file.Close()
}
