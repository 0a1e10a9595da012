package control

import (
	"bufio"
	"encoding/binary"
	"sync"
	"time"

	"wackamole/internal/context"
	"wackamole/internal/logger"
	"wackamole/internal/stream"
)

// The requests.
const (
	RequestState   byte = 0
	RequestFail    byte = 1
	RequestRecover byte = 2
	RequestJSON    byte = 3
	RequestMetrics byte = 4
	RequestTable   byte = 5
)

// Backend is the daemon. Its methods are called from goroutines of the server, one Snapshot at a time,
// and return when the daemon's loop has answered, or with an error when ctx ends first. A client whose
// request ends in an error is disconnected.
type Backend interface {
	// Snapshot returns the state, which then must not change any more.
	Snapshot(ctx context.Context) (*State, error)
	// Fail leaves Spread, releases everything and stays away; it returns when that is done.
	Fail(ctx context.Context) error
	// Recover ends the simulated failure.
	Recover(ctx context.Context) error
}

// Options are the server's limits; zero values are replaced by defaults.
type Options struct {
	MaxClients  int           // 16
	IdleTimeout time.Duration // without a request a client is disconnected; 60 s
	// AnswerTimeout is for the daemon's answer to come and again for the client to take it; 20 s.
	AnswerTimeout time.Duration
	Log           *logger.Logger
}

// Serve answers clients on l until ctx ends. Then it closes l and all connections, and returns once
// its goroutines have ended.
func Serve(ctx context.Context, l *Listener, backend Backend, o Options) {
	if o.MaxClients == 0 {
		o.MaxClients = 16
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = time.Minute
	}
	if o.AnswerTimeout == 0 {
		o.AnswerTimeout = 20 * time.Second
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &server{
		ctx:       ctx,
		backend:   backend,
		options:   o,
		slots:     make(chan struct{}, o.MaxClients),
		clients:   make(map[*client]struct{}),
		snapshots: snapshots{ctx: ctx, backend: backend},
	}
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	s.accept(l)
	cancel()
	if stop() {
		_ = l.Close()
	}
	s.running.Wait()
	s.snapshots.running.Wait()
}

type server struct {
	ctx       context.Context
	backend   Backend
	options   Options
	snapshots snapshots
	slots     chan struct{} // one for each client
	running   sync.WaitGroup

	mu      sync.Mutex
	clients map[*client]struct{}
}

// client is one connection.
type client struct {
	conn  *stream.Conn
	ctx   context.Context
	close context.CancelFunc
	since time.Time // of the last request, or of the connection; guarded by server.mu
}

// accept takes clients until the listener is closed.
func (s *server) accept(l *Listener) {
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		if err != nil {
			if s.ctx.Err() != nil {
				return
			}
			// Out of descriptors, perhaps: it may pass. Others of the daemon's need them more.
			if pause == 0 {
				s.options.Log.Warningf("control socket: %v", err)
			}
			pause = min(pause+100*time.Millisecond, time.Second)
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(pause):
			}
			continue
		}
		pause = 0
		if !s.takeSlot() {
			_ = conn.Close()
			return
		}
		s.start(conn)
	}
}

// takeSlot waits for room for one more client, which throwing one out makes at once. It returns false
// when the server ends.
func (s *server) takeSlot() bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	s.evict()
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// evict throws out the client whose last request is the oldest: one that is idle, or does not take its
// answer.
func (s *server) evict() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest *client
	for c := range s.clients {
		if oldest == nil || c.since.Before(oldest.since) {
			oldest = c
		}
	}
	if oldest != nil {
		oldest.close()
	}
}

func (s *server) start(conn *stream.Conn) {
	c := &client{conn: conn, since: time.Now()}
	c.ctx, c.close = context.WithCancel(s.ctx)
	s.mu.Lock()
	s.clients[c] = struct{}{}
	s.mu.Unlock()
	// Closing the connection is what unblocks a read or write of the client's goroutine.
	context.AfterFunc(c.ctx, func() { _ = conn.Close() })
	s.running.Go(func() {
		s.serve(c)
		s.mu.Lock()
		delete(s.clients, c)
		s.mu.Unlock()
		c.close()
		<-s.slots
	})
}

// serve answers one client's requests until it goes, is too slow, or sends what is no request.
func (s *server) serve(c *client) {
	var request [1]byte
	out := bufio.NewWriterSize(c.conn, 4096)
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(s.options.IdleTimeout))
		if n, _ := c.conn.Read(request[:]); n == 0 {
			return
		}
		s.mu.Lock()
		c.since = time.Now()
		s.mu.Unlock()
		body, err := s.answer(c.ctx, request[0])
		if err != nil || body == nil {
			return
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(s.options.AnswerTimeout))
		if writeAnswer(out, body) != nil {
			return
		}
	}
}

// answer asks the daemon. It returns nil for a byte that is no request.
func (s *server) answer(ctx context.Context, request byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.AnswerTimeout)
	defer cancel()
	switch request {
	case RequestFail:
		return nothing, s.backend.Fail(ctx)
	case RequestRecover:
		return nothing, s.backend.Recover(ctx)
	case RequestState, RequestJSON, RequestMetrics, RequestTable:
	default:
		return nil, nil
	}
	state, err := s.snapshots.next(ctx)
	if err != nil {
		return nil, err
	}
	switch request {
	case RequestJSON:
		return state.jsonAnswer, nil
	case RequestMetrics:
		return state.metricsAnswer, nil
	case RequestTable:
		return state.tableAnswer, nil
	}
	return state.recordsAnswer, nil
}

// nothing is the answer to RequestFail and RequestRecover: its length, zero, is the result.
func nothing(func([]byte) bool) {}

// recordsAnswer is the State as the original tells it.
func (s *State) recordsAnswer(yield func([]byte) bool) {
	record := make([]byte, 0, RecordSize)
	for i := range s.Interfaces {
		if !yield(appendRecord(record, &s.Interfaces[i])) {
			return
		}
	}
}

// writeAnswer writes the length and the parts.
func writeAnswer(out *bufio.Writer, body answer) error {
	length := 0
	for part := range body {
		length += len(part)
	}
	var head [4]byte
	binary.BigEndian.PutUint32(head[:], uint32(length))
	_, err := out.Write(head[:])
	for part := range body {
		if _, err = out.Write(part); err != nil {
			break
		}
	}
	if err != nil {
		return err
	}
	return out.Flush()
}
