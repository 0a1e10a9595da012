package hosts

import (
	"context"
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
	"golang.org/x/sys/unix"
)

func addresses(list ...string) (a []netip.Addr) {
	for _, s := range list {
		a = append(a, netip.MustParseAddr(s))
	}
	return a
}

var compare = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// server is a nameserver that answers with what its function returns.
type server struct {
	net.PacketConn
	mu    sync.Mutex
	asked []string
}

// serve starts a server on 127.0.0.NUMBER, on the port of the first if not 0.
func serve(t *testing.T, number int, port uint16, answer func(query []byte, name string) [][]byte) (*server, uint16) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.%d:%d", number, port))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{PacketConn: conn}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 600)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			name := nameOf(b[:n])
			s.mu.Lock()
			s.asked = append(s.asked, name)
			s.mu.Unlock()
			for _, a := range answer(b[:n:n], name) {
				conn.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return s, uint16(conn.LocalAddr().(*net.UDPAddr).Port)
}

func (s *server) questions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// files is a resolver that reads files with these contents.
func files(t *testing.T, hosts, config string, port uint16) resolver {
	t.Helper()
	r := resolver{filepath.Join(t.TempDir(), "hosts"), filepath.Join(t.TempDir(), "resolv.conf"), port}
	if err := errors.Join(os.WriteFile(r.hosts, []byte(hosts), 0o600), os.WriteFile(r.config, []byte(config), 0o600)); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFiles(t *testing.T) {
	r := files(t, "127.0.0.1 localhost\n::1 n1\n10.0.0.1\tx n1.example N1 # n2\n\n10.0.0.9 n1. n1\nbad n3\n", "", 1)
	for name, want := range map[string][]string{
		"n1": {"10.0.0.1", "10.0.0.9"}, "N1.EXAMPLE.": {"10.0.0.1"}, "localhost": {"127.0.0.1"},
		"10.0.0.7": {"10.0.0.7"}, "fe80::1%eth0": {"fe80::1%eth0"},
	} {
		if got, err := r.lookup(context.Background(), name); err != nil || !cmp.Equal(got, addresses(want...), compare) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if got, err := (resolver{hosts: "/nonexistent"}).lookup(context.Background(), "localhost"); err != nil || got[0].String() != "127.0.0.1" {
		t.Errorf("without a file: %v, %v", got, err)
	}
	for _, name := range []string{"n2", "n3"} {
		if got := r.fromFile(name); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestServers(t *testing.T) {
	known := func(query []byte, name string) [][]byte {
		switch name {
		case "n1.b.example":
			return [][]byte{reply(query, 0, alias("n2"), a("10.0.0.1"), a("10.0.0.2"))}
		case "broken":
			return [][]byte{reply(query, 2)}
		case "forged":
			wrong := reply(query, 0, a("6.6.6.6"))
			wrong[0]++
			other, _ := appendQuery(nil, 0, "other")
			return [][]byte{wrong, nil, {1}, reply(append(query[:2:2], other[2:]...), 0, a("6.6.6.6")), reply(query, 0, a("10.0.0.3"))}
		}
		return [][]byte{reply(query, codeNoName)}
	}
	silent, port := serve(t, 2, 0, func([]byte, string) [][]byte { return nil })
	s, _ := serve(t, 3, port, known)
	const search = "search a.example b.example.\noptions rotate ndots:1\n"
	r := files(t, "", search+"nameserver 127.0.0.3\n", port)
	got, err := r.lookup(context.Background(), "n1")
	if err != nil || !cmp.Equal(got, addresses("10.0.0.1", "10.0.0.2"), compare) {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := r.lookup(context.Background(), "forged."); err != nil || !cmp.Equal(got, addresses("10.0.0.3"), compare) {
		t.Errorf("between forged answers: %v, %v", got, err)
	}
	_, err = r.lookup(context.Background(), "no.such")
	if want := "look up host no.such: no address found: nameserver 127.0.0.3:"; !errors.Is(err, ErrNotFound) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("unknown: %v", err)
	}
	want := []string{"n1.a.example", "n1.b.example", "forged", "no.such", "no.such.a.example", "no.such.b.example"}
	if diff := cmp.Diff(want, s.questions()); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	// A server that is absent and one that is silent are passed over.
	r = files(t, "", "nameserver 127.0.0.4\nnameserver 127.0.0.2\nnameserver 127.0.0.3\n"+search, port)
	if got, err := r.lookup(context.Background(), "n1.b.example"); err != nil || len(got) != 2 {
		t.Errorf("third server: %v, %v", got, err)
	}
	if len(silent.questions()) != 1 {
		t.Errorf("second server was asked for %q", silent.questions())
	}
	r = files(t, "", "nameserver 127.0.0.3\n", port)
	if _, err := r.lookup(context.Background(), "broken."); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "code") {
		t.Errorf("broken server: %v", err)
	}
}

func TestNobody(t *testing.T) {
	_, port := serve(t, 2, 0, func([]byte, string) [][]byte { return nil })
	r := files(t, "", "nameserver 127.0.0.2\n", port)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := r.lookup(ctx, "n1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("cancelled: %v", err)
	}
	r.port = 1 // nobody is there
	if _, err := r.lookup(context.Background(), "n1"); !errors.Is(err, ErrNotFound) || !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("refused: %v", err)
	}
	if _, err := r.lookup(context.Background(), "a..b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no name: %v", err)
	}
	if _, err := r.lookup(ctx, "n1"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestParseConfig(t *testing.T) {
	text := "; comment\nnameserver 10.0.0.1 # first\nnameserver fe80::1%eth0\nnameserver x\nnameserver\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n" +
		"domain old\nsearch a b c d e f g\noptions timeout:1 ndots:99 ndots:x\n"
	got := parseConfig(strings.NewReader(text))
	want := config{addresses("10.0.0.1", "fe80::1%eth0", "10.0.0.3"), strings.Fields("a b c d e f"), maxDots}
	if diff := cmp.Diff(want, got, compare, cmp.AllowUnexported(config{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	empty := parseConfig(strings.NewReader(""))
	if diff := cmp.Diff(config{addresses("127.0.0.1"), nil, 1}, empty, compare, cmp.AllowUnexported(config{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := got.candidates("n1."); !cmp.Equal(got, []string{"n1."}) {
		t.Errorf("%q", got)
	}
}
