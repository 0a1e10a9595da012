package rtnl

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// expectEvent waits for an event that begins with want, and lets those pass that
// begin with one of skip.
func expectEvent(t *testing.T, w *Watcher, want string, skip ...string) Event {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e, ok := <-w.Events():
			if !ok {
				t.Fatalf("ended while waiting for %q", want)
			}
			if strings.HasPrefix(e.String(), want) {
				return e
			}
			passed := false
			for _, s := range skip {
				passed = passed || strings.HasPrefix(e.String(), s)
			}
			if !passed {
				t.Fatalf("event %q, want %q", e, want)
			}
		case <-deadline:
			t.Fatalf("no event %q", want)
		}
	}
}

func TestKernelWatch(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t) // ours
	other := newHost(t)
	other.link("eth1")
	w, err := h.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()

	// Another one's changes are reported, with the interface known from before.
	expectOutcomes(t, other.Add(addresses("eth1", "192.0.2.1/24"), nil, nil), "added")
	expectEvent(t, w, "address new eth1:192.0.2.1/24", "link changed")
	// Ours are not: the next event is the other's.
	expectOutcomes(t, h.Add(addresses("eth1", "192.0.2.2/24"), nil, nil), "added")
	expectOutcomes(t, h.Delete(addresses("eth1", "192.0.2.2/24")), "removed")
	expectOutcomes(t, other.Delete(addresses("eth1", "192.0.2.1/24")), "removed")
	expectEvent(t, w, "address gone eth1:192.0.2.1/24", "link changed")

	other.link("eth0")
	e := expectEvent(t, w, "link new", "link changed")
	for e.Link.Name != "eth0" { // the other end of a pair
		e = expectEvent(t, w, "link new", "link changed")
	}
	other.setUp("eth0", false)
	for e.Kind != LinkChanged || e.Link.Name != "eth0" || !e.Was.Up || e.Link.Up {
		e = expectEvent(t, w, "link changed", "link new")
	}
	other.setUp("eth0", true)
	for e.Kind != LinkChanged || e.Link.Name != "eth0" || e.Was.Up || !e.Link.Up {
		e = expectEvent(t, w, "link changed")
	}
	other.unlink("eth0")
	for e.Kind != LinkGone || e.Link.Name != "eth0" {
		e = expectEvent(t, w, "link gone", "link changed")
	}
}

// More changes than the socket holds while nobody reads: Lost, and it goes on.
func TestKernelWatchOverflow(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	other := newHost(t)
	other.link("eth0")
	w, err := h.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	// The smallest buffer, so that few changes are enough.
	raw, err := w.conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1) })
	if err != nil {
		t.Fatal(err)
	}
	list := many("eth0", 500, 32)
	other.Add(list, nil, nil)
	for lost := false; !lost; {
		lost = expectEvent(t, w, "", "").Kind == Lost
	}
	other.Delete(list[:1])
	for {
		e := expectEvent(t, w, "")
		if e.Kind == AddressGone && e.Address.Prefix == list[0].Prefix {
			break
		}
		if e.Kind == Lost { // the buffer may have been full still
			other.Add(list[:1], nil, nil)
			other.Delete(list[:1])
		}
	}
}

func TestKernelWatchClose(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	other := newHost(t)
	other.link("eth0")
	w, err := h.Watch()
	if err != nil {
		t.Fatal(err)
	}
	// Also while its goroutine waits for a reader.
	other.Add(many("eth0", 500, 32), nil, nil)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	for range w.Events() { // what was queued; then it is closed
	}
	_ = w.Close()
}

func TestWatcherEvent(t *testing.T) {
	w := &Watcher{links: map[int]Link{2: linkRows[0].link}}
	body := appendLink(nil, linkRows[0].link)
	if e, ok := w.event(unix.RTM_NEWLINK, body); ok {
		t.Errorf("nothing changed, but %s", e)
	}
	wireless := appendAttribute(body[:16:16], 11, 1, 2, 3, 4)
	if e, ok := w.event(unix.RTM_NEWLINK, wireless); ok {
		t.Errorf("a wireless event became %s", e)
	}
	bridge := append([]byte{unix.AF_BRIDGE}, body[1:]...)
	if e, ok := w.event(unix.RTM_DELLINK, bridge); ok {
		t.Errorf("leaving a bridge became %s", e)
	}
	if e, ok := w.event(unix.RTM_DELLINK, body); !ok || e.Kind != LinkGone || e.Link.Name != "eth0" {
		t.Errorf("%s %t", e, ok)
	}
	if e, ok := w.event(unix.RTM_NEWLINK, body); !ok || e.String() != "link new 2 eth0 02:00:00:00:00:01 up" {
		t.Errorf("%s %t", e, ok)
	}
}
