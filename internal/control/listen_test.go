package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestListenModeAndDirectories(t *testing.T) {
	for _, mask := range []int{0, 0o027, 0o077} {
		path := filepath.Join(t.TempDir(), "run", "wackamole", "sock")
		old := syscall.Umask(mask)
		l, err := Listen(path)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != os.ModeSocket|0o600 {
			t.Errorf("umask %03o: %v, %v", mask, info.Mode(), err)
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("umask %03o: directory %v, %v", mask, info.Mode(), err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestListenReplacesADeadSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	dead, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	dead.Close()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	inUse := filepath.Join(dir, "in-use")
	other, err := net.Listen("unix", inUse)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{inUse, "another daemon answers there"},
		{file, "something that is not a socket has this name"},
		{link, "something that is not a socket has this name"},
		{dir, "something that is not a socket has this name"},
		{filepath.Join(file, "sock"), "a file of that name is in the way"},
		{filepath.Join(dir, strings.Repeat("x", 120)), "a unix socket's may have 107"},
	}
	for _, tt := range tests {
		l, err := Listen(tt.path)
		if err == nil {
			l.Close()
			t.Errorf("%s: no error", tt.path)
			continue
		}
		if !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "control socket "+tt.path) {
			t.Errorf("%s: error %v", tt.path, err)
		}
		if errors.Is(err, ErrInUse) != (tt.path == inUse) {
			t.Errorf("%s: errors.Is(%v, ErrInUse)", tt.path, err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file is now %q, %v", text, err)
	}
	if _, err := os.Lstat(inUse); err != nil {
		t.Errorf("the other daemon's socket: %v", err)
	}
}

func TestCloseLeavesASuccessorsSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	// The successor binds before it takes the name, so that it cannot get the same inode.
	next, err := Listen(path + ".next")
	if err != nil {
		t.Fatal(err)
	}
	defer next.Listener.Close()
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's socket: %v", err)
	}
}
