package control

import (
	"sync"

	"wackamole/internal/context"
)

// snapshots lets clients that ask at the same time share one snapshot, so that the daemon's loop is
// asked once at a time however many there are. A snapshot is always taken after the request for it: a
// client that sent RequestFail and then asks for the state sees the failure.
type snapshots struct {
	ctx     context.Context // of the server; a client that goes must not take the others' snapshot along
	backend Backend
	running sync.WaitGroup

	mu      sync.Mutex
	busy    bool      // the goroutine is running
	waiting *snapshot // not started yet; nil when nobody asks
}

type snapshot struct {
	done  chan struct{} // closed when state and err are there
	state *State
	err   error
}

// next returns a snapshot that was begun after the call.
func (s *snapshots) next(ctx context.Context) (*State, error) {
	s.mu.Lock()
	if s.waiting == nil {
		s.waiting = &snapshot{done: make(chan struct{})}
	}
	mine := s.waiting
	if !s.busy {
		s.busy = true
		s.running.Go(s.run)
	}
	s.mu.Unlock()
	select {
	case <-mine.done:
		return mine.state, mine.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run takes snapshots while there is somebody who waits for one.
func (s *snapshots) run() {
	for {
		s.mu.Lock()
		current := s.waiting
		s.waiting = nil
		s.busy = current != nil
		s.mu.Unlock()
		if current == nil {
			return
		}
		current.state, current.err = s.backend.Snapshot(s.ctx)
		close(current.done)
	}
}
