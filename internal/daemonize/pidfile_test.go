package daemonize

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPIDFile(t *testing.T) {
	ours := fmt.Sprintf("%d\n", os.Getpid())
	defer unix.Umask(unix.Umask(0o077))
	tests := []struct{ name, before string }{
		{"new", ""},
		{"stale", "99999999\n"},
		{"stale without a newline", "7"},
		{"stale and padded", "       12345    \n\n"},
		{"stale, of a process that runs", "1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "var/run/w.pid")
			if tt.before != "" {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(tt.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p, err := ClaimPIDFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil || string(text) != ours {
				t.Errorf("content %q, %v, want %q", text, err, ours)
			}
			if info, _ := os.Stat(path); info.Mode() != 0o644 {
				t.Errorf("mode %v", info.Mode())
			}
			_, err = ClaimPIDFile(path)
			if !errors.Is(err, ErrRunning) || !strings.Contains(err.Error(), fmt.Sprintf("process %d:", os.Getpid())) {
				t.Errorf("a second one: %v", err)
			}
			if text, _ := os.ReadFile(path); string(text) != ours {
				t.Errorf("the second one changed it to %q", text)
			}
			p.Remove()
			if _, err := os.Stat(path); !os.IsNotExist(err) {
				t.Errorf("after Remove: %v", err)
			}
		})
	}
	var none *PIDFile
	none.Remove()
}

func TestPIDFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"text": "root:x:0:0:root:/root:/bin/sh\n", "long": strings.Repeat("1", 1000), "negative": "-5\n", "two": "1 2\n",
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Symlink(path("text"), path("link")), os.Symlink(path("nothing"), path("dangling")),
		os.Mkdir(path("directory"), 0o755), unix.Mkfifo(path("fifo"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, want string }{
		{"text", "it holds something else than a process id"},
		{"long", "it holds something else than a process id"},
		{"negative", "it holds something else than a process id"},
		{"two", "it holds something else than a process id"},
		{"link", "it is a symbolic link"},
		{"dangling", "it is a symbolic link"},
		{"directory", "is a directory"},
		{"fifo", "it is not an ordinary file"},
		{"text/w.pid", "a file of that name is in the way"},
	}
	for _, tt := range tests {
		before, _ := os.ReadFile(path("text"))
		p, err := ClaimPIDFile(path(tt.name))
		if err == nil {
			p.Remove()
		}
		if err == nil || !strings.HasPrefix(err.Error(), "pid file "+path(tt.name)+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if after, _ := os.ReadFile(path("text")); string(after) != string(before) {
			t.Errorf("%s: changed to %q", tt.name, after)
		}
	}
}

// The lock goes with the process, however it ends.
func TestPIDFileOfAKilledProcess(t *testing.T) {
	c := command(t, "claim")
	pipe, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(pipe)
	if !lines.Scan() || lines.Text() != "claimed" {
		t.Fatalf("said %q", lines.Text())
	}
	path := filepath.Join(c.Dir, "w.pid")
	if _, err := ClaimPIDFile(path); !errors.Is(err, ErrRunning) {
		t.Errorf("while it runs: %v", err)
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	if text := in(t, c, "w.pid"); text != fmt.Sprintf("%d\n", c.Process.Pid) {
		t.Errorf("it left %q", text)
	}
	p, err := ClaimPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p.Remove()
}

// What the daemon started does not hold its lock.
func TestPIDFileIsNotInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.pid")
	p, err := ClaimPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := command(t, "sleep")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	_ = p.file.Close() // as a crash does
	if p, err = ClaimPIDFile(path); err != nil {
		t.Fatal(err)
	}
	p.Remove()
}

// A file that somebody put in its place, as a start script may that removes stale ones, is left alone.
func TestPIDFileThatWasReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.pid")
	first, err := ClaimPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := ClaimPIDFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first.Remove()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	second.Remove()
}

// However claims and removals meet, nobody holds the file beside another.
func TestPIDFileOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.pid")
	var holders, claims atomic.Int32
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range 500 {
				p, err := ClaimPIDFile(path)
				if errors.Is(err, ErrRunning) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d at a time", n)
				}
				claims.Add(1)
				holders.Add(-1)
				p.Remove()
			}
		})
	}
	wait.Wait()
	if claims.Load() == 0 {
		t.Error("nobody got it")
	}
}

func FuzzParsePID(f *testing.F) {
	for _, text := range []string{"", "1\n", " 12 \n", "2147483647", "2147483648", "-1", "1 2", "x"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		pid, ok := parsePID(text)
		if !ok {
			return
		}
		if again, ok := parsePID(fmt.Appendf(nil, "%d\n", pid)); pid < 0 || !ok || again != pid {
			t.Errorf("%q is %d, then %d", text, pid, again)
		}
	})
}
