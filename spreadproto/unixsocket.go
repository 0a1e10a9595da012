package spreadproto

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/stream"
)

// maxSocketPath is how long the path of a unix socket may be (sun_path, less
// the NUL).
const maxSocketPath = 107

// defaultSocketDirs are where daemons put their unix sockets, which are named
// by the port: where distributions move it to, and where Spread itself has it.
var defaultSocketDirs = []string{"/run/spread", "/tmp"}

// A socketFinder looks for the unix socket of a daemon. Anybody can put a
// socket into /tmp, so its owner decides whether to trust it.
type socketFinder struct {
	dirs   []string
	passwd string // where the user spread is looked up
	self   uint32 // our user
}

func newSocketFinder(dirs []string) socketFinder {
	if len(dirs) == 0 {
		dirs = defaultSocketDirs
	}
	return socketFinder{dirs: dirs, passwd: "/etc/passwd", self: uint32(os.Geteuid())}
}

// dial connects to the first socket of a where somebody listens. A socket that
// can't be trusted ends the search: to go on might mean to end up with another
// daemon than the one that is meant.
func (f socketFinder) dial(ctx context.Context, a Address) (Transport, error) {
	paths := []string{a.Path}
	if a.Path == "" {
		paths = paths[:0]
		for _, dir := range f.dirs {
			paths = append(paths, filepath.Join(dir, strconv.Itoa(int(a.Port))))
		}
	}
	var failures []error
	for _, path := range paths {
		if err := f.check(path); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		c, err := stream.Dial(ctx, stream.Unix(path), raiseBuffers)
		if err == nil {
			return c, nil
		}
		failures = append(failures, err)
	}
	if len(failures) == 0 {
		return nil, fmt.Errorf("no unix socket %s: start the Spread daemon of this host, or name another as PORT@HOST: %w",
			strings.Join(paths, " or "), fs.ErrNotExist)
	}
	return nil, fmt.Errorf("connect to the Spread daemon of this host: %w", errors.Join(failures...))
}

// check returns an error unless path is a socket of root, of our user or of the
// user called spread. Of a symbolic link both ends must be so.
func (f socketFinder) check(path string) error {
	for _, stat := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		info, err := stat(path)
		if err != nil {
			return err
		}
		owner := info.Sys().(*syscall.Stat_t).Uid
		if !f.trusts(owner) {
			return fmt.Errorf("unix socket %s belongs to user %d: not trusted, since it is neither root's nor our own (%d) nor that of a user called spread; remove it, or run Spread as one of these",
				path, owner, f.self)
		}
		if info.Mode().Type() == fs.ModeSymlink {
			continue
		}
		if info.Mode().Type() != fs.ModeSocket {
			return fmt.Errorf("%s is no unix socket: remove it and start the Spread daemon", path)
		}
	}
	return nil
}

func (f socketFinder) trusts(owner uint32) bool {
	if owner == 0 || owner == f.self {
		return true
	}
	file, err := os.Open(f.passwd)
	if err != nil {
		return false
	}
	defer file.Close()
	return slices.Contains(usersCalled(file, "spread"), owner)
}

// maxPasswd bounds how much of the user database is read.
const maxPasswd = 1 << 20

// usersCalled returns the numbers of the users of that name in the passwd(5)
// file r: lines of name:password:uid:gid and more.
func usersCalled(r io.Reader, name string) []uint32 {
	var uids []uint32
	text, _ := io.ReadAll(io.LimitReader(r, maxPasswd)) // what can be read is better than nothing
	if len(text) == maxPasswd {
		text = text[:bytes.LastIndexByte(text, '\n')+1] // not half a line
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(line, ":", 4)
		if len(fields) < 4 || fields[0] != name {
			continue
		}
		if uid, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			uids = append(uids, uint32(uid))
		}
	}
	return uids
}
