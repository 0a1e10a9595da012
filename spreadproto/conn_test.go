package spreadproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openPair opens a session, and returns the daemon's end of its connection.
func openPair(t *testing.T, o Options) (*Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		there, err := l.Accept()
		if err != nil {
			close(accepted)
			return
		}
		there.Read(make([]byte, 64))
		there.Write(welcome(daemon44))
		io.ReadFull(there, make([]byte, AuthChoiceSize))
		accepted <- there
	}()
	c, err := Dial(context.Background(), l.Addr().String(), o)
	if err != nil {
		t.Fatal(err)
	}
	there, ok := <-accepted
	if !ok {
		t.Fatal("nobody connected")
	}
	t.Cleanup(func() { c.Close(); there.Close() })
	there.SetDeadline(time.Now().Add(time.Minute))
	return c, there
}

// A daemon that reads nothing must not hold up its clients for ever, and the end
// of a session not at all.
func TestBlockedDaemon(t *testing.T) {
	body := make([]byte, 100_000)
	t.Run("write timeout", func(t *testing.T) {
		c, _ := openPair(t, Options{WriteTimeout: 10 * time.Millisecond})
		var err error
		for err == nil {
			err = c.Multicast(Agreed, 0, body, "room")
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// The stream ends in the middle of a message, so the session is over.
		if err := c.Join("room"); err == nil {
			t.Error("went on behind half a message")
		}
		if _, err := c.Receive(); err == nil {
			t.Error("received from a session that is over")
		}
	})
	t.Run("close", func(t *testing.T) {
		c, _ := openPair(t, Options{WriteTimeout: time.Hour})
		sent, received := make(chan error), make(chan error)
		started := make(chan bool)
		go func() {
			for i := 0; ; i++ {
				if i == 1 {
					close(started)
				}
				if err := c.Multicast(Agreed, 0, body, "room"); err != nil {
					sent <- err
					return
				}
			}
		}()
		go func() {
			_, err := c.Receive()
			received <- err
		}()
		<-started
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for _, err := range []error{<-sent, <-received, c.Join("room")} {
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("got %v, want that the session is closed", err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseSendsKill(t *testing.T) {
	c, there := openPair(t, Options{Order: LittleEndian})
	c.Close()
	got, err := io.ReadAll(there)
	want := unhex(t, "80000480 236d65236431 00*26 01000000 80000080 00000000 236d65236431 00*26")
	if !bytes.Equal(got, want) || err != nil {
		t.Errorf("read %x, %v, want %x", got, err, want)
	}
}

func TestUserIsCut(t *testing.T) {
	var logged []string
	o := Options{User: "elevenchars", Logf: func(format string, args ...any) { logged = append(logged, fmt.Sprintf(format, args...)) }}
	here, there := net.Pipe()
	hello := make(chan []byte, 1)
	go func() {
		b := make([]byte, 64)
		n, _ := there.Read(b)
		hello <- b[:n]
		there.Close()
	}()
	NewConn(context.Background(), here, "fake", o)
	if got, want := <-hello, unhex(t, "04 04 00 00 0a 656c6576656e636861 72"); !bytes.Equal(got, want) {
		t.Errorf("sent %x, want %x", got, want)
	}
	if len(logged) != 1 || !strings.Contains(logged[0], "elevenchar") {
		t.Errorf("logged %q", logged)
	}
	if _, err := Dial(context.Background(), "4803", Options{User: "a b"}); err == nil || !strings.Contains(err.Error(), "printable") {
		t.Errorf("illegal name: %v", err)
	}
}

// A daemon that is stopped lets its kernel accept, and says nothing.
func TestSilentDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "4803")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Dial(context.Background(), path, Options{ConnectTimeout: 20 * time.Millisecond}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("own limit: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Dial(ctx, path, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestNoDaemon(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	if _, err := Dial(context.Background(), address, Options{}); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

func TestSocketOptions(t *testing.T) {
	c, _ := openPair(t, Options{})
	raw, err := c.nc.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for _, test := range []struct {
			name          string
			level, option int
			want          int
		}{
			{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 5},
			{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 2},
			{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
			{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 15_000},
		} {
			if got, err := unix.GetsockoptInt(int(fd), test.level, test.option); got != test.want || err != nil {
				t.Errorf("%s is %d, %v, want %d", test.name, got, err, test.want)
			}
		}
		// How much is given depends on the system; the default is 128 KiB.
		if got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF); got < 200_000 || err != nil {
			t.Errorf("SO_RCVBUF is %d, %v", got, err)
		}
	})
}

// A daemon that has no room says so before it reads anything, and on a unix
// socket writing then fails. What it said must get through.
func TestRefusedUnread(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		where := "127.0.0.1:0"
		if network == "unix" {
			where = filepath.Join(t.TempDir(), "4803")
		}
		l, err := net.Listen(network, where)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				quota := RejectQuota
				c.Write([]byte{byte(quota)})
				c.Close()
			}
		}()
		for range 100 {
			_, err := Dial(context.Background(), l.Addr().String(), Options{User: "me"})
			var reject *RejectError
			if !errors.As(err, &reject) || reject.Code != RejectQuota {
				t.Fatalf("%s: %v", network, err)
			}
		}
	}
}
