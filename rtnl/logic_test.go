package rtnl

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPermission(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}, refuse: unix.EPERM}
	k.put("eth0", "10.0.0.2/32")
	c := newConn(k, Options{ConfDir: t.TempDir()})
	for _, r := range append(c.Add(addresses("eth0", "10.0.0.1/24"), nil, nil), c.Delete(addresses("eth0", "10.0.0.2/32"))...) {
		if !errors.Is(r.Err, os.ErrPermission) || r.Outcome != Failed {
			t.Errorf("%s %v", r.Outcome, r.Err)
		}
	}
}

func TestInvalidAddress(t *testing.T) {
	c := newConn(&fakeKernel{links: []string{"lo", "eth0"}}, Options{})
	list := []Address{
		{Interface: "eth0"},
		{Interface: "eth0", Prefix: netip.MustParsePrefix("2001:db8::1/64")},
		{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/24"), Label: "eth0:1234567890x"},
		{Interface: "eth0", Prefix: netip.MustParsePrefix("10.0.0.1/24"), Broadcast: netip.MustParseAddr("::1")},
	}
	for i := range list {
		if r := c.Add(list[i:i+1], nil, nil)[0]; r.Err == nil {
			t.Errorf("%v was added", list[i])
		}
		if r := c.Delete(list[i : i+1])[0]; r.Err == nil {
			t.Errorf("%v was removed", list[i])
		}
		if _, err := c.Key(list[i]); err == nil {
			t.Errorf("%v has a key", list[i])
		}
	}
}

// The number of system calls is what makes it fast.
func TestSendsPerCall(t *testing.T) {
	for _, test := range []struct {
		bits, add, delete int
	}{
		// One for the link, one for the list, chunks of 8, 64, 200, 200, 200, 200,
		// 128; and one for the link, five chunks.
		{bits: 32, add: 9, delete: 6},
		{bits: 24, add: 9, delete: 7},
	} {
		k := &fakeKernel{links: []string{"lo", "eth0"}}
		c := newConn(k, Options{ConfDir: t.TempDir()})
		list := many("eth0", 1000, test.bits)
		c.Add(list, nil, nil)
		if k.sends != test.add {
			t.Errorf("/%d: %d sends to add, want %d", test.bits, k.sends, test.add)
		}
		k.sends = 0
		c.Delete(list)
		if k.sends != test.delete {
			t.Errorf("/%d: %d sends to delete, want %d", test.bits, k.sends, test.delete)
		}
		if k.String() != "" {
			t.Errorf("left:\n%s", k)
		}
	}
}

func TestDumpInterrupted(t *testing.T) {
	n := 0
	k := &fakeKernel{links: []string{"lo", "eth0"}, interrupt: func() bool { n++; return n < 5 }}
	k.put("eth0", "10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24")
	c := newConn(k, Options{})
	list, err := c.Addresses()
	if err != nil || len(list) != 4 || n != 5 {
		t.Errorf("%d addresses after %d tries, %v", len(list), n, err)
	}
	k.interrupt = func() bool { return true }
	if list, err = c.Addresses(); err == nil || list != nil {
		t.Errorf("a list that was interrupted each time: %v, %v", list, err)
	}
}

func TestDumpRefused(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}, refuseDump: unix.EACCES}
	k.conf(t.TempDir())
	k.put("eth0", "10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24")
	var notices []string
	c := newConn(k, Options{ConfDir: k.confDir, Notice: func(s string) { notices = append(notices, s) }})
	if _, err := c.Addresses(); !errors.Is(err, unix.EACCES) {
		t.Error(err)
	}
	// Neither adding nor removing depends on it, nor do others suffer.
	expectOutcomes(t, c.Add(addresses("eth0", "10.0.0.9/24"), nil, nil), "added")
	expectOutcomes(t, c.Delete(addresses("eth0", "10.0.0.1/24", "10.0.0.9/24")), "removed", "removed")
	if got, want := k.String(), "eth0 eth0 10.0.0.2/24\neth0 eth0 10.0.0.3/24"; got != want {
		t.Errorf("left:\n%s\nwant:\n%s", got, want)
	}
	if want := []string{"set promote_secondaries of eth0 to 1: its addresses cannot be listed"}; !slices.Equal(notices, want) {
		t.Errorf("notices: %q", notices)
	}
}

