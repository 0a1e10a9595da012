package guard

import (
	"time"

	"wackamole/rtnl"
)

// addresses is rtnl.Prepared.
type addresses interface {
	Hold([]rtnl.Key) error
	Drop([]rtnl.Key)
	Held() int
	Release() (left int, err error)
}

// batch is how many orders are read at a time. With it, a watch fits 2 KiB.
const batch = 80

// A watch is the guard's state. It knows no clock and no descriptor, and takes no
// memory once it is made.
type watch struct {
	addresses addresses
	limit     time.Duration
	last      time.Duration // the daemon's last sign of life
	ended     bool          // the daemon said that it ends
	complain  func(error)
	session   session

	buf  [batch * orderSize]byte
	part int // bytes in buf that are no whole order yet
	keys [batch]rtnl.Key
}

// room returns where the next bytes from the pipe go.
func (w *watch) room() []byte { return w.buf[w.part:] }

// wait returns how long to wait for the next order: without limit (-1) while
// nothing is held.
func (w *watch) wait(now time.Duration) time.Duration {
	if w.addresses.Held() == 0 {
		return -1
	}
	return max(0, w.last+w.limit-now)
}

// take carries out the orders in the n bytes that came into room. Orders of one
// kind that follow each other are carried out together.
func (w *watch) take(n int) {
	b := w.buf[:w.part+n]
	keys := w.keys[:0]
	var what byte
	for ; len(b) >= orderSize; b = b[orderSize:] {
		o := parseOrder(b)
		if o.what != what {
			w.carryOut(what, keys)
			what, keys = o.what, keys[:0]
		}
		switch o.what {
		case hold, drop:
			keys = append(keys, o.key)
		case beat:
			w.last = max(w.last, o.at)
		case done:
			w.ended = true
		}
	}
	w.carryOut(what, keys)
	w.part = copy(w.buf[:], b)
}

func (w *watch) carryOut(what byte, keys []rtnl.Key) {
	switch {
	case what == hold:
		if err := w.addresses.Hold(keys); err != nil {
			w.complain(err)
		}
	case what == drop:
		w.addresses.Drop(keys)
	}
}
