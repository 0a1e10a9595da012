package rtnl

import (
	"slices"
	"sort"

	"wackamole/internal/fmt"
)

// MaxHeld is the most addresses that a Prepared holds, unless its storage is
// another size.
const MaxHeld = 1 << 16

// A Prepared is a release made ready beforehand: an open socket outside the
// runtime's poller, and the keys of the addresses in the order of their
// acquisition, 12 bytes each. Hold and Drop take no memory that is to be
// collected. It is for a guard process with one goroutine and is not safe for
// concurrent use.
type Prepared struct {
	session session
	release releaser
	held    []Key
	batch   [holdBatch]Key // the keys of one call, sorted
	sorting byKey
	known   [holdBatch]bool
}

// holdBatch is how many keys Hold and Drop work off in one pass over what is held.
const holdBatch = 80

// Prepare opens the socket. The keys go into storage, which bounds how many are
// held; MaxHeld, in memory of its own, where it is nil. What is not used of it is
// never touched: it costs address space and no memory.
func Prepare(o Options, storage []Key) (*Prepared, error) {
	s, err := openSocket()
	if err != nil {
		return nil, err
	}
	return newPrepared(s, o, storage), nil
}

func newPrepared(t transport, o Options, storage []Key) *Prepared {
	p := &Prepared{session: session{transport: t}, held: storage[:0]}
	if storage == nil {
		p.held = make([]Key, 0, MaxHeld)
	}
	p.release = newReleaser(&p.session, o)
	return p
}

// Hold remembers addresses. Those held already stay in their place. It fails
// where there is no room for all; those that have room are held then.
func (p *Prepared) Hold(keys []Key) error {
	for part := range slices.Chunk(keys, holdBatch) {
		batch := p.sort(part)
		known := p.known[:len(batch)]
		clear(known)
		for _, k := range p.held {
			if i, ok := slices.BinarySearchFunc(batch, k, compareKeys); ok {
				known[i] = true
			}
		}
		for _, k := range part {
			i, _ := slices.BinarySearchFunc(batch, k, compareKeys)
			if known[i] {
				continue
			}
			if len(p.held) == cap(p.held) {
				return fmt.Errorf("hold %s: more than %d addresses", k, len(p.held))
			}
			known[i] = true
			p.held = append(p.held, k)
		}
	}
	return nil
}

// Drop forgets addresses that were released. A key with Index 0 stands for that
// address on any interface.
func (p *Prepared) Drop(keys []Key) {
	for part := range slices.Chunk(keys, holdBatch) {
		batch := p.sort(part)
		p.held = slices.DeleteFunc(p.held, func(k Key) bool {
			if _, ok := slices.BinarySearchFunc(batch, k, compareKeys); ok {
				return true
			}
			k.Index = 0
			_, ok := slices.BinarySearchFunc(batch, k, compareKeys)
			return ok
		})
	}
}

// sort returns the keys sorted, each once.
func (p *Prepared) sort(keys []Key) []Key {
	batch := append(p.batch[:0], keys...)
	p.sorting = batch
	sort.Sort(&p.sorting)
	return slices.Compact(batch)
}

// Held returns how many addresses are held.
func (p *Prepared) Held() int { return len(p.held) }

// Release removes what is held from the interfaces, in reverse order of
// acquisition, secondaries first, then lists and goes over what is left as long as
// that helps. It returns how many are left in the end: they stay held, for another
// try.
func (p *Prepared) Release() (left int, err error) {
	slices.Reverse(p.held)
	defer func() { slices.Reverse(p.held) }()
	for len(p.held) > 0 {
		err = nil
		p.release.run(p.held, func(_ int, _ Outcome, failed error) { err = first(err, failed) })
		before := len(p.held)
		kept, listErr := p.stillThere()
		if listErr != nil {
			err = first(err, listErr)
			break
		}
		if p.held = kept; len(kept) == before {
			break
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
	b := byKey(s)
	sort.Sort(&b)
	return slices.Compact(s)
}

// byKey sorts. slices.SortFunc would be compiled anew for Key, which is 10 KB;
// by a pointer it takes no memory.
type byKey []Key

func (k *byKey) Len() int           { return len(*k) }
func (k *byKey) Less(i, j int) bool { return compareKeys((*k)[i], (*k)[j]) < 0 }
func (k *byKey) Swap(i, j int)      { (*k)[i], (*k)[j] = (*k)[j], (*k)[i] }

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
