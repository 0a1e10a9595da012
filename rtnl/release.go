package rtnl

import (
	"errors"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// A releaser removes addresses by their keys, for a Conn and for a Prepared.
type releaser struct {
	session *session
	confDir string
	notice  func(string)
}

func newReleaser(s *session, o Options) releaser {
	r := releaser{session: s, confDir: o.ConfDir, notice: o.Notice}
	if r.confDir == "" {
		r.confDir = confDir
	}
	if r.notice == nil {
		r.notice = func(string) {}
	}
	return r
}

// run removes the addresses and calls settle once for each, with its position in
// keys. An error is ErrExistsOtherPrefix, an errno or a socket's.
//
// An address with /32 is alone in its subnet. Where there are only such, nothing
// is listed beforehand, and the system calls are two for each chunk.
func (r *releaser) run(keys []Key, settle func(i int, o Outcome, err error)) {
	batch := removal{releaser: r, keys: keys, settle: settle}
	alone := true
	for _, k := range keys {
		alone = alone && k.Bits == 32
	}
	if alone {
		for i := range keys {
			batch.steps = append(batch.steps, step{key: int32(i)})
		}
	} else {
		batch.plan()
	}
	for from := 0; from < len(batch.steps); {
		from = batch.send(from)
	}
	batch.explain()
}

// plan lists once and decides on the order.
func (b *removal) plan() {
	s := newSurvey(b.keys)
	index := b.keys[0].Index
	for _, k := range b.keys {
		if k.Index != index {
			index = 0
			break
		}
	}
	if err := b.session.addresses(index, s.reset, s.see); err != nil {
		b.planBlind()
		return
	}
	b.listed = true
	for i, found := range s.found {
		switch {
		case found&isDuplicate != 0 || found == 0:
			b.settle(i, AlreadyGone, nil)
		case found&isThere == 0:
			b.settle(i, Failed, ErrExistsOtherPrefix)
		}
	}
	b.steps = s.steps(func(index uint32, hanging []orphan) bool {
		return b.promote(index, fmt.Sprintf("%s depends on an address that is removed", hanging[0].key.prefix()))
	})
	b.raw = s.raw
}

// planBlind is the way without a list: what was added last hangs on what was
// added first, so go backwards, and protect the others as well as can be. Two
// holders of an address are worse.
func (b *removal) planBlind() {
	done := make(map[uint32]bool)
	for i := len(b.keys) - 1; i >= 0; i-- {
		if k := b.keys[i]; k.Bits < 32 && !done[k.Index] {
			done[k.Index] = true
			b.promote(k.Index, "its addresses cannot be listed")
		}
		b.steps = append(b.steps, step{key: int32(i)})
	}
}

// promote sees to it that secondaries outlive their primary on the interface.
func (r *releaser) promote(index uint32, why string) bool {
	l, err := r.session.link("", index)
	if err != nil {
		return false
	}
	changed, err := promote(r.confDir, l.Name)
	switch {
	case err != nil:
		r.notice(fmt.Sprintf("set promote_secondaries of %s: %v (%s): addresses that go with it are put back at once", l.Name, err, why))
		return false
	case changed:
		r.notice(fmt.Sprintf("set promote_secondaries of %s to 1: %s", l.Name, why))
	}
	return true
}

// nameOf returns the interface's name for a person to read.
func (r *releaser) nameOf(index uint32) string {
	l, err := r.session.link("", index)
	if err != nil {
		return fmt.Sprintf("interface %d", index)
	}
	return l.Name
}

// A step is one message of a removal.
type step struct {
	// key is the position of the key to remove, or -1 to put an address back.
	key int32
	// orphan is the address to put back.
	orphan orphan
}

// A removal is one call of run.
type removal struct {
	*releaser
	keys   []Key
	settle func(i int, o Outcome, err error)
	steps  []step
	raw    []byte // bodies of the addresses to put back
	listed bool
	unsure []int32 // gone, or there with another prefix
	errnos [chunkMost]unix.Errno
}

// send sends a chunk of steps and settles it. It returns where the next begins: a
// primary and what is put back after it are not divided if that can be helped.
func (b *removal) send(from int) (to int) {
	to = min(from+chunk, len(b.steps))
	for to < len(b.steps) && b.steps[to].key < 0 && to-from < chunkMost {
		to++
	}
	steps := b.steps[from:to]
	for range lostTries {
		err := b.session.exchange(len(steps), b.errnos[:], func(out []byte, i int, flags uint16, sequence uint32) []byte {
			return b.put(out, steps[i], flags, sequence)
		})
		var unknown []step
		for i, st := range steps {
			switch {
			case err != nil && err != errLost:
				b.finish(st, err)
			case err == errLost && b.errnos[i] == 0:
				unknown = append(unknown, st)
			case b.errnos[i] != 0:
				b.finish(st, b.errnos[i])
			default:
				b.finish(st, nil)
			}
		}
		if steps = b.judge(unknown); len(steps) == 0 {
			return to
		}
	}
	for _, st := range steps {
		b.finish(st, unix.ENOBUFS)
	}
	return to
}

// judge settles the steps that the kernel's list shows to have had their effect
// and returns the others.
func (b *removal) judge(unknown []step) (left []step) {
	if len(unknown) == 0 {
		return nil
	}
	there := make(map[Key]bool, len(unknown))
	reset := func() {
		for _, st := range unknown {
			there[b.keyOf(st)] = false
		}
	}
	reset()
	err := b.session.addresses(0, reset, func(a *addressMessage, _ []byte) {
		if _, ok := there[a.key]; ok {
			there[a.key] = true
		}
	})
	for _, st := range unknown {
		if removes := st.key >= 0; err == nil && there[b.keyOf(st)] != removes {
			b.finish(st, nil)
		} else {
			left = append(left, st)
		}
	}
	return left
}

func (b *removal) keyOf(st step) Key {
	if st.key < 0 {
		return st.orphan.key
	}
	return b.keys[st.key]
}

// finish settles a step by its answer.
func (b *removal) finish(st step, err error) {
	if st.key < 0 {
		switch prefix := st.orphan.key.prefix(); err {
		case nil, unix.EEXIST:
			b.notice(fmt.Sprintf("put %s back on %s, which went with its primary address", prefix, b.nameOf(st.orphan.key.Index)))
		default:
			b.notice(fmt.Sprintf("put %s back on %s: %v: add it by hand", prefix, b.nameOf(st.orphan.key.Index), err))
		}
		return
	}
	i := int(st.key)
	switch {
	case err == nil:
		b.settle(i, Removed, nil)
	case err == unix.ENODEV, err == unix.EADDRNOTAVAIL && b.listed:
		b.settle(i, AlreadyGone, nil)
	case err == unix.EADDRNOTAVAIL:
		b.unsure = append(b.unsure, st.key)
	default:
		b.settle(i, Failed, err)
	}
}

// explain tells "gone" from "there with another prefix", which the kernel answers
// alike, by one listing.
func (b *removal) explain() {
	if len(b.unsure) == 0 {
		return
	}
	other := make(map[Key]bool, len(b.unsure))
	host := func(k Key) Key { return Key{Index: k.Index, Addr: k.Addr} }
	reset := func() {
		for _, i := range b.unsure {
			other[host(b.keys[i])] = false
		}
	}
	reset()
	// Where the list cannot be had, the kernel's word is that it is not there.
	_ = b.session.addresses(0, reset, func(a *addressMessage, _ []byte) {
		if _, ok := other[host(a.key)]; ok {
			other[host(a.key)] = true
		}
	})
	for _, i := range b.unsure {
		if other[host(b.keys[i])] {
			b.settle(int(i), Failed, ErrExistsOtherPrefix)
		} else {
			b.settle(int(i), AlreadyGone, nil)
		}
	}
}

// put appends the request for a step.
func (b *removal) put(out []byte, st step, flags uint16, sequence uint32) []byte {
	start := len(out)
	if st.key < 0 {
		// The body as the kernel listed it: all attributes, flags and lifetimes.
		out = begin(out, unix.RTM_NEWADDR, flags|unix.NLM_F_CREATE|unix.NLM_F_EXCL, sequence)
		out = append(out, b.raw[st.orphan.from:st.orphan.to]...)
		return finish(out, start)
	}
	k := b.keys[st.key]
	out = begin(out, unix.RTM_DELADDR, flags, sequence)
	return finish(addressMessage{key: k, peer: k.Addr}.append(out), start)
}

// failDelete words an error of run.
func failDelete(operation string, err error) error {
	var errno unix.Errno
	switch {
	case errors.Is(err, ErrExistsOtherPrefix):
		return fmt.Errorf("%s: %w: it is not ours to remove", operation, err)
	case errors.As(err, &errno):
		return fail(operation, errno)
	}
	return fmt.Errorf("%s: %w", operation, err)
}
