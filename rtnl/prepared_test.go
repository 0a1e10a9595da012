package rtnl

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func keysOf(list []Address, index uint32) []Key {
	keys := make([]Key, len(list))
	for i, a := range list {
		keys[i] = a.key(index)
	}
	return keys
}

func TestPreparedHolds12Bytes(t *testing.T) {
	if size := unsafe.Sizeof(Key{}); size != 12 {
		t.Errorf("a key takes %d bytes", size)
	}
}

func TestPreparedHoldAndDrop(t *testing.T) {
	p := newPrepared(&fakeKernel{}, Options{}, nil)
	all := keysOf(many("eth0", 200, 24), 2)
	r := rand.New(rand.NewPCG(3, 4))
	var want []Key
	for range 2000 {
		var some []Key
		for range r.IntN(5) {
			some = append(some, all[r.IntN(len(all))])
		}
		if r.IntN(2) == 0 {
			if err := p.Hold(some); err != nil {
				t.Fatal(err)
			}
			for _, k := range some {
				if !slices.Contains(want, k) {
					want = append(want, k)
				}
			}
		} else {
			p.Drop(some)
			want = slices.DeleteFunc(want, func(k Key) bool { return slices.Contains(some, k) })
		}
		if !slices.Equal(p.held, want) {
			t.Fatalf("%v\nwant %v", p.held, want)
		}
	}
	anywhere := all[0]
	p.Hold([]Key{anywhere})
	anywhere.Index = 0
	p.Drop([]Key{anywhere})
	if slices.Contains(p.held, all[0]) {
		t.Error("dropped on any interface, and still held")
	}
}

func TestPreparedBound(t *testing.T) {
	if p := newPrepared(&fakeKernel{}, Options{}, nil); cap(p.held) != MaxHeld {
		t.Errorf("room for %d addresses in memory of its own, want %d", cap(p.held), MaxHeld)
	}
	const most = 5*holdBatch + 7
	p := newPrepared(&fakeKernel{}, Options{}, make([]Key, most))
	list := keysOf(many("eth0", most, 32), 2)
	if err := p.Hold(list); err != nil {
		t.Fatal(err)
	}
	if err := p.Hold(list[:1]); err != nil {
		t.Errorf("one that is held: %v", err)
	}
	if err := p.Hold([]Key{{Index: 3}}); err == nil || p.Held() != most {
		t.Errorf("holds %d: %v", p.Held(), err)
	}
}

func TestPreparedReleaseRetries(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}}
	k.conf(t.TempDir())
	k.put("eth0", "10.1.0.0/24", "10.1.0.1/24", "10.1.0.200/24")
	p := newPrepared(k, Options{ConfDir: k.confDir}, nil)
	p.Hold(keysOf(many("eth0", 3, 24), 2))
	k.refuse = unix.EPERM
	if left, err := p.Release(); left != 2 || err == nil {
		t.Errorf("%d left, %v", left, err)
	}
	k.refuse = 0
	lost := 0
	k.loseAnswer = func() bool { lost++; return lost%5 == 4 }
	for range 3 {
		if left, err := p.Release(); left == 0 && err == nil {
			break
		}
	}
	if got, want := k.String(), "eth0 eth0 10.1.0.200/24"; got != want || p.Held() != 0 {
		t.Errorf("left: %s, want %s; %d held", got, want, p.Held())
	}
}

func TestKernelPrepared(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, bits := range []int{32, 24, 8} {
		h := newHost(t)
		h.link("eth0")
		h.add("eth0", "10.255.0.1/8")
		p, err := Prepare(Options{}, make([]Key, 1000))
		if err != nil {
			t.Fatal(err)
		}
		list := many("eth0", 1000, bits)
		if left, err := p.Release(); left != 0 || err != nil {
			t.Error(left, err)
		}
		h.Add(list, func(keys []Key) { p.Hold(keys) }, nil)
		if p.Held() != 1000 {
			t.Errorf("holds %d", p.Held())
		}
		h.add("eth0", "10.1.0.254/16") // somebody else's
		if left, err := p.Release(); left != 0 || err != nil {
			t.Error(left, err)
		}
		h.expect("eth0", "eth0:10.255.0.1/8", "eth0:10.1.0.254/16")
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		h.unlink("eth0")
	}
}

func TestKernelKey(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	a := addresses("eth0", "10.0.0.1/24")[0]
	k, err := h.Key(a)
	if err != nil || k != (Key{h.index("eth0"), [4]byte{10, 0, 0, 1}, 24}) {
		t.Error(k, err)
	}
	h.unlink("eth0")
	if k, err = h.Key(a); err == nil {
		t.Error(k)
	}
}

func TestKernelLinksAndNeighbours(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	h.setUp("eth0", false)
	links, err := h.Links()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(links, func(l Link) bool { return l.Name == "eth0" })
	if i < 0 || links[i].Up || links[i].Carrier || links[i].Type != unix.ARPHRD_ETHER || len(links[i].HardwareAddr) != 6 || links[i].Index != int(h.index("eth0")) {
		t.Errorf("%v", links)
	}
	h.setUp("eth0", true)
	neighbour := func(state uint16, addr [4]byte, hardware ...byte) {
		t.Helper()
		b := order.AppendUint32([]byte{unix.AF_INET, 0, 0, 0}, h.index("eth0"))
		b = append(order.AppendUint16(b, state), 0, 0)
		b = appendAttribute(b, unix.NDA_DST, addr[:]...)
		if len(hardware) > 0 {
			b = appendAttribute(b, unix.NDA_LLADDR, hardware...)
		}
		if err := h.request(unix.RTM_NEWNEIGH, unix.NLM_F_CREATE, b); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 1000 {
		neighbour(unix.NUD_PERMANENT, [4]byte{10, 0, byte(n >> 8), byte(n)}, 2, 0, 0, 0, byte(n>>8), byte(n))
	}
	neighbour(unix.NUD_INCOMPLETE, [4]byte{10, 1, 0, 1})
	neighbour(unix.NUD_FAILED, [4]byte{10, 1, 0, 2})
	neighbour(unix.NUD_NOARP, [4]byte{10, 1, 0, 3}, 2, 0, 0, 0, 0, 1)
	list, err := h.Neighbours()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1000 {
		t.Errorf("%d neighbours, want 1000", len(list))
	}
	for _, n := range list {
		a := n.Addr.As4()
		if n.Index != int(h.index("eth0")) || n.HardwareAddr != [6]byte{2, 0, 0, 0, a[2], a[3]} || n.State != unix.NUD_PERMANENT {
			t.Fatalf("%v", n)
		}
	}
}

func TestPreparedTakesNoMemory(t *testing.T) {
	p := newPrepared(&fakeKernel{}, Options{}, nil)
	list := keysOf(many("eth0", 1000, 32), 2)
	if n := testing.AllocsPerRun(10, func() { p.Hold(list); p.Drop(list) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
