package rtnl

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestKernelAdd(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	h.link("eth1")
	h.setUp("eth1", false)
	h.add("eth0", "192.0.2.1/24", "10.9.9.9/8")
	h.add("eth1", "198.51.100.7/24")

	list := addresses("eth0", "192.0.2.10/24", "192.0.2.11/32", "192.0.2.12/31", "192.0.2.1/24", "10.9.9.9/32", "198.51.100.7/24", "192.0.2.10/24", "192.0.2.10/25")
	list[0].Label = "eth0:1"
	list = append(list, addresses("eth1", "203.0.113.5/24")...)
	list = append(list, addresses("nope0", "203.0.113.6/24")...)
	list = append(list, addresses("eth0:1", "203.0.113.7/24")...)
	list = append(list, addresses("a-name-beyond-the-limit", "203.0.113.8/24")...)
	results := h.Add(list, nil, nil)
	expectOutcomes(t, results, "added", "added", "added", "already there", "failed", "failed", "already there", "failed",
		"added (down)", "failed", "failed", "failed")
	for i, want := range map[int]error{4: ErrExistsOtherPrefix, 5: ErrExistsElsewhere, 7: ErrExistsOtherPrefix, 9: ErrNoInterface, 10: ErrNoInterface, 11: ErrNoInterface} {
		if !errors.Is(results[i].Err, want) {
			t.Errorf("%s: %v, want %v", list[i], results[i].Err, want)
		}
	}
	// The primary stays the primary; /31 and /32 have no broadcast address.
	h.expect("eth0", "eth0:192.0.2.1/24", "eth0:10.9.9.9/8", "eth0:192.0.2.11/32", "eth0:192.0.2.12/31",
		"eth0:1:192.0.2.10/24 broadcast 192.0.2.255 secondary")
	h.expect("eth1", "eth1:198.51.100.7/24", "eth1:203.0.113.5/24 broadcast 203.0.113.255")
}

func TestKernelAddKeepsLabel(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	list := many("eth0", 1, 24)
	expectOutcomes(t, h.Add(list, nil, nil), "added")
	list[0].Label = "eth0:77"
	expectOutcomes(t, h.Add(list, nil, nil), "already there")
	h.expect("eth0", "eth0:1:10.1.0.0/24 broadcast 10.1.0.255")
}

func TestKernelAddCallbacks(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	list := many("eth0", 1000, 32)
	list[500].Interface = "nope0"
	var before int
	var sizes []int
	var seen []Address
	h.Add(list, func(keys []Key) {
		before = len(keys)
	}, func(a []Address, r []Result) {
		if before == 0 {
			t.Error("acknowledged before it was named")
		}
		if len(a) != len(r) {
			t.Errorf("%d addresses, %d results", len(a), len(r))
		}
		for i := range a {
			if (a[i].Interface == "nope0") != (r[i].Err != nil) {
				t.Errorf("%s: %v", a[i], r[i])
			}
		}
		sizes = append(sizes, len(a))
		seen = append(seen, a...)
	})
	if before != 999 {
		t.Errorf("named %d addresses beforehand, want 999", before)
	}
	if !slices.Equal(seen, list) {
		t.Error("the acknowledged addresses are not the ones given, in their order")
	}
	if sizes[0] > firstChunk || slices.Max(sizes) > 201 {
		t.Errorf("chunks of %d", sizes)
	}
}

func TestKernelMany(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, bits := range []int{32, 8} {
		for _, n := range []int{1000, 4000} {
			h := newHost(t)
			h.link("eth0")
			h.add("eth0", "10.255.0.1/8")
			list := many("eth0", n, bits)
			count := func(r []Result, want Outcome) {
				t.Helper()
				for i := range r {
					if r[i].Outcome != want {
						t.Fatalf("%d of /%d: %s: %s %v, want %s", n, bits, list[i], r[i].Outcome, r[i].Err, want)
					}
				}
			}
			count(h.Add(list, nil, nil), Added)
			count(h.Add(list, nil, nil), AlreadyThere)
			if got := strings.Count(h.state("eth0"), "\n"); got != n {
				t.Errorf("%d addresses, want %d", got, n)
			}
			count(h.Delete(list), Removed)
			count(h.Delete(list), AlreadyGone)
			h.expect("eth0", "eth0:10.255.0.1/8")
			h.unlink("eth0")
		}
	}
}

// A socket whose receive buffer takes few answers: what is lost is found out by
// listing.
func TestKernelOverflow(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	list := many("eth0", 300, 32)
	h.Add(list, nil, nil)
	small, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	counted := &countingTransport{transport: small}
	c := newConn(counted, Options{})
	defer c.Close()
	// The smallest there is, about 2 KiB. Listing needs at least one part of a
	// dump, which the kernel lets in whatever the size.
	if err := unix.SetsockoptInt(small.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
		t.Fatal(err)
	}
	// Each is refused with an answer of its own: there already.
	var errnos [chunk]unix.Errno
	err = c.session.exchange(chunk, errnos[:], func(b []byte, i int, flags uint16, sequence uint32) []byte {
		k := list[i].key(h.index("eth0"))
		start := len(b)
		b = begin(b, unix.RTM_NEWADDR, flags|unix.NLM_F_CREATE|unix.NLM_F_EXCL, sequence)
		return finish(addressMessage{key: k, peer: k.Addr}.append(b), start)
	})
	if err != errLost || counted.overflows == 0 {
		t.Fatalf("no overflow: %v", err)
	}
	for i, r := range c.Delete(append(many("eth0", 300, 32), addresses("eth0", "192.0.2.1/32")...)) {
		want := Removed
		if i == 300 {
			want = AlreadyGone
		}
		if r.Outcome != want {
			t.Fatalf("%d: %s %v, want %s", i, r.Outcome, r.Err, want)
		}
	}
	for i, r := range c.Delete(list) {
		if r.Err != nil {
			t.Fatalf("%d again: %s %v", i, r.Outcome, r.Err)
		}
	}
	h.expect("eth0")
	if counted.overflows < 2 {
		t.Errorf("%d overflows: the test shows nothing", counted.overflows)
	}
}

