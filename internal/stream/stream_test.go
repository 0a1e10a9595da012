package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func loopback(t *testing.T) Address { return TCP(netip.MustParseAddrPort("127.0.0.1:0")) }

func unixPath(t *testing.T) Address { return Unix(filepath.Join(t.TempDir(), "socket")) }

func abstract(t *testing.T) Address { return Unix("@wackamole/stream/" + t.Name()) }

var places = []struct {
	name string
	make func(*testing.T) Address
}{{"tcp", loopback}, {"unix", unixPath}, {"abstract", abstract}}

// pair is two ends of a connection.
func pair(t *testing.T, at Address) (client, server *Conn) {
	t.Helper()
	l, err := Listen(at, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := Dial(context.Background(), l.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c, s
}

func TestTransfer(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			at := p.make(t)
			c, s := pair(t, at)
			sent := bytes.Repeat([]byte("0123456789"), 100_000) // more than the buffers take
			go func() {
				c.Write(sent)
				c.Close()
			}()
			got, err := io.ReadAll(s)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("read %d bytes, %v, want %d", len(got), err, len(sent))
			}
			if c.RemoteAddr().String() != s.LocalAddr().String() || c.LocalAddr().String() != s.RemoteAddr().String() {
				t.Errorf("%v - %v there, %v - %v here", c.LocalAddr(), c.RemoteAddr(), s.RemoteAddr(), s.LocalAddr())
			}
			if got := c.RemoteAddr().Network(); got != at.Network() {
				t.Errorf("network %s", got)
			}
		})
	}
}

// What package net opens is understood, and the other way round.
func TestAgainstNet(t *testing.T) {
	l, err := Listen(loopback(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("accepted %v, not %v", s.RemoteAddr(), c.LocalAddr())
	}
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		if n, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NODELAY); n == 0 || err != nil {
			t.Errorf("TCP_NODELAY %d, %v", n, err)
		}
		if n, err := unix.FcntlInt(fd, unix.F_GETFD, 0); n&unix.FD_CLOEXEC == 0 || err != nil {
			t.Errorf("descriptor flags %#x, %v: programs that are started would inherit it", n, err)
		}
	})
}

func TestDeadline(t *testing.T) {
	c, _ := pair(t, unixPath(t))
	c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	c.SetWriteDeadline(time.Now().Add(time.Millisecond))
	var err error
	for err == nil {
		_, err = c.Write(make([]byte, 100_000))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
}

func TestClosed(t *testing.T) {
	c, _ := pair(t, loopback(t))
	waiting := make(chan error)
	go func() { _, err := c.Read(make([]byte, 1)); waiting <- err }()
	c.Close()
	_, write := c.Write([]byte{1})
	for i, err := range []error{<-waiting, write, c.SetDeadline(time.Now()), c.Close()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%d: %v", i, err)
		}
	}
	l, err := Listen(loopback(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, err := l.Accept(); waiting <- err }()
	l.Close()
	_, accept := l.Accept()
	for i, err := range []error{<-waiting, accept, l.Close()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("listener %d: %v", i, err)
		}
	}
}

func TestDialFails(t *testing.T) {
	dead, err := Listen(loopback(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	missing := unixPath(t)
	for _, tt := range []struct {
		to   Address
		want error
	}{
		{dead.Addr(), unix.ECONNREFUSED},
		{missing, os.ErrNotExist},
		{Unix(string(make([]byte, 200))), unix.EINVAL},
		{TCP(netip.AddrPort{}), unix.EINVAL},
		{TCP(netip.MustParseAddrPort("[fe80::1%no such interface]:1")), unix.ENODEV},
	} {
		c, err := Dial(context.Background(), tt.to, nil)
		if err == nil {
			c.Close()
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.to, err, tt.want)
		}
	}
	if _, err := Dial(context.Background(), missing, func(int) error { return unix.EPERM }); !errors.Is(err, unix.EPERM) {
		t.Errorf("setup: %v", err)
	}
}

// full is a TCP listener that takes no more connections, so that the next one
// hangs: its queue has room for one.
func full(t *testing.T) Address {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, _ := syscall.Getsockname(fd)
	to := fromSockaddr("tcp", at)
	c, err := Dial(context.Background(), to, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return to
}

func TestDialWaits(t *testing.T) {
	to := full(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, to, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("limit: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Dial(ctx, to, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Dial(ctx, to, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

func TestListenFails(t *testing.T) {
	l, err := Listen(loopback(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Listen(l.Addr(), nil); !errors.Is(err, unix.EADDRINUSE) {
		t.Errorf("in use: %v", err)
	}
	l.SetDeadline(time.Now())
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("accept with a deadline: %v", err)
	}
}

func TestUDP(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := UDP(netip.MustParseAddrPort(server.LocalAddr().String()))
	c, err := Dial(context.Background(), to, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := make([]byte, 100)
	if _, err := c.Write([]byte("question")); err != nil {
		t.Fatal(err)
	}
	n, from, err := server.ReadFrom(b)
	if string(b[:n]) != "question" || err != nil {
		t.Fatalf("%q, %v", b[:n], err)
	}
	server.WriteTo([]byte("answer"), from)
	if n, err := c.Read(b); string(b[:n]) != "answer" || err != nil {
		t.Errorf("%q, %v", b[:n], err)
	}
	server.Close()
	c.Write([]byte("question"))
	if _, err := c.Read(b); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestInterfaceIndex(t *testing.T) {
	all, err := net.Interfaces()
	if err != nil {
		t.Skip("the interfaces of this machine cannot be listed (an emulated one?): ", err)
	}
	for _, i := range all {
		if got, err := InterfaceIndex(i.Name); got != uint32(i.Index) || err != nil {
			t.Errorf("%s: %d, %v, want %d", i.Name, got, err, i.Index)
		}
	}
	for _, name := range []string{"", "nosuch0", "a name longer than any interface's"} {
		if _, err := InterfaceIndex(name); !errors.Is(err, unix.ENODEV) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
