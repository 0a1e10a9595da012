package guard

import (
	"errors"
	"slices"
	"testing"
	"time"

	"wackamole/rtnl"
)

func TestOrders(t *testing.T) {
	for _, o := range []order{
		{what: hold, key: rtnl.Key{Index: 0x01020304, Addr: [4]byte{10, 0, 0, 5}, Bits: 24}},
		{what: drop, key: rtnl.Key{Addr: [4]byte{255, 0, 0, 1}, Bits: 32}},
		{what: beat, at: 0x0102030405060708},
		{what: done},
	} {
		b := o.append(nil)
		if len(b) != orderSize || parseOrder(b) != o {
			t.Errorf("%v is written as %x and read as %v", o, b, parseOrder(b))
		}
	}
}

// list is a kernel of which only the guard's list counts.
type list struct{ held []rtnl.Key }

func (l *list) Hold(k []rtnl.Key) error {
	if slices.Contains(k, rtnl.Key{}) {
		return errors.New("no such address")
	}
	l.held = append(l.held, k...)
	return nil
}
func (l *list) Drop(k []rtnl.Key) {
	l.held = slices.DeleteFunc(l.held, func(h rtnl.Key) bool { return slices.Contains(k, h) })
}
func (l *list) Held() int             { return len(l.held) }
func (l *list) Release() (int, error) { l.held = nil; return 0, nil }

// feed lets the guard read the orders in pieces of n bytes.
func feed(w *watch, n int, orders ...order) {
	var b []byte
	for _, o := range orders {
		b = o.append(b)
	}
	for part := range slices.Chunk(b, n) {
		w.take(copy(w.room(), part))
	}
}

func key(n byte) rtnl.Key { return rtnl.Key{Index: 2, Addr: [4]byte{10, 0, 0, n}, Bits: 24} }

// Orders may come in pieces of any size and many at a time.
func TestTakePieces(t *testing.T) {
	var orders []order
	for n := byte(1); n <= 200; n++ {
		orders = append(orders, order{what: hold, key: key(n)})
		if n%3 == 0 {
			orders = append(orders, order{what: drop, key: key(n - 1)}, order{what: beat, at: time.Duration(n)})
		}
	}
	var want []rtnl.Key
	for n := byte(1); n <= 200; n++ {
		if n%3 != 2 || n == 200 {
			want = append(want, key(n))
		}
	}
	for _, n := range []int{1, 5, 12, 13, 144, 300, batch * orderSize / 2} {
		l := &list{}
		w := watch{addresses: l, limit: time.Second}
		feed(&w, n, orders...)
		if !slices.Equal(l.held, want) || w.last != 198 || w.ended {
			t.Errorf("in pieces of %d: %d held, last %d, ended %t", n, len(l.held), w.last, w.ended)
		}
		feed(&w, n, order{what: done})
		if !w.ended {
			t.Errorf("in pieces of %d: done was not heard", n)
		}
	}
}

// Time counts only while something is held, from the daemon's own time on.
func TestWait(t *testing.T) {
	l := &list{}
	w := watch{addresses: l, limit: 10 * time.Second, last: 100 * time.Second}
	expect := func(now, want time.Duration) {
		t.Helper()
		if got := w.wait(now); got != want {
			t.Errorf("waits %v, want %v", got, want)
		}
	}
	expect(time.Hour, -1)
	feed(&w, 12, order{what: beat, at: 200 * time.Second}, order{what: hold, key: key(1)})
	expect(204*time.Second, 6*time.Second)
	// Read late, for the guard stood still too: what counts is when it was given.
	feed(&w, 12, order{what: beat, at: 203 * time.Second})
	expect(212*time.Second, time.Second)
	expect(213*time.Second, 0)
	expect(300*time.Second, 0)
	// An older one does not turn it back.
	feed(&w, 12, order{what: beat, at: 150 * time.Second})
	expect(212*time.Second, time.Second)
	// An order alone is none.
	feed(&w, 12, order{what: hold, key: key(2)})
	expect(212*time.Second, time.Second)
	feed(&w, 12, order{what: drop, key: key(1)}, order{what: drop, key: key(2)})
	expect(time.Hour, -1)
}

func TestTakeComplains(t *testing.T) {
	var complaints int
	w := watch{addresses: &list{}, complain: func(error) { complaints++ }}
	feed(&w, 24, order{what: hold, key: rtnl.Key{}}, order{what: 77, key: key(1)}, order{what: hold, key: key(1)})
	if complaints != 1 || w.addresses.Held() != 1 {
		t.Errorf("%d complaints, %d held", complaints, w.addresses.Held())
	}
}

func TestTakeNeedsNoMemory(t *testing.T) {
	w := watch{addresses: &list{held: make([]rtnl.Key, 0, 2000)}}
	var b []byte
	for n := range byte(100) {
		b = order{what: hold, key: key(n)}.append(b)
	}
	b = order{what: beat, at: 5}.append(b)
	for n := range byte(100) {
		b = order{what: drop, key: key(n)}.append(b)
	}
	if n := testing.AllocsPerRun(100, func() { w.take(copy(w.room(), b)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