type countingTransport struct {
	transport
	overflows, sends int
}

func (c *countingTransport) send(b []byte) error {
	c.sends++
	return c.transport.send(b)
}

func (c *countingTransport) receive(b []byte) (int, error) {
	n, err := c.transport.receive(b)
	if err == unix.ENOBUFS {
		c.overflows++
	}
	return n, err
}

func TestKernelDelete(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	h := newHost(t)
	h.link("eth0")
	h.add("eth0", "192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/32", "10.0.0.1/8")
	list := addresses("eth0", "192.0.2.2/24", "192.0.2.3/32", "192.0.2.9/24", "10.0.0.1/24", "192.0.2.2/24")
	list = append(list, addresses("nope0", "192.0.2.1/24")...)
	results := h.Delete(list)
	expectOutcomes(t, results, "removed", "removed", "already gone", "failed", "already gone", "already gone")
	if err := results[3].Err; !errors.Is(err, ErrExistsOtherPrefix) {
		t.Error(err)
	}
	h.expect("eth0", "eth0:192.0.2.1/24", "eth0:10.0.0.1/8")
	// The same without a listing beforehand.
	results = h.Delete(addresses("eth0", "10.0.0.1/32", "10.0.0.2/32"))
	expectOutcomes(t, results, "failed", "already gone")
	if err := results[0].Err; !errors.Is(err, ErrExistsOtherPrefix) {
		t.Error(err)
	}
	if len(h.notices) != 0 {
		t.Errorf("notices: %q", h.notices)
	}
}

// Removing a primary takes no secondary along, whoever it belongs to.
func TestKernelDeletePrimary(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	for _, test := range []struct {
		name    string
		promote bool // set before
		dir     func(t *testing.T) string
		delete  []Address
		left    []string
		notices []string
		after   bool // promote_secondaries in the end
	}{
		{
			name:    "promote_secondaries set before",
			promote: true,
			delete:  addresses("eth0", "192.0.2.1/24"),
			left:    []string{"eth0:192.0.2.2/24", "eth0:own:192.0.2.3/24 broadcast 192.0.2.255 secondary", "eth0:192.0.2.4/24 secondary"},
			after:   true,
		}, {
			name:    "promote_secondaries set for it",
			delete:  addresses("eth0", "192.0.2.1/24", "192.0.2.2/24"),
			left:    []string{"eth0:own:192.0.2.3/24 broadcast 192.0.2.255", "eth0:192.0.2.4/24 secondary"},
			notices: []string{"set promote_secondaries of eth0 to 1: 192.0.2.3/24 depends on an address that is removed"},
			after:   true,
		}, {
			name:   "read-only",
			dir:    func(t *testing.T) string { return t.TempDir() },
			delete: addresses("eth0", "192.0.2.1/24", "192.0.2.2/24"),
			left:   []string{"eth0:own:192.0.2.3/24 broadcast 192.0.2.255", "eth0:192.0.2.4/24 secondary"},
			notices: []string{
				"set promote_secondaries of eth0: no such file or directory (192.0.2.3/24 depends on an address that is removed): addresses that go with it are put back at once",
				"put 192.0.2.3/24 back on eth0, which went with its primary address",
				"put 192.0.2.4/24 back on eth0, which went with its primary address",
			},
		}, {
			name:   "all of the subnet",
			delete: addresses("eth0", "192.0.2.1/24", "192.0.2.2/24", "192.0.2.3/24", "192.0.2.4/24"),
		}, {
			name:   "only a secondary",
			delete: addresses("eth0", "192.0.2.4/24"),
			left:   []string{"eth0:192.0.2.1/24", "eth0:192.0.2.2/24 secondary", "eth0:own:192.0.2.3/24 broadcast 192.0.2.255 secondary"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.link("eth0")
			defer h.unlink("eth0")
			h.promoteSecondaries("eth0", test.promote)
			if test.dir != nil {
				h.release.confDir = test.dir(t)
			}
			h.add("eth0", "192.0.2.1/24", "192.0.2.2/24")
			own := addressMessage{
				key: Key{h.index("eth0"), [4]byte{192, 0, 2, 3}, 24}, peer: [4]byte{192, 0, 2, 3},
				broadcast: [4]byte{192, 0, 2, 255}, hasBroadcast: true, label: []byte("eth0:own"),
			}
			if err := h.request(unix.RTM_NEWADDR, unix.NLM_F_CREATE, own.append(nil)); err != nil {
				t.Fatal(err)
			}
			h.add("eth0", "192.0.2.4/24")
			for i, r := range h.Delete(test.delete) {
				if r.Outcome != Removed {
					t.Errorf("%s: %s %v", test.delete[i], r.Outcome, r.Err)
				}
			}
			h.expect("eth0", test.left...)
			if !slices.Equal(h.notices, test.notices) {
				t.Errorf("notices:\n%s\nwant:\n%s", strings.Join(h.notices, "\n"), strings.Join(test.notices, "\n"))
			}
			if on, err := readSetting(filepath.Join(confDir, "eth0", "promote_secondaries")); err != nil || on != test.after {
				t.Errorf("promote_secondaries: %t %v, want %t", on, err, test.after)
			}
		})
	}
}
