package rtnl

import (
	"fmt"
	"slices"
)

// MaxHeld is the most addresses that a Prepared holds.
const MaxHeld = 1 << 16

// releaseTries is how often Release goes over what is still there.
const releaseTries = 3

// A Prepared is a release made ready beforehand: an open socket outside the
// runtime's poller, and the keys of the addresses in the order of their
// acquisition, 12 bytes each. It is for a guard process with one goroutine and
// is not safe for concurrent use.
type Prepared struct {
	session session
	release releaser
	held    []Key
}

// Prepare opens the socket.
func Prepare(o Options) (*Prepared, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	return newPrepared(s, o), nil
}

func newPrepared(t transport, o Options) *Prepared {
	p := &Prepared{session: session{transport: t}}
	p.release = newReleaser(&p.session, o)
	return p
}

// Hold remembers addresses. Those held already stay in their place. It fails
// where they would be more than MaxHeld and then remembers none of them.
func (p *Prepared) Hold(keys []Key) error {
	fresh := sorted(keys)
	known := make([]bool, len(fresh))
	for _, k := range p.held {
		if i, ok := slices.BinarySearchFunc(fresh, k, compareKeys); ok {
			known[i] = true
		}
	}
	n := 0
	for _, k := range known {
		if !k {
			n++
		}
	}
	if len(p.held)+n > MaxHeld {
		return fmt.Errorf("hold %d more addresses: more than %d in all", n, MaxHeld)
	}
	if free := cap(p.held) - len(p.held); free < n {
		// A quarter more, not twice as much: memory is what a guard must not cost.
		p.held = append(make([]Key, 0, len(p.held)+n+len(p.held)/4), p.held...)
	}
	for _, k := range keys {
		if i, _ := slices.BinarySearchFunc(fresh, k, compareKeys); !known[i] {
			known[i] = true
			p.held = append(p.held, k)
		}
	}
	return nil
}

// Drop forgets addresses that were released. A key with Index 0 stands for that
// address on any interface.
func (p *Prepared) Drop(keys []Key) {
	gone := sorted(keys)
	p.held = slices.DeleteFunc(p.held, func(k Key) bool {
		if _, ok := slices.BinarySearchFunc(gone, k, compareKeys); ok {
			return true
		}
		k.Index = 0
		_, ok := slices.BinarySearchFunc(gone, k, compareKeys)
		return ok
	})
}

// Held returns how many addresses are held.
func (p *Prepared) Held() int { return len(p.held) }

// Release removes what is held from the interfaces, in reverse order of
// acquisition, secondaries first, then lists and goes over what is left. It
// returns how many are left in the end: they stay held, for another try.
func (p *Prepared) Release() (left int, err error) {
	slices.Reverse(p.held)
	defer func() { slices.Reverse(p.held) }()
	for range releaseTries {
		if len(p.held) == 0 {
			break
		}
		err = nil
		p.release.run(p.held, func(_ int, _ Outcome, failed error) { err = first(err, failed) })
		if kept, listErr := p.stillThere(); listErr == nil {
			p.held = kept
		} else {
			err = first(err, listErr)
		}
	}
	if len(p.held) == 0 {
		return 0, nil
	}
	return len(p.held), fmt.Errorf("release %d addresses: %w", len(p.held), first(err, ErrNoAnswer))
}

// stillThere returns the held ones that the kernel lists, in their order.
func (p *Prepared) stillThere() ([]Key, error) {
	held := sorted(p.held)
	there := make([]bool, len(held))
	reset := func() { clear(there) }
	err := p.session.addresses(0, reset, func(a *addressMessage, _ []byte) {
		if i, ok := slices.BinarySearchFunc(held, a.key, compareKeys); ok && a.peer == a.key.Addr {
			there[i] = true
		}
	})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(p.held, func(k Key) bool {
		i, ok := slices.BinarySearchFunc(held, k, compareKeys)
		return !ok || !there[i]
	}), nil
}

// Descriptor returns the socket's descriptor.
func (p *Prepared) Descriptor() int {
	if s, ok := p.session.transport.(*socket); ok {
		return s.fd
	}
	return -1
}

// Close closes the socket.
func (p *Prepared) Close() error { return p.session.transport.close() }

func sorted(keys []Key) []Key {
	s := slices.Clone(keys)
	slices.SortFunc(s, compareKeys)
	return slices.Compact(s)
}

func compareKeys(a, b Key) int {
	switch {
	case a.Index != b.Index:
		return lessMore(a.Index < b.Index)
	case a.Addr != b.Addr:
		return lessMore(string(a.Addr[:]) < string(b.Addr[:]))
	case a.Bits != b.Bits:
		return lessMore(a.Bits < b.Bits)
	}
	return 0
}

func lessMore(less bool) int {
	if less {
		return -1
	}
	return 1
}
