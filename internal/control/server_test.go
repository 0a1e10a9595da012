package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/stream"
)

// fakeDaemon is a daemon whose loop does what it is told in the order in which it is told.
type fakeDaemon struct {
	requests chan func()

	// Of the loop.
	state     *State
	snapshots int
	failed    bool
}

// startDaemon runs a fake daemon's loop and a server for it until the test ends.
func startDaemon(t testing.TB, state *State, o Options) (d *fakeDaemon, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	d = &fakeDaemon{requests: make(chan func()), state: state}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { Serve(ctx, l, d, o) })
	running.Go(func() {
		for {
			select {
			case f := <-d.requests:
				f()
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait() // all of the server's goroutines end
	})
	return d, path
}

// do runs f in the loop.
func (d *fakeDaemon) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case d.requests <- func() { f(); close(done) }:
	case <-ctx.Done():
		return ctx.Err()
	}
	<-done
	return nil
}

func (d *fakeDaemon) Snapshot(ctx context.Context) (s *State, err error) {
	err = d.do(ctx, func() {
		d.snapshots++
		s = d.state
		if d.failed {
			failed := *d.state
			failed.Phase = Failed
			failed.Interfaces = make([]VirtualInterface, len(d.state.Interfaces))
			for i, v := range d.state.Interfaces {
				failed.Interfaces[i].Addresses = v.Addresses
			}
			s = &failed
		}
	})
	return s, err
}

func (d *fakeDaemon) Fail(ctx context.Context) error {
	return d.do(ctx, func() { d.failed = true })
}

func (d *fakeDaemon) Recover(ctx context.Context) error {
	return d.do(ctx, func() { d.failed = false })
}

func connect(t testing.TB, path string) *stream.Conn {
	t.Helper()
	s, err := dial(path)
	if err != nil {
		t.Fatal(err)
	}
	conn := s.conn
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute)) // against hanging only
	return conn
}