func TestAllAnswersLost(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}, loseAnswer: func() bool { return true }}
	c := newConn(k, Options{})
	r := c.Add(addresses("eth0", "10.0.0.1/32"), nil, nil)
	if !errors.Is(r[0].Err, ErrNoAnswer) && r[0].Outcome != AlreadyThere {
		t.Errorf("%v", r[0])
	}
	r = c.Delete(addresses("eth0", "10.0.0.1/32"))
	if !errors.Is(r[0].Err, ErrNoAnswer) && r[0].Outcome != AlreadyGone {
		t.Errorf("%v", r[0])
	}
}

// Whatever is lost or interrupted, each result says what is the case, and what
// was not named stays.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		k := &fakeKernel{links: []string{"lo", "eth0", "eth1"}}
		var readOnly []string
		if r.IntN(2) == 0 {
			readOnly = []string{"eth0"}
		}
		k.conf(t.TempDir(), readOnly...)
		var list []Address
		for i := range 24 {
			prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i / 8), byte(i)}), []int{24, 24, 16, 32}[r.IntN(4)])
			list = append(list, Address{Interface: []string{"eth0", "eth1"}[r.IntN(2)], Prefix: prefix, Label: fmt.Sprintf("l%d", i)})
		}
		others := slices.Clone(list[:8])
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, a := range others {
			if r.IntN(2) == 0 {
				k.put(a.Interface, a.Prefix.String())
			}
		}
		before := k.String()
		var rest []Address // not there before
		for _, a := range list {
			if !strings.Contains(before, a.Prefix.Addr().String()+"/") {
				rest = append(rest, a)
			}
		}
		k.loseAnswer = func() bool { return r.IntN(4) == 0 }
		k.interrupt = func() bool { return r.IntN(4) == 0 }
		c := newConn(k, Options{ConfDir: k.confDir})
		for i, result := range c.Add(list, nil, nil) {
			there := strings.Contains(k.String(), list[i].Interface+" ") && strings.Contains(k.String(), " "+list[i].Prefix.String())
			if (result.Err == nil) && !there {
				t.Fatalf("seed %d: %s: %s, but it is not there", seed, list[i], result.Outcome)
			}
			if result.Err != nil && !errors.Is(result.Err, ErrNoAnswer) {
				t.Fatalf("seed %d: %v", seed, result.Err)
			}
		}
		for i, result := range c.Delete(rest) {
			there := strings.Contains(k.String(), " "+rest[i].Prefix.String())
			if result.Err == nil && there {
				t.Fatalf("seed %d: %s: %s, but it is there", seed, rest[i], result.Outcome)
			}
			if result.Err != nil && !errors.Is(result.Err, ErrNoAnswer) {
				t.Fatalf("seed %d: %v", seed, result.Err)
			}
		}
		k.loseAnswer, k.interrupt = nil, nil
		c.Delete(rest) // those whose answers were lost
		if got := k.String(); got != before {
			t.Fatalf("seed %d: after all\n%s\nbefore:\n%s", seed, got, before)
		}
	}
}

