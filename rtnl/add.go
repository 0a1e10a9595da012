package rtnl

import (
	"errors"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// firstChunk is the size of the first chunk of additions, and how many times as large
// each is as the one before: so small that the network hears of the first address at
// once, and so large that there are few chunks, for after each the caller announces,
// which costs as much as ten addresses.
const firstChunk = 8

// lostTries is how often a chunk whose answers were lost is sent again, as far
// as the list shows that it had no effect.
const lostTries = 3

// Add adds addresses to their interfaces and returns a result for each, in
// the order given. An interface that is down takes addresses too (see
// Result.Down).
//
// before, where it is not nil, is called once, with the keys of all that are
// there or about to be sent, before the kernel gets any: so that a guard knows
// of an address before it exists.
//
// acked, where it is not nil, is called after each chunk with the next addresses
// and their results, so that they can be announced while the kernel works on. The
// first chunks are short ones.
func (c *Conn) Add(addresses []Address, before func([]Key), acked func([]Address, []Result)) []Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := adder{session: &c.session, addresses: addresses, results: make([]Result, len(addresses))}
	a.resolve()
	a.compare()
	if before != nil {
		keys := make([]Key, 0, len(addresses))
		for i := range a.results {
			if a.results[i].Err == nil {
				keys = append(keys, a.results[i].Key)
			}
		}
		before(keys)
	}
	size := firstChunk
	for from := 0; from < len(addresses); {
		to := a.send(from, size)
		if acked != nil {
			acked(addresses[from:to], a.results[from:to])
		}
		from, size = to, min(firstChunk*size, chunk)
	}
	return a.results
}

// Key returns what the kernel would tell the address by, or an error that is
// ErrNoInterface where its interface is missing.
func (c *Conn) Key(a Address) (Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := a.check(); err != nil {
		return Key{}, err
	}
	l, err := c.session.link(a.Interface, 0)
	if err != nil {
		return Key{}, fmt.Errorf("find %s: %w", a.Interface, err)
	}
	return a.key(uint32(l.Index)), nil
}

func (a Address) key(index uint32) Key {
	return Key{Index: index, Addr: a.Prefix.Addr().As4(), Bits: uint8(a.Prefix.Bits())}
}

// An adder is one call of Add. A result is open as long as it has neither an
// outcome nor an error.
type adder struct {
	session   *session
	addresses []Address
	results   []Result
	errnos    [chunk]unix.Errno
	sent      [chunk]int // message -> address
}

func (a *adder) open(i int) bool { return a.results[i].Outcome == Failed && a.results[i].Err == nil }

func (a *adder) operation(i int) string {
	return fmt.Sprintf("add %s to %s", a.addresses[i].Prefix, a.addresses[i].Interface)
}

// resolve finds the interfaces, asking once for each run of the same name.
func (a *adder) resolve() {
	find := finder{session: a.session}
	for i, address := range a.addresses {
		err := address.check()
		var l Link
		if err == nil {
			l, err = find.link(address.Interface)
		}
		if err != nil {
			a.results[i].Err = fmt.Errorf("%s: %w", a.operation(i), err)
			continue
		}
		a.results[i].Key = address.key(uint32(l.Index))
		a.results[i].Down = !l.Up
	}
}

// compare settles what is there already, with the same prefix or another one, by
// one listing. The kernel would take a second prefix beside the first without
// complaint. A listing that does not come off is no reason not to add.
func (a *adder) compare() {
	wanted := make(map[[4]byte]int32, len(a.addresses))
	for i := range a.results {
		if !a.open(i) {
			continue
		}
		key := a.results[i].Key
		if j, twice := wanted[key.Addr]; !twice {
			wanted[key.Addr] = int32(i)
		} else if other := a.results[j].Key; other != key {
			a.conflict(i, other)
		}
	}
	var settled []int
	reset := func() {
		for _, i := range settled {
			a.results[i].Outcome, a.results[i].Err = Failed, nil
		}
		settled = settled[:0]
	}
	_ = a.session.addresses(0, reset, func(m *addressMessage, _ []byte) {
		j, ok := wanted[m.key.Addr]
		if !ok {
			return
		}
		i := int(j)
		switch {
		case m.key == a.results[i].Key && m.peer == m.key.Addr:
			a.results[i].Outcome, a.results[i].Err = AlreadyThere, nil
		case a.open(i):
			a.conflict(i, m.key)
		default:
			return
		}
		settled = append(settled, i)
	})
}

