package rtnl

import "testing"

// TestLookUp: the fast way and RTM_GETLINK say the same, or the fast way leaves it
// to the other.
func TestLookUp(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	h.link("eth1")
	h.setUp("eth1", false)
	h.add("eth0", "192.0.2.1/24")
	list := addresses("eth0", "192.0.2.2/24")
	list[0].Label = "eth0:1"
	expectOutcomes(t, h.Add(list, nil, nil), "added")
	s := h.session.transport.(*socket)
	for _, name := range []string{"eth0", "eth1", "lo"} {
		fast, ok := s.lookUp(name)
		slow, err := h.session.link(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !ok || fast.Name != slow.Name || fast.Index != slow.Index || fast.Up != slow.Up {
			t.Errorf("%s: %v (%v), want %v", name, fast, ok, slow)
		}
	}
	for _, name := range []string{"", "eth0:1", "eth0:", ":", "nope0", "a-name-beyond-the-limit"} {
		if l, ok := s.lookUp(name); ok {
			t.Errorf("%q: %v, want nothing", name, l)
		}
	}
}