func TestSurveySteps(t *testing.T) {
	key := func(p string) Key {
		prefix := netip.MustParsePrefix(p)
		return Key{1, prefix.Addr().As4(), uint8(prefix.Bits())}
	}
	for _, test := range []struct {
		name    string
		there   []string // "*" before a secondary
		remove  []string
		promote bool
		want    string
	}{
		{"secondaries first", []string{"10.0.0.1/24", "*10.0.0.2/24", "*10.0.0.3/24"}, []string{"10.0.0.1/24", "10.0.0.3/24", "10.0.0.2/24"}, false,
			"-10.0.0.3/24 -10.0.0.2/24 -10.0.0.1/24"},
		{"one is put back", []string{"10.0.0.1/24", "*10.0.0.2/24", "*10.0.0.3/24"}, []string{"10.0.0.1/24", "10.0.0.3/24"}, false,
			"-10.0.0.3/24 -10.0.0.1/24 +10.0.0.2/24"},
		{"promoted", []string{"10.0.0.1/24", "*10.0.0.2/24"}, []string{"10.0.0.1/24"}, true, "-10.0.0.1/24"},
		{"the primary stays", []string{"10.0.0.1/24", "*10.0.0.2/24", "*10.0.0.3/24"}, []string{"10.0.0.3/24"}, false, "-10.0.0.3/24"},
		{"another subnet's secondary", []string{"10.0.0.1/24", "10.0.1.1/24", "*10.0.1.2/24"}, []string{"10.0.0.1/24"}, false, "-10.0.0.1/24"},
		{"another prefix's secondary", []string{"10.0.0.1/24", "10.0.0.2/16", "*10.0.0.3/16"}, []string{"10.0.0.1/24"}, false, "-10.0.0.1/24"},
		{"what is gone is not sent", []string{"10.0.0.1/24"}, []string{"10.0.0.1/24", "10.0.0.2/24", "10.0.0.1/24", "10.0.0.1/16"}, false, "-10.0.0.1/24"},
		{"two subnets", []string{"10.0.0.1/24", "10.0.1.1/24", "*10.0.0.2/24", "*10.0.1.2/24"}, []string{"10.0.0.1/24", "10.0.1.1/24"}, false,
			"-10.0.0.1/24 +10.0.0.2/24 -10.0.1.1/24 +10.0.1.2/24"},
	} {
		var keys []Key
		for _, p := range test.remove {
			keys = append(keys, key(p))
		}
		s := newSurvey(keys)
		for _, p := range test.there {
			p, secondary := strings.CutPrefix(p, "*")
			a := addressMessage{key: key(p), peer: key(p).Addr}
			if secondary {
				a.flags = unix.IFA_F_SECONDARY
			}
			s.see(&a, a.append(nil))
		}
		var words []string
		for _, st := range s.steps(func(uint32, []orphan) bool { return test.promote }) {
			if st.key < 0 {
				words = append(words, "+"+st.orphan.key.prefix().String())
			} else {
				words = append(words, "-"+keys[st.key].prefix().String())
			}
		}
		if got := strings.Join(words, " "); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

func TestExchangeIgnoresStaleAnswers(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}}
	stale := begin(nil, unix.NLMSG_ERROR, 0, 4711)
	stale = order.AppendUint32(stale, ^uint32(unix.EPERM)+1)
	k.queue = append(k.queue, finish(stale, 0))
	c := newConn(k, Options{})
	expectOutcomes(t, c.Add(addresses("eth0", "10.0.0.1/24"), nil, nil), "added")
}

func TestInterfaceVanished(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}}
	c := newConn(k, Options{})
	r := c.Add(addresses("eth0", "10.0.0.1/24"), func([]Key) { k.links[1] = "" }, nil)
	if !errors.Is(r[0].Err, ErrNoInterface) {
		t.Errorf("%v", r[0].Err)
	}
}

// Without a list and with read-only settings the order is what protects ours.
func TestBlindDeleteGoesBackwards(t *testing.T) {
	k := &fakeKernel{links: []string{"lo", "eth0"}, refuseDump: unix.EACCES}
	k.put("eth0", "10.0.0.1/24", "10.0.0.2/24")
	c := newConn(k, Options{ConfDir: t.TempDir()})
	expectOutcomes(t, c.Delete(addresses("eth0", "10.0.0.1/24", "10.0.0.2/24")), "removed", "removed")
}