// exchange sends a request and reads the answer behind its length.
func exchange(t testing.TB, conn *stream.Conn, request byte) []byte {
	t.Helper()
	if _, err := conn.Write([]byte{request}); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(conn, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRequests(t *testing.T) {
	state := exampleState(t)
	_, path := startDaemon(t, state, Options{})
	conn := connect(t, path)
	for request, want := range map[byte]answer{
		RequestState: state.recordsAnswer, RequestJSON: state.jsonAnswer, RequestMetrics: state.metricsAnswer, RequestTable: state.tableAnswer,
	} {
		if got := exchange(t, conn, request); string(got) != text(want) {
			t.Errorf("request %d:\ngot  %q\nwant %q", request, got, text(want))
		}
	}
	if n := len(exchange(t, conn, RequestState)); n != 4*900 {
		t.Errorf("%d bytes of state for 4 virtual interfaces", n)
	}
	// On the same connection, as the original's controller does.
	if got := exchange(t, conn, RequestFail); len(got) != 0 {
		t.Errorf("answer to a failure: %q", got)
	}
	if got := exchange(t, conn, RequestState)[4:32]; !bytes.Equal(got, make([]byte, 28)) {
		t.Errorf("owner after a failure: %x", got)
	}
	if got := exchange(t, conn, RequestRecover); len(got) != 0 {
		t.Errorf("answer to the end of a failure: %q", got)
	}
	if got := exchange(t, conn, RequestState); string(got) != text(state.recordsAnswer) {
		t.Error("the state after the end of a failure is not the one before")
	}
}

func TestUnknownRequestsClose(t *testing.T) {
	d, path := startDaemon(t, exampleState(t), Options{})
	for request := 6; request < 256; request++ {
		conn := connect(t, path)
		conn.Write([]byte{byte(request)})
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
			t.Errorf("request %d: %d bytes, %v", request, n, err)
		}
	}
	d.do(context.Background(), func() {
		if d.snapshots != 0 {
			t.Errorf("they made %d snapshots", d.snapshots)
		}
	})
}

// manyInterfaces is a state whose answer is larger than any socket buffer.
func manyInterfaces(t testing.TB, n int) *State {
	s := exampleState(t)
	s.Interfaces = nil
	for i := range n {
		s.Interfaces = append(s.Interfaces, virtualInterface(t, "10.77.0.1", 2, true, fmt.Sprintf("eth0:10.%d.%d.1/24", i/256, i%256)))
	}
	return s
}

// TestClientsThatNeverRead is the promise of the control socket: two hundred clients that ask for the
// state and never read it do not delay the daemon. It counts: the loop takes over an address a
// thousand times while they are there, is asked for at most one snapshot a client, and answers one
// more client that does read. No clock decides; would anything wait for a client, nothing here ended.
func TestClientsThatNeverRead(t *testing.T) {
	const silent = 200
	d, path := startDaemon(t, manyInterfaces(t, 2000), Options{MaxClients: 8, IdleTimeout: time.Hour, AnswerTimeout: time.Hour})
	takeOvers := 0
	takeOver := func() {
		next := *d.state
		next.Counters.TakeOvers++
		d.state = &next
		takeOvers++
	}
	for range silent {
		conn := connect(t, path)
		if _, err := conn.Write([]byte{RequestState}); err != nil {
			continue // thrown out before it could ask
		}
		for range 5 {
			if err := d.do(context.Background(), takeOver); err != nil {
				t.Fatal(err)
			}
		}
	}
	reader := connect(t, path)
	if got := exchange(t, reader, RequestState); len(got) != 2000*900 {
		t.Errorf("%d bytes of state", len(got))
	}
	if got := string(exchange(t, reader, RequestMetrics)); !strings.Contains(got, "\nwackamole_take_overs_total 1002\n") {
		t.Error("the metrics do not show the 1,000 take-overs (and the 2 before)")
	}
	d.do(context.Background(), func() {
		if takeOvers != 5*silent || d.snapshots < 2 || d.snapshots > silent+2 {
			t.Errorf("%d take-overs, %d snapshots for %d clients", takeOvers, d.snapshots, silent)
		}
	})
}

// Clients that never even ask: those beyond the bound replace the oldest ones.
func TestOldestClientIsThrownOut(t *testing.T) {
	_, path := startDaemon(t, exampleState(t), Options{MaxClients: 3})
	var conns []*stream.Conn
	for range 3 {
		conn := connect(t, path)
		exchange(t, conn, RequestState)
		conns = append(conns, conn)
	}
	exchange(t, conns[0], RequestState) // is no longer the oldest
	exchange(t, connect(t, path), RequestState)
	if n, err := conns[1].Read(make([]byte, 1)); n != 0 || err == nil || isTimeout(err) {
		t.Errorf("the oldest client got %d bytes, %v", n, err)
	}
	for _, i := range []int{0, 2} {
		exchange(t, conns[i], RequestState)
	}
}

func TestIdleClientIsDisconnected(t *testing.T) {
	_, path := startDaemon(t, exampleState(t), Options{IdleTimeout: 10 * time.Millisecond})
	if n, err := connect(t, path).Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%d bytes, %v", n, err)
	}
}

func TestStalledAnswerIsGivenUp(t *testing.T) {
	d, path := startDaemon(t, manyInterfaces(t, 2000), Options{AnswerTimeout: 50 * time.Millisecond})
	conn := connect(t, path)
	conn.Write([]byte{RequestState})
	awaitHangUp(t, conn) // without reading
	if n, err := io.Copy(io.Discard, conn); err != nil && isTimeout(err) || n >= 4+2000*900 {
		t.Errorf("%d bytes came, %v", n, err)
	}
	if n := d.snapshotCount(); n != 1 {
		t.Errorf("%d snapshots", n)
	}
}

// awaitHangUp waits until the other end of conn is closed.
func awaitHangUp(t testing.TB, conn *stream.Conn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		for {
			n, err := unix.Poll(fds, 60_000) // against hanging only
			if err == unix.EINTR {
				continue
			}
			if n != 1 || err != nil {
				t.Errorf("the connection was not closed: %v", err)
			}
			return
		}
	})
}

func (d *fakeDaemon) snapshotCount() (n int) {
	d.do(context.Background(), func() { n = d.snapshots })
	return n
}

