package rtnl

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestLabels(t *testing.T) {
	var l Labels
	next := func(name, want string) {
		t.Helper()
		if got := l.Next(name); got != want {
			t.Errorf("next of %s: %q, want %q", name, got, want)
		}
	}
	// The bare name where there is no address at all, then from 1 on.
	next("eth0", "eth0")
	next("eth0", "eth0:1")
	next("eth0", "eth0:2")
	next("eth1", "eth1")
	// The lowest free one.
	next("eth0", "eth0:3")
	l.Removed("eth0", "eth0:2")
	l.Removed("eth0", "eth0:1")
	next("eth0", "eth0:1")
	next("eth0", "eth0:2")
	next("eth0", "eth0:4")
	// What others use; 0 is not handed out, nor in the way, nor are other names.
	l.Reset([]Assigned{
		{Address: Address{Interface: "eth0", Label: "eth0:0"}},
		{Address: Address{Interface: "eth0", Label: "eth0:1"}},
		{Address: Address{Interface: "eth0", Label: "eth0:3"}},
		{Address: Address{Interface: "eth0", Label: "eth0:04"}},
		{Address: Address{Interface: "eth0", Label: "eth0:99999999999999999999"}},
		{Address: Address{Interface: "eth0", Label: "eth1:2"}},
		{Address: Address{Interface: "eth1", Label: ""}},
	})
	next("eth0", "eth0:2")
	next("eth0", "eth0:4")
	next("eth1", "eth1:1")
	// All gone: bare again.
	l.Removed("eth1", "eth1:1")
	l.Removed("eth1", "")
	l.Removed("eth1", "eth1:1")
	next("eth1", "eth1")
	// A label of 15 characters fits, one of 16 does not.
	next("abcdefghijklm", "abcdefghijklm")
	next("abcdefghijklm", "abcdefghijklm:1")
	next("abcdefghijklmn", "abcdefghijklmn")
	next("abcdefghijklmn", "")
	next("abcdefghijklmn", "")
	l.Removed("abcdefghijklmn", "")
}

// Against a list searched from 1 on each time.
func TestLabelsRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var l Labels
	used := make(map[int]bool)
	var order []int
	l.Added("eth0", "eth0")
	for range 20000 {
		if r.IntN(5) < 2 && len(order) > 0 {
			i := r.IntN(len(order))
			l.Removed("eth0", fmt.Sprintf("eth0:%d", order[i]))
			delete(used, order[i])
			order[i] = order[len(order)-1]
			order = order[:len(order)-1]
			continue
		}
		want := 1
		for used[want] {
			want++
		}
		if got := l.Next("eth0"); got != fmt.Sprintf("eth0:%d", want) {
			t.Fatalf("%s, want eth0:%d", got, want)
		}
		used[want] = true
		order = append(order, want)
	}
}

func BenchmarkLabels(b *testing.B) {
	for b.Loop() {
		var l Labels
		for range 4000 {
			l.Next("eth0")
		}
		for i := range 4000 {
			l.Removed("eth0", fmt.Sprintf("eth0:%d", i))
		}
	}
}

// As the kernel shows them.
func TestKernelLabels(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	var l Labels
	for _, p := range []string{"192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/32"} {
		a := Address{Interface: "eth0", Prefix: netip.MustParsePrefix(p), Label: l.Next("eth0")}
		expectOutcomes(t, h.Add([]Address{a}, nil, nil), "added")
	}
	h.expect("eth0", "eth0:192.0.2.1/24 broadcast 192.0.2.255", "eth0:2:192.0.2.3/32", "eth0:1:192.0.2.2/24 broadcast 192.0.2.255 secondary")
	list, err := h.Addresses()
	if err != nil {
		t.Fatal(err)
	}
	l.Reset(list)
	if got := l.Next("eth0"); got != "eth0:3" {
		t.Error(got)
	}
}
