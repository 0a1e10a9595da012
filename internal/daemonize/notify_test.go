package daemonize

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

func monotonic(t *testing.T) int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

func TestNotifier(t *testing.T) {
	for _, socket := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@wackamole/test/%d", os.Getpid())} {
		supervisor, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer supervisor.Close()
		t.Setenv("NOTIFY_SOCKET", socket)
		n := NewNotifier()
		if _, set := os.LookupEnv("NOTIFY_SOCKET"); set {
			t.Error("NOTIFY_SOCKET stays in the environment")
		}
		next := func(err error) string {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 1000)
			n, err := supervisor.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			return string(b[:n])
		}
		if got := next(n.Ready()); got != "READY=1" {
			t.Errorf("%s: ready is %q", socket, got)
		}
		before := monotonic(t)
		m := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`).FindStringSubmatch(next(n.Reloading()))
		if m == nil {
			t.Fatalf("%s: reloading is something else", socket)
		}
		if at, err := strconv.ParseInt(m[1], 10, 64); err != nil || at < before || at > monotonic(t) {
			t.Errorf("%s: time %s, %v", socket, m[1], err)
		}
		if got := next(n.Stopping()); got != "STOPPING=1" {
			t.Errorf("%s: stopping is %q", socket, got)
		}
	}
}

func TestNoSupervisor(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := NewNotifier()
	for _, err := range []error{n.Ready(), n.Reloading(), n.Stopping()} {
		if err != nil {
			t.Error(err)
		}
	}
	for socket, want := range map[string]error{
		filepath.Join(t.TempDir(), "nobody"): unix.ENOENT,
		"vsock:2:1234":                       unix.EAFNOSUPPORT,
		"@" + string(make([]byte, 200)):      unix.EINVAL, // too long
	} {
		if err := (&Notifier{socket: socket}).Ready(); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %v", socket, err, want)
		}
	}
}
