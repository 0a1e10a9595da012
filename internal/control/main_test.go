package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wackatrl runs the controller against the socket at path.
func wackatrl(path string, args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = Main(args, &out, &errs, func(file string) (string, error) {
		if file == "missing.conf" {
			return "", errors.New("open missing.conf: no such file or directory")
		}
		return path, nil
	})
	return status, out.String(), errs.String()
}

// recordedList is what the original's wackatrl -l printed on node 1 of a cluster of three, and after -f.
const recordedList = `Owner: 10.77.0.1
	*    eth0:10.77.0.101/32
Owner: 10.77.0.2
	*    eth0:10.77.0.102/32
Owner: 10.77.0.3
	*    eth0:10.77.0.103/32
`

const recordedFailure = `Owner: not acquired
	*    eth0:10.77.0.101/32
Owner: not acquired
	*    eth0:10.77.0.102/32
Owner: not acquired
	*    eth0:10.77.0.103/32
`

func recordedState(t testing.TB) *State {
	s := &State{Phase: Run, Mature: true}
	for i := 1; i <= 3; i++ {
		s.Interfaces = append(s.Interfaces, virtualInterface(t, fmt.Sprintf("10.77.0.%d", i), 2, i == 1, fmt.Sprintf("eth0:10.77.0.10%d/32", i)))
	}
	return s
}

func TestListPrintsAsTheOriginal(t *testing.T) {
	_, path := startDaemon(t, recordedState(t), Options{})
	steps := []struct{ flag, want string }{
		{"-l", recordedList}, {"-f", recordedFailure}, {"-l", recordedFailure}, {"-s", recordedList}, {"-lf", recordedFailure}, {"-fs", recordedList},
	}
	for _, step := range steps {
		status, out, errs := wackatrl(path, step.flag)
		if status != 0 || errs != "" {
			t.Errorf("%s: status %d, %s", step.flag, status, errs)
		}
		if diff := cmp.Diff(step.want, out); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.flag, diff)
		}
	}
}

func TestListOfSets(t *testing.T) {
	s := &State{Interfaces: []VirtualInterface{
		virtualInterface(t, "10.77.0.2", 2, false, "eth0:10.77.0.101/24", "eth1:192.0.2.101/24", "br-lan.100:10.0.0.1/8"),
		virtualInterface(t, "", 0, false, "\x1b[2J:10.0.0.2/0"),
	}}
	_, path := startDaemon(t, s, Options{})
	want := "Owner: 10.77.0.2\n" +
		"\t*    eth0:10.77.0.101/24\n" +
		"\t ->  eth1:192.0.2.101/24\n" +
		"\t -> br-lan.100:10.0.0.1/8\n" +
		"Owner: not acquired\n" +
		"\t*    ?[2J:10.0.0.2/0\n"
	status, out, errs := wackatrl(path, "-l")
	if diff := cmp.Diff(want, out); diff != "" || status != 0 {
		t.Errorf("status %d, %s (-want +got):\n%s", status, errs, diff)
	}
}

func TestTextAnswers(t *testing.T) {
	s := exampleState(t)
	_, path := startDaemon(t, s, Options{})
	for flag, want := range map[string]answer{"-j": s.jsonAnswer, "-x": s.metricsAnswer} {
		status, out, errs := wackatrl(path, flag)
		if status != 0 || out != text(want) {
			t.Errorf("%s: status %d, %s, %q", flag, status, errs, out)
		}
	}
}

// What drives a terminal is taken out of texts, also where it is in two pieces.
func TestDisarm(t *testing.T) {
	const in, want = "a\tb\n\x1b[2J \x7f \u009b2J \u00a0\u00e9 \r\x00", "a\tb\n?[2J ? \xc2?2J \u00a0\u00e9 ??"
	for cut := range len(in) {
		text := []byte(in)
		disarm(text[cut:], disarm(text[:cut], 0))
		if string(text) != want {
			t.Errorf("cut at %d: %q, want %q", cut, text, want)
		}
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-h"}, 0, "usage: wackatrl"},
		{nil, 2, "wackatrl: nothing to do\nusage: "},
		{[]string{"-c", "x"}, 2, "nothing to do"},
		{[]string{"-l", "-c"}, 2, "flag -c needs a value"},
		{[]string{"-z"}, 2, "unknown flag -z"},
		{[]string{"-l", "eth0"}, 2, `"eth0" is not a flag`},
		{[]string{"-l", "-cmissing.conf"}, 1, "open missing.conf"},
	}
	for _, tt := range tests {
		status, out, errs := wackatrl("/nonexistent", tt.args...)
		if status != tt.status || !strings.Contains(out+errs, tt.want) || status == 0 && errs != "" || status != 0 && out != "" {
			t.Errorf("%q: status %d, out %q, err %q", tt.args, status, out, errs)
		}
	}
	if status, _, errs := wackatrl("", "-l"); status != 1 || !strings.Contains(errs, "names no control socket") {
		t.Errorf("no Control: status %d, %q", status, errs)
	}
}

