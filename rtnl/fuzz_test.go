package rtnl

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func seed(f *testing.F, rows ...string) {
	for _, r := range rows {
		b, err := hex.DecodeString(strings.ReplaceAll(r, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzAddress(f *testing.F) {
	for _, row := range addressRows {
		seed(f, row.little, row.big)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again addressMessage
		ok, err := a.parse(b)
		if !ok || err != nil {
			return
		}
		// What is written has the kernel's own flags left out, and no NUL can end
		// a label early.
		if ok, err := again.parse(a.append(nil)); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if again.key != a.key || again.peer != a.peer || again.scope != a.scope || again.hasBroadcast != a.hasBroadcast ||
			again.broadcast != a.broadcast || !bytes.Equal(again.label, a.label) {
			t.Fatalf("%+v, then %+v", a, again)
		}
		if a.assigned("eth0").Key() != a.key {
			t.Fatalf("%v is not %v", a.assigned("eth0"), a.key)
		}
	})
}

func FuzzLink(f *testing.F) {
	for _, row := range linkRows {
		seed(f, row.little, row.big)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var l, again Link
		if l.parse(b) != nil {
			return
		}
		if len(l.HardwareAddr) > maxHardwareAddr || len(l.Name) >= unix.IFNAMSIZ || l.Index <= 0 {
			t.Fatalf("out of bounds: %v", l)
		}
		if err := again.parse(appendLink(nil, l)); err != nil || !again.equal(l) {
			t.Fatalf("%v, then %v: %v", l, again, err)
		}
	})
}

func FuzzNeighbour(f *testing.F) {
	for _, row := range neighbourRows {
		seed(f, row.little, row.big)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var n Neighbour
		ok, err := n.parse(b)
		if !ok || err != nil {
			return
		}
		a := n.Addr.As4()
		w := order.AppendUint32([]byte{unix.AF_INET, 0, 0, 0}, uint32(n.Index))
		w = append(order.AppendUint16(w, n.State), 0, 0)
		w = appendAttribute(w, unix.NDA_DST, a[:]...)
		w = appendAttribute(w, unix.NDA_LLADDR, n.HardwareAddr[:]...)
		var again Neighbour
		if ok, err := again.parse(w); !ok || err != nil || again != n {
			t.Fatalf("%v, then %v: %t %v", n, again, ok, err)
		}
	})
}

// rawTransport answers every request with the same datagrams, in which the fuzzer
// has the sequence number as it likes.
type rawTransport struct {
	datagrams [][]byte
	queue     [][]byte
}

func (r *rawTransport) send([]byte) error { r.queue = slices.Clone(r.datagrams); return nil }
func (r *rawTransport) close() error      { return nil }
func (r *rawTransport) receive(b []byte) (int, error) {
	if len(r.queue) == 0 {
		return 0, unix.EAGAIN
	}
	n := copy(b, r.queue[0])
	r.queue = r.queue[1:]
	return n, nil
}

// FuzzAnswers feeds arbitrary datagrams to everything that reads answers. Each
// call must come to an end with one verdict for each address.
func FuzzAnswers(f *testing.F) {
	seed(f,
		"24000000 0200 0001 01000000 00000000 00000000 14000000 1400 0506 01000000 00000000",
		"24000000 0200 0001 02000000 00000000 efffffff 14000000 1400 0506 02000000 00000000",
		"14000000 0300 0200 01000000 00000000 00000000",
		"28000000 1400 0200 02000000 00000000 02200000 02000000 08000200 0a010000 08000100 0a010000 14000000 0300 0200 02000000 00000000 00000000",
		"2c000000 1000 0000 01000000 00000000 00000100 02000000 43100100 00000000 0900 0300 65746830 00000000",
	)
	f.Fuzz(func(t *testing.T, b []byte) {
		half := len(b) / 2
		for _, datagrams := range [][][]byte{{b}, {b[:half], b[half:]}} {
			c := newConn(&rawTransport{datagrams: datagrams}, Options{ConfDir: "/nonexistent"})
			list := many("eth0", 3, 24)
			for _, r := range append(c.Add(list, nil, nil), c.Delete(list)...) {
				if (r.Outcome == Failed) != (r.Err != nil) {
					t.Fatalf("%s with error %v", r.Outcome, r.Err)
				}
			}
			for _, sequence := range []uint32{0, 1, 2, 3} {
				c.session.sequence = sequence
				links, _ := c.Links()
				neighbours, _ := c.Neighbours()
				there, _ := c.Addresses()
				if most := len(b)/unix.SizeofNlMsghdr + 1; len(links) > most || len(neighbours) > most || len(there) > most {
					t.Fatalf("%d, %d, %d entries of %d bytes", len(links), len(neighbours), len(there), len(b))
				}
				settled := 0
				c.session.sequence = sequence
				keys := []Key{list[0].key(2), list[1].key(2)}
				c.release.run(keys, func(_ int, o Outcome, err error) { settled++ })
				if settled != len(keys) {
					t.Fatalf("%d verdicts for %d addresses", settled, len(keys))
				}
			}
			w := &Watcher{links: make(map[int]Link)}
			for rest := b; len(rest) > 0; {
				m, r, err := next(rest)
				if err != nil {
					break
				}
				if e, ok := w.event(m.kind, m.body); ok {
					_ = e.String()
				}
				rest = r
			}
		}
	})
}