func TestClientsThatVanish(t *testing.T) {
	_, path := startDaemon(t, manyInterfaces(t, 2000), Options{})
	for i := range 50 {
		conn := connect(t, path)
		conn.Write([]byte{RequestState})
		if i%2 == 0 {
			io.ReadFull(conn, make([]byte, 1000))
		}
		conn.Close()
	}
	if got := exchange(t, connect(t, path), RequestState); len(got) != 2000*900 {
		t.Errorf("%d bytes of state", len(got))
	}
}

// stuckDaemon never answers.
type stuckDaemon struct{ asked chan struct{} }

func (d *stuckDaemon) Snapshot(ctx context.Context) (*State, error) {
	d.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}
func (d *stuckDaemon) Fail(ctx context.Context) error    { <-ctx.Done(); return ctx.Err() }
func (d *stuckDaemon) Recover(ctx context.Context) error { return errors.New("no") }

func TestServeEndsWithAStuckDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &stuckDaemon{asked: make(chan struct{}, 10)}
	ended := make(chan struct{})
	go func() { Serve(ctx, l, d, Options{}); close(ended) }()
	refused := connect(t, path)
	refused.Write([]byte{RequestRecover})
	if n, err := refused.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("an order that ended in an error: %d bytes, %v", n, err)
	}
	for _, request := range []byte{RequestState, RequestFail} {
		connect(t, path).Write([]byte{request})
	}
	<-d.asked
	cancel()
	<-ended
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("the socket still answers")
	}
}

// TestSnapshotsAreShared: requests that come while one snapshot is being taken share the next one.
func TestSnapshotsAreShared(t *testing.T) {
	d := &gatedDaemon{begun: make(chan int), release: make(chan struct{})}
	s := snapshots{ctx: context.Background(), backend: d}
	results := make(chan int, 10)
	ask := func() {
		state, err := s.next(context.Background())
		if err != nil {
			t.Error(err)
			return
		}
		results <- state.Index
	}
	go ask()
	<-d.begun
	for range 5 {
		go ask()
	}
	for { // until the five have asked: all of them wait for the same one
		s.mu.Lock()
		waiting := s.waiting
		s.mu.Unlock()
		if waiting != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	d.release <- struct{}{}
	if n := <-results; n != 1 {
		t.Errorf("the first got snapshot %d", n)
	}
	more := 0
	for range 5 {
		select {
		case <-d.begun:
			more++
			d.release <- struct{}{}
		case n := <-results:
			if n < 2 {
				t.Error("a snapshot was begun before the request for it")
			}
			continue
		}
		if n := <-results; n < 2 {
			t.Error("a snapshot was begun before the request for it")
		}
	}
	s.running.Wait()
	if more < 1 || more > 5 {
		t.Errorf("%d more snapshots", more)
	}
}

// gatedDaemon numbers its snapshots and ends one when it is told to.
type gatedDaemon struct {
	stuckDaemon
	n       int
	begun   chan int
	release chan struct{}
}

func (d *gatedDaemon) Snapshot(context.Context) (*State, error) {
	d.n++
	n := d.n
	d.begun <- n
	<-d.release
	return &State{Index: n}, nil
}

// FuzzRequests sends bytes to a server: it never stops answering others, and answers the requests among
// the bytes with what they announce until the first that is none.
func FuzzRequests(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5})
	f.Add([]byte{0, 200, 0})
	state := exampleState(f)
	_, path := startDaemon(f, state, Options{})
	f.Fuzz(func(t *testing.T, requests []byte) {
		requests = requests[:min(len(requests), 64)]
		conn := connect(t, path)
		defer conn.Close()
		go func() {
			conn.Write(requests)
			if raw, err := conn.SyscallConn(); err == nil {
				raw.Control(func(fd uintptr) { unix.Shutdown(int(fd), unix.SHUT_WR) })
			}
		}()
		for _, r := range requests {
			var head [4]byte
			if _, err := io.ReadFull(conn, head[:]); err != nil {
				if r <= RequestTable {
					t.Fatalf("request %d: %v", r, err)
				}
				return
			}
			if r > RequestTable {
				t.Fatalf("request %d was answered", r)
			}
			if _, err := io.CopyN(io.Discard, conn, int64(binary.BigEndian.Uint32(head[:]))); err != nil {
				t.Fatal(err)
			}
		}
	})
}