// conflict settles address i, which exists as other.
func (a *adder) conflict(i int, other Key) {
	kind, advice := ErrExistsOtherPrefix, "remove that one, or give the same prefix length"
	if other.Index != a.results[i].Key.Index {
		kind, advice = ErrExistsElsewhere, "remove that one, or name that interface"
	}
	a.results[i].Err = fmt.Errorf("%s: %w (%s): %s", a.operation(i), kind, other, advice)
}

// send sends the open ones of the addresses from from on, at most size messages,
// and settles them. It returns where the next chunk begins.
func (a *adder) send(from, size int) (to int) {
	count := 0
	for to = from; to < len(a.addresses) && count < size; to++ {
		if a.open(to) {
			a.sent[count] = to
			count++
		}
	}
	for range lostTries {
		if count == 0 {
			return to
		}
		err := a.session.exchange(count, a.errnos[:], a.put)
		lost := errors.Is(err, errLost)
		for n, i := range a.sent[:count] {
			switch errno := a.errnos[n]; {
			case err != nil && !lost:
				a.results[i].Err = fmt.Errorf("%s: %w", a.operation(i), err)
			case errno == unix.EEXIST:
				a.results[i].Outcome = AlreadyThere
			case errno != 0:
				a.results[i].Err = fail(a.operation(i), errno)
			case !lost:
				a.results[i].Outcome = Added
			}
		}
		if lost {
			a.judge(a.sent[:count])
		}
		left := 0
		for _, i := range a.sent[:count] {
			if a.open(i) {
				a.sent[left] = i
				left++
			}
		}
		count = left
	}
	for _, i := range a.sent[:count] {
		a.results[i].Err = fail(a.operation(i), unix.ENOBUFS)
	}
	return to
}

// judge settles as added what the kernel's list has of the open ones.
func (a *adder) judge(sent []int) {
	wanted := make(map[Key]int, len(sent))
	for _, i := range sent {
		if a.open(i) {
			wanted[a.results[i].Key] = i
		}
	}
	there := make([]int, 0, len(sent))
	reset := func() { there = there[:0] }
	err := a.session.addresses(0, reset, func(m *addressMessage, _ []byte) {
		if i, ok := wanted[m.key]; ok {
			there = append(there, i)
		}
	})
	if err != nil {
		return
	}
	for _, i := range there {
		a.results[i].Outcome = Added
	}
}

// put appends the request for message n.
func (a *adder) put(b []byte, n int, flags uint16, sequence uint32) []byte {
	i := a.sent[n]
	address := &a.addresses[i]
	m := addressMessage{key: a.results[i].Key, peer: a.results[i].Key.Addr, label: []byte(address.Label)}
	m.broadcast, m.hasBroadcast = address.broadcast()
	start := len(b)
	b = begin(b, unix.RTM_NEWADDR, flags|unix.NLM_F_CREATE|unix.NLM_F_EXCL, sequence)
	return finish(m.append(b), start)
}

// A finder asks for an interface's index once for each run of the same name, and
// whether it is up.
type finder struct {
	session *session
	name    string
	last    Link
	err     error
}

// A lookUpper is a transport that knows a faster way to what a finder wants.
type lookUpper interface {
	lookUp(name string) (Link, bool)
}

func (f *finder) link(name string) (Link, error) {
	if name != f.name || name == "" {
		f.name, f.err = name, nil
		if t, ok := f.session.transport.(lookUpper); ok {
			if f.last, ok = t.lookUp(name); ok {
				return f.last, nil
			}
		}
		f.last, f.err = f.session.link(name, 0)
	}
	return f.last, f.err
}
