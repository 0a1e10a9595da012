package spreadproto

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wackamole/internal/stream"
)

func TestParseAddress(t *testing.T) {
	for s, want := range map[string]Address{
		"":                 {Port: 4803},
		"4803":             {Port: 4803},
		"65535":            {Port: 65535},
		"4803@localhost":   {Port: 4803, Host: "localhost"},
		"4804@10.0.0.1":    {Port: 4804, Host: "10.0.0.1"},
		"4803@::1":         {Port: 4803, Host: "::1"},
		"4803@[::1]":       {Port: 4803, Host: "::1"},
		"n1":               {Port: 4803, Host: "n1"},
		"n1.example":       {Port: 4803, Host: "n1.example"},
		"10.0.0.1":         {Port: 4803, Host: "10.0.0.1"},
		"::1":              {Port: 4803, Host: "::1"},
		"n1:4804":          {Port: 4804, Host: "n1"},
		"[::1]:4804":       {Port: 4804, Host: "::1"},
		"/run/spread/4803": {Path: "/run/spread/4803"},
	} {
		got, err := ParseAddress(s)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", s, got, err, want)
			continue
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("%q: written as %q, which is %+v, %v", s, got, again, err)
		}
	}
	for _, s := range []string{
		"@host", "4803@", "4803host", "::0%]", "4803@[::1", "4803@::1]", "fe80::1%a b", "0", "65536", "99999999999999999999", "0@host", "-1@host", "+1@host", "4803@a b", "4803@-h",
		"host:", ":4803", "host:x", " 4803", "4803 ", "4803@ho\x00st", "/" + strings.Repeat("a", 107), strings.Repeat("a", 300), strings.Repeat("a", 256), "a@b@c",
	} {
		if got, err := ParseAddress(s); err == nil {
			t.Errorf("%q: %+v", s, got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"", "4803", "4803@localhost", "n1:4804", "[::1]:1", "/tmp/4803", "4803@[fe80::1%eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAddress(s)
		if err != nil {
			return
		}
		if again, err := ParseAddress(a.String()); err != nil || again != a {
			t.Errorf("%q is %+v, written as %q, which is %+v, %v", s, a, a, again, err)
		}
	})
}

// users is a user database with a user spread of that number.
func users(t *testing.T, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(path, []byte("root:x:0:0:root:/root:/bin/sh\n"+line), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSocketOwner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "4803")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := filepath.Join(dir, "4804")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	self := uint32(os.Getuid())
	if self == 0 {
		// Root is trusted always, so give the files away.
		self = 4711
		for _, p := range []string{path, link} {
			if err := os.Lchown(p, int(self), -1); err != nil {
				t.Skip("root can't make a file of somebody else here: ", err)
			}
		}
	}
	other := self + 1
	spread := users(t, "spread:x:"+itoa(self)+":1::/:/bin/false\n")
	nobody := users(t, "nospread:x:"+itoa(self)+":1::/:/bin/false\nspread:x:4242:1::/:/bin/false\nspread:x\n")
	for _, test := range []struct {
		name   string
		finder socketFinder
		path   string
		want   string
	}{
		{"ours", socketFinder{passwd: nobody, self: self}, path, ""},
		{"of the user spread", socketFinder{passwd: spread, self: other}, path, ""},
		{"link to ours", socketFinder{passwd: nobody, self: self}, link, ""},
		{"of somebody else", socketFinder{passwd: nobody, self: other}, path, "not trusted"},
		{"of somebody else, no user database", socketFinder{passwd: "/nonexistent", self: other}, path, "not trusted"},
		{"no socket", socketFinder{passwd: nobody, self: self}, nobody, "no unix socket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.finder.check(test.path)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func TestSocketSearch(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	f := newSocketFinder([]string{first, second})
	a := Address{Port: 4803}
	if _, err := f.dial(context.Background(), a); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), first) {
		t.Errorf("without any socket: %v", err)
	}
	l, err := net.Listen("unix", filepath.Join(second, "4803"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	connects := func(when string) {
		t.Helper()
		c, err := f.dial(context.Background(), a)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if got := c.(*stream.Conn).RemoteAddr().String(); got != l.Addr().String() {
			t.Errorf("%s: connected to %s", when, got)
		}
		c.Close()
	}
	connects("with the second only")
	// A socket that a daemon left behind does not hide the other.
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(first, "4803"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	connects("with the first stale")
	// Something that is no socket ends the search.
	os.Remove(filepath.Join(first, "4803"))
	if err := os.WriteFile(filepath.Join(first, "4803"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.dial(context.Background(), a); err == nil || !strings.Contains(err.Error(), "no unix socket") {
		t.Errorf("with a file in the way: %v", err)
	}
}

func TestUsersCalled(t *testing.T) {
	text := "spread:x:12:1:a:b:c\nspreadx:x:13:1\nspread:x:-1:1\nspread:x:99999999999:1\nspread\n\nspread:x:14:1"
	if got := usersCalled(strings.NewReader(text), "spread"); !cmp.Equal(got, []uint32{12, 14}) {
		t.Errorf("%v", got)
	}
	// A line without end does not eat memory.
	if got := usersCalled(strings.NewReader("spread:x:1:"+strings.Repeat("a", 4<<20)), "spread"); got != nil {
		t.Errorf("%v", got)
	}
}
