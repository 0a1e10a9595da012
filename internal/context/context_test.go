package context

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Each case does the same with this package and with the standard one.
type implementation struct {
	name        string
	withCancel  func(Context) (Context, CancelFunc)
	withTimeout func(Context, time.Duration) (Context, CancelFunc)
	afterFunc   func(Context, func()) func() bool
}

var implementations = []implementation{
	{"ours", WithCancel, WithTimeout, AfterFunc},
	{"standard", context.WithCancel, context.WithTimeout, context.AfterFunc},
	{"ours in a standard one", func(c Context) (Context, CancelFunc) {
		outer, cancel := context.WithCancel(c)
		inner, _ := WithCancel(outer)
		return inner, cancel
	}, WithTimeout, AfterFunc},
	{"a standard one in ours", func(c Context) (Context, CancelFunc) {
		outer, cancel := WithCancel(c)
		inner, cancelInner := context.WithCancel(outer)
		context.AfterFunc(inner, cancelInner)
		return inner, cancel
	}, context.WithTimeout, context.AfterFunc},
}

func each(t *testing.T, f func(*testing.T, implementation)) {
	for _, i := range implementations {
		t.Run(i.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, i) })
		})
	}
}

func TestCancelReachesThoseInside(t *testing.T) {
	each(t, func(t *testing.T, i implementation) {
		outer, cancel := i.withCancel(Background())
		inner, cancelInner := i.withTimeout(outer, time.Hour)
		defer cancelInner()
		side, cancelSide := i.withCancel(outer)
		cancelSide()
		cancelSide()
		synctest.Wait()
		if outer.Err() != nil || inner.Err() != nil || side.Err() == nil {
			t.Errorf("outer %v, inner %v, side %v", outer.Err(), inner.Err(), side.Err())
		}
		cancel()
		<-inner.Done()
		if !errors.Is(inner.Err(), Canceled) || !errors.Is(outer.Err(), Canceled) {
			t.Errorf("outer %v, inner %v", outer.Err(), inner.Err())
		}
		late, cancelLate := i.withTimeout(outer, time.Hour)
		defer cancelLate()
		if !errors.Is(late.Err(), Canceled) {
			t.Errorf("made after the end: %v", late.Err())
		}
	})
}

func TestTimeout(t *testing.T) {
	each(t, func(t *testing.T, i implementation) {
		begin := time.Now()
		outer, cancel := i.withTimeout(Background(), time.Minute)
		defer cancel()
		inner, cancelInner := i.withTimeout(outer, time.Hour)
		defer cancelInner()
		if d, ok := inner.Deadline(); !ok || d.Sub(begin) != time.Minute {
			t.Errorf("deadline after %v, %v", d.Sub(begin), ok)
		}
		<-inner.Done()
		if since := time.Since(begin); since != time.Minute || !errors.Is(inner.Err(), DeadlineExceeded) {
			t.Errorf("ended after %v: %v", since, inner.Err())
		}
		var timeout interface{ Timeout() bool }
		if !errors.As(inner.Err(), &timeout) || !timeout.Timeout() {
			t.Error("its end is not a timeout")
		}
	})
}

func TestAfterFunc(t *testing.T) {
	each(t, func(t *testing.T, i implementation) {
		ctx, cancel := i.withCancel(Background())
		called := make(chan string, 3)
		i.afterFunc(ctx, func() { called <- "kept" })
		stop := i.afterFunc(ctx, func() { called <- "stopped" })
		if !stop() || stop() {
			t.Error("stop says that it came too late, or in time twice")
		}
		synctest.Wait()
		if len(called) != 0 {
			t.Errorf("called before the end: %s", <-called)
		}
		cancel()
		synctest.Wait()
		if len(called) != 1 || <-called != "kept" {
			t.Error("not exactly the one that was kept was called")
		}
		stop = i.afterFunc(ctx, func() { called <- "late" })
		if got := <-called; got != "late" || stop() {
			t.Errorf("after the end: %s", got)
		}
	})
}

// A context that is over leaves nothing behind in the one that it was part of.
func TestNothingStays(t *testing.T) {
	outer, cancel := WithCancel(Background())
	defer cancel()
	for range 100 {
		_, cancel := WithTimeout(outer, time.Hour)
		cancel()
		AfterFunc(outer, func() {})()
	}
	if n := len(outer.(*scope).calls); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}