func TestDaemonCannotBeReached(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	for path, want := range map[string]string{
		dir + "/none": "no such file or directory; is wackamole running", dead: "connection refused; is wackamole running",
	} {
		for _, flag := range []string{"-l", "-f", "-s", "-j", "-x", "-w"} {
			status, out, errs := wackatrl(path, flag)
			if status != 1 || out != "" || !strings.Contains(errs, "cannot reach the daemon at "+path) || !strings.Contains(errs, want) {
				t.Errorf("%s: status %d, out %q, err %q", flag, status, out, errs)
			}
		}
	}
}

// answering serves every connection with f until the test ends.
func answering(t testing.TB, f func(net.Conn)) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f(conn)
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
	return path
}

// An original daemon knows the requests 0, 1 and 2 and closes the connection on any other.
func TestAgainstAnOriginalDaemon(t *testing.T) {
	state := recordedState(t)
	path := answering(t, func(conn net.Conn) {
		request := make([]byte, 1)
		for {
			if n, _ := conn.Read(request); n == 0 {
				return
			}
			switch request[0] {
			case 0:
				records := text(state.recordsAnswer)
				conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(records))), records...))
			case 1, 2:
				conn.Write(make([]byte, 4))
			default:
				return
			}
		}
	})
	for _, flag := range []string{"-l", "-f", "-s"} {
		if status, out, errs := wackatrl(path, flag); status != 0 || out != recordedList {
			t.Errorf("%s: status %d, %s%s", flag, status, out, errs)
		}
	}
	for _, flag := range []string{"-j", "-x", "-w"} {
		status, out, errs := wackatrl(path, flag)
		if status != 1 || out != "" || !strings.Contains(errs, "it is an original wackamole") {
			t.Errorf("%s: status %d, out %q, err %q", flag, status, out, errs)
		}
	}
}

func TestHostileAnswers(t *testing.T) {
	word := func(n int32, more string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(n))) + more
	}
	tests := []struct{ name, flag, answer, want string }{
		{"negative length", "-l", word(-1, ""), "announces -1 bytes"},
		{"huge length", "-j", word(1<<31-1, ""), "announces 2147483647 bytes"},
		{"no whole records", "-l", word(899, ""), "not a multiple of 900"},
		{"length cut", "-l", "\x00\x00", "in the middle of its answer"},
		{"record cut", "-l", word(1800, strings.Repeat("x", 1000)), "in the middle of its answer"},
		{"text cut", "-x", word(10, "12345"), "in the middle of its answer"},
		{"large and empty", "-j", word(64<<20, ""), "in the middle of its answer"},
		{"refused", "-f", word(-1, ""), "announces -1 bytes"},
		{"refused with a number", "-s", word(5, ""), "answers 5"},
		{"nothing", "-f", "", "it closed the connection"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := answering(t, func(conn net.Conn) {
				conn.Read(make([]byte, 1))
				conn.Write([]byte(tt.answer))
			})
			status, _, errs := wackatrl(path, tt.flag)
			if status != 1 || !strings.Contains(errs, tt.want) || !strings.Contains(errs, path) {
				t.Errorf("status %d, %q", status, errs)
			}
		})
	}
}

