package spreadd

import "slices"

// Pause makes the daemons of these names stand still, all of them where no name
// is given, as a daemon that is stopped or swapped out: the kernel goes on to
// accept clients and to take what they send, but nobody gets an answer or
// anything else until Resume. The daemons that are not paused do not notice,
// unless Partition is called.
func (s *Server) Pause(daemons ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.pausedAll = s.pausedAll || len(daemons) == 0
	for _, name := range daemons {
		s.paused[name] = true
	}
}

// Resume ends every Pause: what has queued up is done and delivered.
func (s *Server) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resume()
}

func (s *Server) resume() {
	s.pausedAll = false
	clear(s.paused)
	s.settle()
	s.resumed.Broadcast()
	for _, x := range s.sessions {
		x.more.Broadcast()
	}
}

// isPaused reports whether a daemon stands still.
func (s *Server) isPaused(daemon string) bool {
	return !s.closed && (s.pausedAll || s.paused[daemon])
}

// await waits while a daemon stands still. The lock is held before and after, but
// not meanwhile.
func (s *Server) await(daemon string) {
	for s.isPaused(daemon) {
		s.resumed.Wait()
	}
}

// allPaused reports whether the daemons of all these sessions stand still.
func (s *Server) allPaused(members []*session) bool {
	return !slices.ContainsFunc(members, func(x *session) bool { return !s.isPaused(x.daemon) })
}
