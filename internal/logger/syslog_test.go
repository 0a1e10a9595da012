package logger

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fakeSyslogd is a syslogd on a unixgram socket of the test's own.
type fakeSyslogd struct {
	t    *testing.T
	conn *net.UnixConn
}

func listen(t *testing.T, path string) *fakeSyslogd {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &fakeSyslogd{t: t, conn: conn}
}

// next waits for the next packet.
func (f *fakeSyslogd) next() string {
	f.t.Helper()
	buffer := make([]byte, 4096)
	f.conn.SetReadDeadline(time.Now().Add(time.Minute)) // against hanging only
	n, err := f.conn.Read(buffer)
	if err != nil {
		f.t.Fatal(err)
	}
	return string(buffer[:n])
}

// stop ends the syslogd as a restart does: the socket's name is gone.
func (f *fakeSyslogd) stop(path string) {
	f.conn.Close()
	os.Remove(path)
}

func TestSyslogPacket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	server := listen(t, path)
	s := NewSyslog(path, "wackamole", 123, Daemon)
	defer s.Close(0)
	s.now = func() time.Time { return time.Date(2026, 11, 2, 5, 8, 9, 0, time.UTC) }
	log := New(s)
	steps := []struct {
		do   func()
		want string
	}{
		{func() { log.Printf("connecting to 4803") }, "<29>Nov  2 05:08:09 wackamole[123]: connecting to 4803"},
		{func() { log.Errorf("a\nb") }, `<27>Nov  2 05:08:09 wackamole[123]: a\nb`},
		{func() { log.Warningf("w") }, "<28>Nov  2 05:08:09 wackamole[123]: w"},
		{func() { log.Infof("i") }, "<30>Nov  2 05:08:09 wackamole[123]: i"},
		{func() { s.SetFacility(23); log.Printf("local7") }, "<189>Nov  2 05:08:09 wackamole[123]: local7"},
	}
	for _, step := range steps {
		step.do()
		if got := server.next(); got != step.want {
			t.Errorf("got  %q\nwant %q", got, step.want)
		}
	}
	log.Printf("%s", strings.Repeat("x", 5000))
	if got := server.next(); len(got) > 1024 {
		t.Errorf("packet of %d bytes, RFC 3164 allows 1024", len(got))
	}
}

func message(packet string) string {
	_, text, _ := strings.Cut(packet, "]: ")
	return text
}

func TestSyslogStartsLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := NewSyslog(path, "wackamole", 1, Daemon)
	defer s.Close(0)
	New(s).Printf("before")
	server := listen(t, path)
	// Nothing is logged any more: it is the timer that brings the line.
	if got := message(server.next()); got != "before" {
		t.Errorf("got %q", got)
	}
	New(s).Printf("after")
	if got := message(server.next()); got != "after" {
		t.Errorf("got %q", got)
	}
}

func TestSyslogRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	server := listen(t, path)
	s := NewSyslog(path, "wackamole", 1, Daemon)
	defer s.Close(0)
	log := New(s)
	log.Printf("one")
	server.next()
	server.stop(path)
	server = listen(t, path)
	log.Printf("two") // the old socket is refused; the same line goes to the new one
	if got := message(server.next()); got != "two" {
		t.Errorf("got %q", got)
	}
	server.stop(path)
	log.Printf("three")
	log.Printf("four")
	server = listen(t, path)
	log.Printf("five")
	for _, want := range []string{"three", "four", "five"} {
		if got := message(server.next()); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSyslogBoundsItsQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := NewSyslog(path, "wackamole", 1, Daemon)
	defer s.Close(0)
	log := New(s)
	const lines = 5000
	for i := range lines {
		log.Printf("%05d %s", i, strings.Repeat("x", 100))
	}
	s.mu.Lock()
	kept, lost := len(s.queue), s.lost
	if s.queued > maxQueued || kept+lost != lines || lost == 0 {
		t.Errorf("%d bytes in %d lines kept, %d lost", s.queued, kept, lost)
	}
	s.mu.Unlock()

	// A syslogd that turns up but reads slowly gets everything that was kept, in order, with the count first.
	server := listen(t, path)
	if got, want := message(server.next()), fmt.Sprintf("%d lines of the log were lost here: syslog did not take them", lost); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for i := lost; i < lines; i++ {
		if got := message(server.next()); !strings.HasPrefix(got, fmt.Sprintf("%05d ", i)) {
			t.Fatalf("line %d is %.20q", i, got)
		}
	}
}

// A syslogd that is there but does not read fills its socket; no call may wait for it.
func TestSyslogNeverBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	server := listen(t, path)
	s := NewSyslog(path, "wackamole", 1, Daemon)
	log := New(s)
	for i := range 2000 {
		log.Printf("%d", i)
	}
	s.Close(0)
	if got := message(server.next()); got != "0" {
		t.Errorf("got %q", got)
	}
}

func TestSyslogCloseWaitsForASlowReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	server := listen(t, path)
	s := NewSyslog(path, "wackamole", 1, Daemon)
	log := New(s)
	const lines = 2000
	for i := range lines {
		log.Printf("%d", i)
	}
	closed := make(chan struct{})
	go func() { s.Close(time.Minute); close(closed) }()
	for i := range lines {
		if got, want := message(server.next()), fmt.Sprint(i); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	<-closed
	log.Printf("after the end")
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) != 0 || s.fd != -1 {
		t.Error("a closed sink still takes lines")
	}
}

// Some syslogds listen on a stream: records end with a NUL there, and may be taken in parts.
func TestSyslogStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := NewSyslog(path, "wackamole", 1, Daemon)
	log := New(s)
	const lines = 1500
	for i := range lines { // more than a socket's buffer takes, so that some record is taken in parts
		log.Printf("%d %s", i, strings.Repeat("x", 150))
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go s.Close(time.Minute)
	records := bufio.NewReader(conn)
	whole := regexp.MustCompile(`^<29>[A-Z][a-z][a-z] [ 1-3][0-9] [0-9:]{8} wackamole\[1\]: ([0-9]+) x{150}\x00$`)
	for i := range lines {
		record, err := records.ReadString(0)
		if err != nil {
			t.Fatal(err)
		}
		if m := whole.FindStringSubmatch(record); m == nil || m[1] != fmt.Sprint(i) {
			t.Fatalf("record %d is %q", i, record)
		}
	}
	if rest, err := records.ReadString(0); err == nil {
		t.Errorf("one more record: %q", rest)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the stream was not closed")
	}
}
