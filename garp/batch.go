package garp

import (
	"net/netip"
	"slices"
)

// batchSize is how many frames one system call takes at most. It bounds how
// long Withdraw waits and how far list work can be ahead of an announcement;
// larger batches gained nothing measurable.
const batchSize = 64

// An address is a virtual address with something left to send.
type address struct {
	ip      [4]byte
	network block
	link    *link
	owner   *virtual
	// withdrawn: nothing of it may leave any more, and it is in no queue but,
	// at most, the batch being sent at this moment.
	withdrawn bool
}

// A virtual is an announced virtual interface with something left to send.
type virtual struct {
	key       netip.Addr
	addresses []address
	pending   int // bursts, lanes and frames built that hold one of the addresses
}

// A batch is frames for one interface, built and ready to be sent together.
type batch struct {
	link   *link
	kind   int // announcement or notification
	frames [][]byte
	owners []*address // of each frame
	arena  []byte     // what frames point into; never grows beyond its capacity
}

func newBatch() *batch {
	return &batch{
		frames: make([][]byte, 0, batchSize),
		owners: make([]*address, 0, batchSize),
		arena:  make([]byte, 0, batchSize*ARPFrameSize),
	}
}

// reset empties b for frames to l.
func (b *batch) reset(l *link, kind int) {
	clear(b.owners) // they are garbage as soon as nothing else holds them
	b.link, b.kind = l, kind
	b.frames, b.owners, b.arena = b.frames[:0], b.owners[:0], b.arena[:0]
}

// hasWithdrawn tells whether b holds a frame of an address that was withdrawn.
func (b *batch) hasWithdrawn() bool {
	return slices.ContainsFunc(b.owners, func(a *address) bool { return a.withdrawn })
}

// room is the number of frames that b has room for.
func (b *batch) room() int { return batchSize - len(b.frames) }

// added notes that a frame of owner was appended to the arena. Until the frame
// is sent or dropped, it counts as pending.
func (b *batch) added(owner *address, arena []byte) {
	owner.owner.pending++
	b.append(owner, arena)
}

func (b *batch) append(owner *address, arena []byte) {
	b.frames = append(b.frames, arena[len(b.arena):])
	b.owners = append(b.owners, owner)
	b.arena = arena
}

// announce adds a default announcement in one of its two forms.
func (b *batch) announce(a *address, reply bool) {
	if reply {
		b.added(a, AppendGratuitousReply(b.arena, a.link.addr, a.ip))
	} else {
		b.added(a, AppendAnnouncement(b.arena, a.link.addr, a.ip))
	}
}

// maxSet is the number of frames of the largest packet set.
const maxSet = 5

// notify adds the packet set of one target, at most maxSet frames.
func (b *batch) notify(a *address, t target) {
	const times = 2 // the original sends each reply twice
	for range times {
		b.added(a, AppendNotification(b.arena, a.link.addr, a.ip, Broadcast, t.ip))
	}
	to := Broadcast
	if t.known {
		to = t.link
		for range times {
			b.added(a, AppendNotification(b.arena, a.link.addr, a.ip, t.link, t.ip))
		}
	}
	if t.ping {
		b.added(a, AppendEcho(b.arena, Echo{Destination: to, Source: a.link.addr, From: a.ip, To: t.ip}))
	}
}

// rest returns a copy of the frames from the n-th on whose addresses have not
// been withdrawn, nil if there are none.
func (b *batch) rest(n int) *batch {
	var left *batch
	for i, owner := range b.owners[n:] {
		if owner.withdrawn {
			continue
		}
		if left == nil {
			left = newBatch()
			left.reset(b.link, b.kind)
		}
		left.append(owner, append(left.arena, b.frames[n+i]...))
	}
	return left
}