// FuzzAnswers: whatever a daemon answers, the controller ends, with what it prints bounded by what came.
func FuzzAnswers(f *testing.F) {
	v := virtualInterface(f, "10.77.0.2", 5, true, "eth0:10.77.0.101/24", "eth1:192.0.2.101/24")
	f.Add("-l", append([]byte{0, 0, 3, 132}, appendRecord(nil, &v)...))
	f.Add("-j", []byte{0, 0, 0, 3, '{', '}', '\n'})
	f.Add("-f", []byte{0, 0, 0, 0, 0, 0, 0, 0})
	var mu sync.Mutex
	var current []byte
	path := answering(f, func(conn net.Conn) {
		mu.Lock()
		answer := current
		mu.Unlock()
		conn.Read(make([]byte, 1))
		conn.Write(answer)
	})
	f.Fuzz(func(t *testing.T, flag string, answer []byte) {
		if flag != "-l" && flag != "-j" && flag != "-x" && flag != "-f" && flag != "-s" {
			return
		}
		mu.Lock()
		current = answer
		mu.Unlock()
		status, out, errs := wackatrl(path, flag)
		if (status == 0) != (errs == "") || status > 1 || len(out) > 4*len(answer)+200 {
			t.Fatalf("status %d, %d bytes out of %d, %q", status, len(out), len(answer), errs)
		}
		if flag == "-l" && strings.ContainsFunc(out, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
			t.Fatalf("control characters in %q", out)
		}
	})
}

func TestWatchPrintsChanges(t *testing.T) {
	d, path := startDaemon(t, recordedState(t), Options{})
	var out bytes.Buffer
	end := errors.New("enough")
	asked := 0
	w := newWatch(&out, path)
	w.now = func() time.Time { return time.Date(2026, 11, 22, 15, 58, 58, 0, time.UTC) }
	w.sleep = func(time.Duration) {
		asked++
		d.do(context.Background(), func() {
			switch asked {
			case 2: // changes
				next := *d.state
				next.Interfaces = append([]VirtualInterface(nil), d.state.Interfaces...)
				next.Interfaces[1].Owner = netip.MustParseAddr("10.77.0.3")
				d.state = &next
			case 3:
				w.path, w.out = "", failingWriter{end}
			case 4: // changes again, and cannot be written
				d.failed = true
			}
		})
	}
	if err := w.run(); err != end {
		t.Errorf("error %v", err)
	}
	before, after := *recordedState(t), *recordedState(t)
	after.Interfaces[1].Owner = netip.MustParseAddr("10.77.0.3")
	stamp := "2026-11-22 15:58:58\n"
	want := stamp + text(before.tableAnswer) + "\n" + stamp + text(after.tableAnswer) + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// On a terminal the table is redrawn, and a daemon that goes and comes back is waited for.
func TestWatchOnATerminal(t *testing.T) {
	r, file, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer file.Close()
	answers := make(chan string, 1)
	path := answering(t, func(conn net.Conn) {
		for answer := range answers {
			conn.Read(make([]byte, 1))
			if answer == "gone" {
				return
			}
			conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(answer))), answer...))
		}
	})
	var out bytes.Buffer
	w := newWatch(&out, path)
	w.terminal = file // a pipe has no size: nothing is cut
	steps := []string{"one\x1b[2J\n", "one\x1b[2J\n", "gone", "two\n"}
	answers <- steps[0]
	end := errors.New("enough")
	w.sleep = func(time.Duration) {
		if steps = steps[1:]; len(steps) > 0 {
			answers <- steps[0]
			return
		}
		close(answers)
		w.out = failingWriter{end}
	}
	if err := w.run(); err != end {
		t.Errorf("error %v", err)
	}
	want := "\x1b[Hone?[2J\x1b[K\n\x1b[J" +
		"\x1b[Hthe daemon at " + path + ": it closed the connection\x1b[K\n\x1b[J" +
		"\x1b[Htwo\x1b[K\n\x1b[J"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFit(t *testing.T) {
	tests := []struct {
		rows, columns int
		want          string
	}{
		{10, 80, "abc\ndef\nghi\n"}, {4, 80, "abc\ndef\nghi\n"}, {3, 80, "abc\n... and 2 lines more\n"},
		{10, 2, "ab\nde\ngh\n"}, {1, 80, "... and 3 lines more\n"},
	}
	for _, tt := range tests {
		if got := fit("abc\ndef\nghi\n", tt.rows, tt.columns); got != tt.want {
			t.Errorf("%d x %d: %q, want %q", tt.rows, tt.columns, got, tt.want)
		}
	}
}
