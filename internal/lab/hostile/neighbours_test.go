package hostile

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"wackamole/alloc"
	"wackamole/internal/lab"
)

// ARP caches of a liar reach the pool only where an address is one of the networks of the virtual interfaces and
// its link-layer address is one host's. What is in the pool is told of take-overs, which is all that comes of it.
func TestNeighbours(t *testing.T) {
	x := newTarget(t, balanceAll)
	network := netip.MustParsePrefix("10.77.0.0/24")
	m := x.join(nodes, Last)
	Answer(m, lab.HostAddress(1), x.fingerprint)
	x.settle()
	before, memory := x.metrics(3), x.memory(3)
	x.watch()
	frames := Neighbours(network.Addr())
	for range 10 {
		for _, f := range frames {
			must(t, m.Send(f))
		}
	}
	var malformed []Lie
	for range 10 {
		malformed = append(malformed, Lie{Reason: alloc.Malformed})
	}
	x.rejections(3, before, malformed)
	x.untouched("while it lies about its neighbours")
	if more := x.memory(3) - memory; more > 16<<10 {
		t.Errorf("memory of node 3 grew by %d KiB", more)
	}

	var mu sync.Mutex
	told := make(map[netip.Addr]int)
	x.Lab.Switch.Tap(func(port int, _ time.Time, frame []byte) bool {
		if len(frame) < 42 || binary.BigEndian.Uint16(frame[12:]) != 0x0806 {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if [6]byte(frame) != [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} {
			told[netip.AddrFrom4([4]byte(frame[38:]))]++
			if frame[0]&1 != 0 {
				t.Errorf("node %d sent to the group %x", port, frame[:6])
			}
		}
		return false
	})
	_, err := x.Node(2).Stop(syscall.SIGTERM)
	must(t, err)
	x.settle()
	last := -1.0
	x.until("nothing more is sent", func() bool {
		now := x.metrics(1)["wackamole_notifications_total"] + x.metrics(3)["wackamole_notifications_total"]
		same := now == last && now > 0
		last = now
		time.Sleep(200 * time.Millisecond)
		return same
	})
	mu.Lock()
	defer mu.Unlock()
	for a := range told {
		if !network.Contains(a) && a != netip.IPv4Unspecified() { // the prober's is 0.0.0.0
			t.Errorf("%v was told, which is in no network of ours", a)
		}
	}
	t.Logf("%d hosts told", len(told))
	if len(told) < 200 {
		t.Error("the pool did not take what it may take: this test shows nothing")
	}
}
