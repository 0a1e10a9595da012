// Package context is the part of the standard package of that name that wackamole needs, with the same names and
// the same meaning: scopes of work that end when they are cancelled, when their time is over, or with the scope that
// they are part of. Each is a context.Context of the standard package and can be part of one.
//
// The standard implementation can print itself, with deadlines in calendar time, and remembers causes and values;
// the 40 KB of a small router's binary that this takes serve nothing here.
package context

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is the standard interface.
type Context = context.Context

// CancelFunc ends a context. Further calls do nothing.
type CancelFunc = context.CancelFunc

// What a context's Err is after its end.
var (
	Canceled         = context.Canceled
	DeadlineExceeded = context.DeadlineExceeded
)

// Background returns the context that never ends.
func Background() Context { return context.Background() }

// WithCancel returns a context that ends with parent, or when cancel is called.
func WithCancel(parent Context) (Context, CancelFunc) {
	s := newScope(parent)
	return s, func() { s.end(Canceled) }
}

// WithTimeout returns a context that ends with parent, after d, or when cancel is
// called, which has to happen in any case.
func WithTimeout(parent Context, d time.Duration) (Context, CancelFunc) {
	s := newScope(parent)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = time.Now().Add(d)
	if s.err == nil {
		s.timer = time.AfterFunc(d, func() { s.end(DeadlineExceeded) })
	}
	return s, func() { s.end(Canceled) }
}

// AfterFunc has f called, in a goroutine of its own, when ctx ends. The returned
// function calls that off; it reports whether it came before f was started.
func AfterFunc(ctx Context, f func()) (stop func() bool) {
	return after(ctx, func() { go f() })
}

// A scope is a context that ends.
type scope struct {
	parent Context
	done   chan struct{}
	leave  func() bool // the parent

	mu       sync.Mutex
	err      error // not nil: it has ended
	deadline time.Time
	timer    *time.Timer
	calls    map[*call]bool // what happens at the end
}

type call struct{ do func() }

func newScope(parent Context) *scope {
	s := &scope{parent: parent, done: make(chan struct{})}
	leave := after(parent, func() { s.end(parent.Err()) })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave = leave
	if s.err != nil {
		leave()
	}
	return s
}

// after has do called when ctx ends: by the one who ends it, if ctx is one of
// ours, else by a goroutine that waits for it.
func after(ctx Context, do func()) (stop func() bool) {
	s, ours := ctx.(*scope)
	if !ours {
		return afterForeign(ctx, do)
	}
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		do()
		return func() bool { return false }
	}
	c := &call{do}
	if s.calls == nil {
		s.calls = make(map[*call]bool)
	}
	s.calls[c] = true
	s.mu.Unlock()
	return func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		before := s.calls[c]
		delete(s.calls, c)
		return before
	}
}

func afterForeign(ctx Context, do func()) (stop func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	if ctx.Err() != nil {
		do()
		return func() bool { return false }
	}
	var decided atomic.Bool
	stopped := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			if decided.CompareAndSwap(false, true) {
				do()
			}
		case <-stopped:
		}
	}()
	return func() bool {
		before := decided.CompareAndSwap(false, true)
		if before {
			close(stopped)
		}
		return before
	}
}

func (s *scope) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	calls, leave, timer := s.calls, s.leave, s.timer
	s.calls = nil
	close(s.done)
	s.mu.Unlock()
	if timer != nil {
		timer.Stop()
	}
	if leave != nil {
		leave()
	}
	for c := range calls {
		c.do()
	}
}

// Deadline implements Context.
func (s *scope) Deadline() (time.Time, bool) {
	d, ok := s.parent.Deadline()
	if !s.deadline.IsZero() && (!ok || s.deadline.Before(d)) {
		return s.deadline, true
	}
	return d, ok
}

// Done implements Context.
func (s *scope) Done() <-chan struct{} { return s.done }

// Err implements Context.
func (s *scope) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Value implements Context. These have no values of their own.
func (s *scope) Value(key any) any { return s.parent.Value(key) }
