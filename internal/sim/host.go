package sim

import (
	"maps"
	"net/netip"
)

// host is a machine with its kernel.
type host struct {
	number    int
	address   netip.Addr
	component *component
	process   *member

	wanted map[netip.Addr]bool // what the process wants the kernel to hold
	kernel map[netip.Addr]bool // what it holds
}

// apply makes the kernel hold what is wanted. Now and then the operations of an
// event fail; they are tried again later, and in the end they work.
func (w *World) apply(h *host) {
	if s := w.script; s.Faulty > 0 && !w.resting && w.serial%uint64(s.Faulty) == 0 {
		return
	}
	for a := range h.kernel {
		if !h.wanted[a] {
			delete(h.kernel, a)
		}
	}
	maps.Copy(h.kernel, h.wanted)
}
