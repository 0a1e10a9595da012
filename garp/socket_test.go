package garp

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func newSockets(t testing.TB) *Sockets {
	s := NewSockets()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// What an Announcer sends is seen byte for byte at the other end of a wire, in
// one system call a batch and in one a frame.
func TestOnTheWire(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t)
	in := w.listen(right)
	for _, single := range []bool{false, true} {
		sockets := newSockets(t)
		sockets.single = single
		a := New(sockets, t.Logf)
		a.Configure(Config{
			Notify:   []NotifyEntry{{Interface: left, Block: prefix("10.0.0.8/31"), Ping: true}, {ARPCache: true, Ping: true}},
			Networks: []netip.Prefix{prefix("10.0.0.0/24")},
		})
		a.MergePool([]Neighbour{{ip("10.0.0.9"), other}})
		a.Announce([]VirtualInterface{vif(left+":10.0.0.5", "lo:127.0.0.5", "none0:10.0.0.6"), vif(left + ":10.0.0.7")}, false)

		from := w.addr(left)
		five, seven, eight, nine := [4]byte{10, 0, 0, 5}, [4]byte{10, 0, 0, 7}, [4]byte{10, 0, 0, 8}, [4]byte{10, 0, 0, 9}
		want := [][]byte{
			AppendAnnouncement(nil, from, five),
			AppendAnnouncement(nil, from, seven),
			AppendGratuitousReply(nil, from, five),
			AppendGratuitousReply(nil, from, seven),
		}
		for _, vip := range [][4]byte{five, seven} {
			for _, target := range [][4]byte{eight, nine} {
				tell := AppendNotification(nil, from, vip, Broadcast, target)
				want = append(want, tell, tell, AppendEcho(nil, Echo{Broadcast, from, vip, target}))
			}
			tell := AppendNotification(nil, from, vip, Broadcast, nine)
			tellThere := AppendNotification(nil, from, vip, other, nine)
			want = append(want, tell, tell, tellThere, tellThere, AppendEcho(nil, Echo{other, from, vip, nine}))
		}
		for i, frame := range want {
			if got := in.next(from); string(got) != string(frame) {
				t.Errorf("single %v, frame %d:\n%s\nwant\n%s", single, i, hex.Dump(got), hex.Dump(frame))
			}
		}
		a.Withdraw([]netip.Addr{ip("10.0.0.5"), ip("10.0.0.7")})
		a.Close()
		if s := a.Stats(); s.Announcements != 4 || s.Notifications != 22 || s.Dropped != 2 || s.Pending != 0 {
			t.Errorf("single %v: counters %+v", single, s)
		}
	}
}

// The kernel as judge: each form of announcement alone makes it learn the
// address, and it answers the ping.
func TestKernelUnderstands(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t)
	w.setting("ipv4/conf/"+right+"/arp_accept", "1")
	w.address(prefix("10.0.0.1/24"))
	from, to := w.addr(left), w.addr(right)
	sockets := newSockets(t)
	if addr, err := sockets.Link(left); err != nil || addr != from {
		t.Fatalf("%s at %v, %v; want %v", left, addr, err, from)
	}
	send := func(frame []byte) {
		t.Helper()
		if n, err := sockets.Send(left, [][]byte{frame}); n != 1 || err != nil {
			t.Fatalf("%d frames sent: %v", n, err)
		}
	}
	learnt := func(addr string) func() bool {
		return func() bool {
			table, err := os.ReadFile("/proc/self/net/arp")
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(table)) {
				if f := strings.Fields(line); f[0] == addr {
					return f[3] == from.String()
				}
			}
			return false
		}
	}
	send(AppendAnnouncement(nil, from, [4]byte{10, 0, 0, 5}))
	await(t, "an entry by the request", learnt("10.0.0.5"))
	send(AppendGratuitousReply(nil, from, [4]byte{10, 0, 0, 6}))
	await(t, "an entry by the reply", learnt("10.0.0.6"))

	in := w.listen(left)
	send(AppendEcho(nil, Echo{to, from, [4]byte{10, 0, 0, 5}, [4]byte{10, 0, 0, 1}}))
	answer := in.next(to)
	const want = "10.0.0.1 10.0.0.5 type 0 number fefe fefe"
	if len(answer) < EchoFrameSize || answer[12] != 8 {
		t.Fatalf("answer %x", answer)
	}
	got := fmt.Sprintf("%v %v type %d number %x %x", netip.AddrFrom4([4]byte(answer[26:])), netip.AddrFrom4([4]byte(answer[30:])), answer[34], answer[38:40], answer[40:42])
	check(t, "answer to the ping", want, got)
}

// Link tells how an interface is at this moment.
func TestLink(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t)
	sockets := newSockets(t)
	frame := [][]byte{AppendAnnouncement(nil, ours, [4]byte{10, 0, 0, 5})}
	look := func(want error) LinkAddr {
		t.Helper()
		addr, err := sockets.Link(left)
		if !errors.Is(err, want) {
			t.Fatalf("look at %s: %v, want %v", left, err, want)
		}
		return addr
	}
	sends := func(want error) {
		t.Helper()
		before := 0
		if want == nil {
			before = w.received(right)
		}
		if _, err := sockets.Send(left, frame); !errors.Is(err, want) {
			t.Fatalf("send on %s: %v, want %v", left, err, want)
		}
		if want == nil {
			await(t, "the frame", func() bool { return w.received(right) > before })
		}
	}

	sends(unix.ENODEV) // not looked at
	look(nil)
	sends(nil)
	w.setAddr(left, other)
	if addr := look(nil); addr != other {
		t.Errorf("another link-layer address was given: %v, want %v", addr, other)
	}
	w.set(left, false)
	look(unix.ENETDOWN)
	sends(unix.ENETDOWN)
	w.set(left, true)
	w.running()
	look(nil)
	sends(nil)

	// Removed, and made anew under another number.
	w.remove()
	sends(unix.ENXIO)
	look(unix.ENODEV)
	w.create()
	look(nil)
	sends(nil)
	w.remove()
	w.create()
	look(nil)
	sends(nil)

	w.remove()
	for name, want := range map[string]error{"lo": ErrNoARP, left: unix.ENODEV, "": unix.ENODEV} {
		if _, err := sockets.Link(name); !errors.Is(err, want) {
			t.Errorf("look at %q: %v, want %v", name, err, want)
		}
	}
	if _, err := sockets.Link("a-name-of-16-char"); err == nil || !strings.Contains(err.Error(), "longer than 15 characters") {
		t.Errorf("a long name: %v", err)
	}
}

// Four thousand addresses at once lose no frame on their way to the wire.
func TestManyOnTheWire(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	w := newWire(t)
	a := New(newSockets(t), t.Logf)
	defer a.Close()
	before := w.received(right)
	a.Announce(vifs(left, "10.0.0.1", 4000, 8), false)
	await(t, "8,000 frames", func() bool { return a.Stats().Announcements >= 8000 })
	await(t, "their arrival", func() bool { return w.received(right)-before >= 8000 })
	if s := a.Stats(); s.Dropped != 0 {
		t.Errorf("counters %+v", s)
	}
}
