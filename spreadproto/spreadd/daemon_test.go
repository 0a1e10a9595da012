package spreadd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"wackamole/spreadproto"
)

// TestRoundTrip holds one scenario against our server, and the next test the same
// against a real daemon.
func TestRoundTrip(t *testing.T) {
	for _, v := range []spreadproto.Version{{Major: 3, Minor: 17, Patch: 3}, {Major: 4, Minor: 4}} {
		for _, o := range []spreadproto.Order{spreadproto.LittleEndian, spreadproto.BigEndian} {
			t.Run(fmt.Sprintf("%v/%v", v, o), func(t *testing.T) {
				c := newCluster(t, Options{Version: v, Order: o}, "d1")
				roundTrip(t, filepath.Join(c.dir, "d1"), filepath.Join(c.dir, "d1"))
			})
		}
	}
}

// TestRealDaemon needs the program of a real daemon, 3.17 or later, whose path is
// in SPREAD_DAEMON. It runs it on loopback.
func TestRealDaemon(t *testing.T) {
	program := os.Getenv("SPREAD_DAEMON")
	if program == "" {
		t.Skip("SPREAD_DAEMON does not name the program of a Spread daemon to test with")
	}
	port := startDaemon(t, program)
	roundTrip(t, port+"@127.0.0.1", port)
}

// startDaemon runs a real daemon called d1, and returns its port.
func startDaemon(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	port := freePort(t)
	config := filepath.Join(dir, "spread.conf")
	text := fmt.Sprintf("Spread_Segment 127.0.0.255:%s {\n\td1 127.0.0.1\n}\nRuntimeDir = %s\nDebugFlags = { PRINT EXIT }\n", port, dir)
	if os.Getuid() == 0 {
		text += "DaemonUser = root\nDaemonGroup = root\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var output bytes.Buffer
	daemon := exec.Command(program, "-c", config, "-n", "d1")
	daemon.Stdout, daemon.Stderr = &output, &output
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		daemon.Process.Kill()
		daemon.Wait()
		os.Remove("/tmp/" + port) // where it puts its unix socket, and leaves it
		if t.Failed() {
			t.Logf("the daemon said:\n%s", output.Bytes())
		}
	})
	return port
}

// freePort returns a port that is free for UDP and TCP, and so is the next, which
// daemons use among themselves. It is below 32768, since daemons before 4.4 read
// it as a signed number, and name their unix socket by what they read.
func freePort(t *testing.T) string {
	t.Helper()
	for port := 20_000 + os.Getpid()%10_000; port < 32_000; port += 2 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		l.Close()
		free := true
		for _, p := range []int{port, port + 1} {
			u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", p))
			if err != nil {
				free = false
				continue
			}
			u.Close()
		}
		if free {
			return fmt.Sprint(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

// dialRetrying opens a session with a daemon that may have just started, or that
// has not noticed yet that an earlier session of that name is over.
func dialRetrying(t *testing.T, where string, o spreadproto.Options) *spreadproto.Conn {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := spreadproto.Dial(context.Background(), where, o)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// roundTrip has three clients of a daemon d1 meet, one of them big-endian. remote
// and local are two names of the daemon.
func roundTrip(t *testing.T, remote, local string) {
	c := &cluster{t: t}
	options := func(user string, o spreadproto.Order) spreadproto.Options {
		return spreadproto.Options{User: user, Membership: true, Order: o}
	}
	amy := dialRetrying(t, remote, options("amy", spreadproto.LittleEndian))
	if amy.PrivateGroup() != "#amy#d1" {
		t.Errorf("private group is %q", amy.PrivateGroup())
	}
	zed := dialRetrying(t, local, options("zed", spreadproto.BigEndian))

	must(t, amy.Join("room"))
	c.expect(amy, "room [#amy#d1] by join of #amy#d1, change 1")
	must(t, amy.Join("room")) // has no effect
	must(t, zed.Join("room"))
	for _, x := range []*spreadproto.Conn{amy, zed} {
		c.expect(x, "room [#amy#d1 #zed#d1] by join of #zed#d1, change 2")
	}

	for _, size := range []int{0, 1, 1000, 1400, 20_000, 100_000, spreadproto.DefaultMaxMessage - spreadproto.HeaderSize - spreadproto.NameSize} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i * 7)
		}
		for from, big := range map[*spreadproto.Conn]bool{amy: false, zed: true} {
			must(t, from.Multicast(spreadproto.Agreed, int16(size), body, "room"))
			for _, x := range []*spreadproto.Conn{amy, zed} {
				m, err := x.Receive()
				must(t, err)
				r, ok := m.(*spreadproto.Regular)
				if !ok || r.Sender != from.PrivateGroup() || r.Type != int16(size) || r.BigEndian != big || !bytes.Equal(r.Body, body) {
					t.Fatalf("%s received %T of %d bytes", x.PrivateGroup(), m, size)
				}
			}
		}
	}

	// As many destinations as there may be, of which two mean the same session.
	var many []string
	for i := range spreadproto.MaxDestinations - 2 {
		many = append(many, fmt.Sprint("group", i))
	}
	must(t, amy.Multicast(spreadproto.Safe|spreadproto.SelfDiscard, -1, []byte("many"), append(many, "room", "#zed#d1")...))
	c.expect(zed, `"many" from #amy#d1 type -1`)
	must(t, amy.Multicast(spreadproto.Agreed, 0, []byte("probe"), amy.PrivateGroup()))
	c.expect(amy, `"probe" from #amy#d1 type 0`)

	if _, err := spreadproto.Dial(context.Background(), remote, options("amy", 0)); !errors.Is(err, spreadproto.ErrNotUnique) {
		t.Errorf("the same name twice: %v", err)
	}
	must(t, zed.Leave("room"))
	c.expect(zed, "self-leave of room")
	c.expect(amy, "room [#amy#d1] by leave of #zed#d1, change 3")
	must(t, zed.Join("room"))
	for _, x := range []*spreadproto.Conn{amy, zed} {
		c.expect(x, "room [#amy#d1 #zed#d1] by join of #zed#d1, change 4")
	}
	// The name is free at once after Close.
	must(t, zed.Close())
	c.expect(amy, "room [#amy#d1] by disconnect of #zed#d1, change 5")
	again, err := spreadproto.Dial(context.Background(), local, options("zed", 0))
	must(t, err)
	must(t, again.Close())

	must(t, amy.Leave("room"))
	c.expect(amy, "self-leave of room")
	must(t, amy.Join("room"))
	c.expect(amy, "room [#amy#d1] by join of #amy#d1, change 1")
}
