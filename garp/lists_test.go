package garp

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// notify makes Notify entries for the interface eth0.
func notify(block string, throttle int, ping bool) NotifyEntry {
	return NotifyEntry{Interface: "eth0", Block: prefix(block), Throttle: throttle, Ping: ping}
}

// The lists of the original's sample, a block and the ARP pool, as it sends them.
func TestPacketSets(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{
			Notify:   []NotifyEntry{notify("10.77.0.248/30", 0, true), {ARPCache: true, Ping: true}, {Interface: "eth1", Block: prefix("10.77.0.0/24")}},
			Networks: []netip.Prefix{prefix("10.77.0.0/24"), prefix("10.78.0.0/16")},
		})
		a.MergePool([]Neighbour{{ip("10.77.0.9"), other}, {ip("10.78.1.1"), other}, {ip("10.77.0.8"), ours}})
		a.Announce([]VirtualInterface{vif("eth0:10.77.0.101")}, false)
		check(t, "frames", `0.000 eth0 announce 10.77.0.101
0.000 eth0 gratuitous 10.77.0.101
0.000 eth0 tell 10.77.0.101 to 10.77.0.248 x2
0.000 eth0 ping 10.77.0.101 to 10.77.0.248
0.000 eth0 tell 10.77.0.101 to 10.77.0.249 x2
0.000 eth0 ping 10.77.0.101 to 10.77.0.249
0.000 eth0 tell 10.77.0.101 to 10.77.0.250 x2
0.000 eth0 ping 10.77.0.101 to 10.77.0.250
0.000 eth0 tell 10.77.0.101 to 10.77.0.251 x2
0.000 eth0 ping 10.77.0.101 to 10.77.0.251
0.000 eth0 tell 10.77.0.101 to 10.77.0.9 x2
0.000 eth0 tell 10.77.0.101 to 10.77.0.9 at 02:00:5e:10:00:02 x2
0.000 eth0 ping 10.77.0.101 to 10.77.0.9 at 02:00:5e:10:00:02
0.000 eth0 tell 10.77.0.101 to 10.77.0.8 x2
0.000 eth0 tell 10.77.0.101 to 10.77.0.8 at 02:00:5e:10:00:01 x2
0.000 eth0 ping 10.77.0.101 to 10.77.0.8 at 02:00:5e:10:00:01`, r.text())
		if s := a.Stats(); s.Announcements != 2 || s.Notifications != 22 || s.Pool != 3 {
			t.Errorf("counters %+v", s)
		}
	})
}

// A throttled entry is worked through round by round, beside the others.
func TestThrottle(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{
			notify("10.0.0.0/29", 3, false), notify("10.0.0.16/31", 1, false), notify("10.0.0.32/31", 0, false),
		}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1"), vif("eth0:10.0.0.2n31")}, false)
		synctest.Wait()
		time.Sleep(time.Minute)
		got := ""
		for _, f := range only(r.all(), isList) {
			got += f.String() + "\n"
		}
		check(t, "frames of the lists", `0.000 eth0 tell 10.0.0.1 to 10.0.0.32
0.000 eth0 tell 10.0.0.1 to 10.0.0.32
0.000 eth0 tell 10.0.0.1 to 10.0.0.33
0.000 eth0 tell 10.0.0.1 to 10.0.0.33
0.000 eth0 tell 10.0.0.1 to 10.0.0.0
0.000 eth0 tell 10.0.0.1 to 10.0.0.0
0.000 eth0 tell 10.0.0.1 to 10.0.0.1
0.000 eth0 tell 10.0.0.1 to 10.0.0.1
0.000 eth0 tell 10.0.0.1 to 10.0.0.2
0.000 eth0 tell 10.0.0.1 to 10.0.0.2
0.000 eth0 tell 10.0.0.1 to 10.0.0.16
0.000 eth0 tell 10.0.0.1 to 10.0.0.16
0.000 eth0 tell 10.0.0.2 to 10.0.0.2
0.000 eth0 tell 10.0.0.2 to 10.0.0.2
0.000 eth0 tell 10.0.0.2 to 10.0.0.3
0.000 eth0 tell 10.0.0.2 to 10.0.0.3
1.000 eth0 tell 10.0.0.1 to 10.0.0.3
1.000 eth0 tell 10.0.0.1 to 10.0.0.3
1.000 eth0 tell 10.0.0.1 to 10.0.0.4
1.000 eth0 tell 10.0.0.1 to 10.0.0.4
1.000 eth0 tell 10.0.0.1 to 10.0.0.5
1.000 eth0 tell 10.0.0.1 to 10.0.0.5
1.000 eth0 tell 10.0.0.1 to 10.0.0.17
1.000 eth0 tell 10.0.0.1 to 10.0.0.17
2.000 eth0 tell 10.0.0.1 to 10.0.0.6
2.000 eth0 tell 10.0.0.1 to 10.0.0.6
2.000 eth0 tell 10.0.0.1 to 10.0.0.7
2.000 eth0 tell 10.0.0.1 to 10.0.0.7
`, got)
	})
}

// Whatever the entries, each address tells exactly the targets that a plain
// enumeration gives, each once a matching entry, and no entry exceeds its throttle.
func TestListsAgainstEnumeration(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
				random := rand.New(rand.NewPCG(seed, 7))
				// Disjoint blocks, so that a target tells its entry.
				var entries []NotifyEntry
				for i := range random.IntN(12) {
					e := NotifyEntry{
						Interface: fmt.Sprint("eth", random.IntN(2)),
						Block:     netip.PrefixFrom(nth("10.0.0.0", i*64), 26+random.IntN(7)),
						Throttle:  random.IntN(40),
						Ping:      random.IntN(3) == 0,
					}
					if random.IntN(2) == 0 {
						e.Throttle = 0
					}
					entries = append(entries, e)
				}
				if random.IntN(2) == 0 {
					entries = append(entries, NotifyEntry{ARPCache: true, Ping: random.IntN(2) == 0})
				}
				a.Configure(Config{Notify: entries, Networks: []netip.Prefix{prefix("10.0.0.0/8")}})
				var pool []Neighbour
				for i := range random.IntN(400) {
					pool = append(pool, Neighbour{nth("10.0.200.0", i), LinkAddr{2, 1, 0, 0, byte(i >> 8), byte(i)}})
				}
				a.MergePool(pool)
				var list []VirtualInterface
				for i := range 1 + random.IntN(6) {
					list = append(list, vif(fmt.Sprintf("eth%d:%vn%d", random.IntN(2), nth("10.0.0.0", i*150), 16+random.IntN(17))))
				}

				type telling struct {
					addr, target netip.Addr
					link         LinkAddr
					kind         string
				}
				want := make(map[telling]int)
				for _, v := range list {
					own := v.Addresses[0]
					for _, e := range entries {
						tell := func(target netip.Addr, link LinkAddr) {
							want[telling{own.Addr, target, Broadcast, "tell"}] += 2
							if link != Broadcast {
								want[telling{own.Addr, target, link, "tell"}] += 2
							}
							if e.Ping {
								want[telling{own.Addr, target, link, "ping"}]++
							}
						}
						if e.ARPCache {
							for _, n := range pool {
								if own.Network.Contains(n.Addr) {
									tell(n.Addr, n.Link)
								}
							}
							continue
						}
						for at := e.Block.Masked().Addr(); e.Block.Contains(at); at = at.Next() {
							if e.Interface == own.Interface && own.Network.Contains(at) {
								tell(at, Broadcast)
							}
						}
					}
				}

				a.Announce(list, false)
				time.Sleep(2 * time.Minute)
				got := make(map[telling]int)
				told := make(map[string][]time.Duration)
				last := make(map[string]frame)
				for _, f := range only(r.all(), isList) {
					got[telling{f.addr, f.target, f.targetAt, f.kind}]++
					for i, e := range entries {
						if e.ARPCache || !e.Block.Contains(f.target) {
							continue
						}
						if key := fmt.Sprint(f.addr, i); last[key].target != f.target {
							last[key] = f
							told[key] = append(told[key], f.at)
							if n := mostInASecond(told[key]); e.Throttle > 0 && n > e.Throttle {
								t.Fatalf("%v, entry %+v: %d targets in a second", f.addr, e, n)
							}
						}
					}
				}
				for k, n := range want {
					if got[k] != n {
						t.Errorf("%v %v to %v at %v: %d times, want %d", k.kind, k.addr, k.target, k.link, got[k], n)
					}
				}
				for k := range got {
					if want[k] == 0 {
						t.Errorf("%v %v to %v at %v is too much", k.kind, k.addr, k.target, k.link)
					}
				}
				if s := a.Stats(); s.Pending != 0 {
					t.Errorf("%d virtual interfaces pending for ever", s.Pending)
				}
			})
		})
	}
}

// Neither a slow nor a long entry keeps the others waiting.
func TestNoEntryStarves(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{
			notify("10.0.0.0/16", 1, false),      // takes 18 hours
			notify("10.0.0.0/17", 0, false),      // 250 times 65,536 frames: half an hour
			notify("10.0.200.0/30", 0, false),    // a short one behind
			notify("10.0.200.128/31", 50, false), // and one with another throttle
		}})
		list := vifs("eth0", "10.0.0.1", 250, 16)
		a.Announce(list, false)
		time.Sleep(3 * time.Second)
		told := make(map[netip.Addr]map[netip.Addr]time.Duration)
		frames := only(r.all(), isList)
		for _, f := range frames {
			if f.target.Compare(ip("10.0.200.0")) >= 0 {
				if told[f.addr] == nil {
					told[f.addr] = make(map[netip.Addr]time.Duration)
				}
				told[f.addr][f.target] = f.at
			}
		}
		for _, v := range list {
			if len(told[v.Key]) != 6 {
				t.Fatalf("within 3 s %v has told only %v", v.Key, told[v.Key])
			}
		}
		slow := len(only(frames, func(f frame) bool { return f.target == ip("10.0.0.0") }))
		if slow < 2*250 {
			t.Errorf("the first target of the slow entry was told %d times, want by each of 250 addresses twice", slow)
		}
		a.Withdraw(keys(list))
	})
}

// Interfaces share what the cap leaves for lists.
func TestInterfacesTakeTurns(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		var entries []NotifyEntry
		var list []VirtualInterface
		for i := range 4 {
			name := fmt.Sprint("eth", i)
			entries = append(entries, NotifyEntry{Interface: name, Block: prefix("10.0.0.0/8")})
			list = append(list, vifs(name, fmt.Sprintf("10.%d.0.1", i), 1+3*i, 16)...)
		}
		a.Configure(Config{Notify: entries})
		a.Announce(list, false)
		time.Sleep(time.Second)
		frames := make(map[string]int)
		for _, f := range only(r.all(), isList) {
			frames[f.iface]++
		}
		for i := range 4 {
			if n := frames[fmt.Sprint("eth", i)]; n < listRate/4 {
				t.Errorf("eth%d: %d frames, of all interfaces: %v", i, n, frames)
			}
		}
		a.Withdraw(keys(list))
	})
}

// A list of a /16 for 250 addresses costs little memory, keeps to the cap, and
// delays no acquire: its first announcements are the next batch to leave, and
// all 4,000 leave in the same moment.
func TestLongListsDelayNoAcquire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			mu        sync.Mutex
			start     = time.Now()
			perSlot   = make(map[time.Duration]int) // frames by hundredth of a second
			lists     int
			late      []string
			acquired  time.Time
			first     = make(map[[4]byte]bool)
			unrelated int // frames of lists between the acquire and its first frame
		)
		sender := senderFunc(func(_ string, frames [][]byte) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			now := time.Now()
			perSlot[now.Sub(start).Truncate(10*time.Millisecond)] += len(frames)
			for _, b := range frames {
				p, err := ParseARP(b)
				if err != nil {
					t.Errorf("%v", err)
				}
				switch {
				case p.Sender != p.Target && p.TargetLink == Broadcast:
					lists++
					if !acquired.IsZero() && len(first) < 4000 {
						unrelated++
					}
				case p.Sender[1] == 1:
					if !first[p.Sender] && now != acquired {
						late = append(late, fmt.Sprint(p.Sender, now.Sub(acquired)))
					}
					first[p.Sender] = true
				}
			}
			return len(frames), nil
		})
		a := New(sender, t.Logf)
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.0/16", 0, false)}})

		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		list := vifs("eth0", "10.0.0.1", 250, 16)
		a.Announce(list, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if after := heap(); after > before+(256<<10) {
			t.Errorf("%d bytes for 250 addresses and a list of a /16", after-before)
		}
		mu.Lock()
		if lists < 8*listRate {
			t.Errorf("%d frames of lists in 10 s", lists)
		}

		acquired = time.Now()
		mu.Unlock()
		a.Announce(vifs("eth0", "10.1.0.1", 4000, 16), false)
		synctest.Wait()
		mu.Lock()
		if len(first) != 4000 || len(late) != 0 {
			t.Errorf("%d of 4000 addresses announced, late: %v", len(first), late)
		}
		if unrelated != 0 {
			t.Errorf("%d frames of lists left before the announcements", unrelated)
		}
		mu.Unlock()
		time.Sleep(10 * time.Second)

		a.Close()
		worst := 0
		for slot := range perSlot {
			n := 0
			for i := range time.Duration(100) {
				n += perSlot[slot+i*10*time.Millisecond]
			}
			worst = max(worst, n)
		}
		if worst > frameCap {
			t.Errorf("%d frames in a second", worst)
		}
	})
}

// A senderFunc is the Send of a Sender whose interfaces all work.
type senderFunc func(name string, frames [][]byte) (int, error)

func (f senderFunc) Link(string) (LinkAddr, error)                  { return ours, nil }
func (f senderFunc) Send(name string, frames [][]byte) (int, error) { return f(name, frames) }

// More addresses than the cap: all requests first, and never too many a second.
func TestCap(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Announce(vifs("eth0", "10.0.0.1", 15000, 8), false)
		frames := r.all()
		if len(frames) != frameCap {
			t.Errorf("%d frames at once, want %d", len(frames), frameCap)
		}
		for i, f := range frames {
			if (f.kind == "announce") != (i < 15000) {
				t.Fatalf("frame %d is %v", i, f)
			}
		}
		time.Sleep(time.Minute)
		frames = r.all()
		if len(frames) != 8*15000 {
			t.Errorf("%d frames in all, want %d", len(frames), 8*15000)
		}
		if n := mostInASecond(times(frames)); n > frameCap {
			t.Errorf("%d frames in a second", n)
		}
	})
}

// A reload with other lists starts those over that are in progress, and only those.
func TestConfigureRestartsLists(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		long, short := notify("10.0.0.0/24", 2, false), notify("10.0.0.0/32", 0, false)
		a.Configure(Config{Notify: []NotifyEntry{short}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, false) // is finished with its list
		synctest.Wait()
		a.Configure(Config{Notify: []NotifyEntry{short, long}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.2")}, false)
		time.Sleep(1500 * time.Millisecond)
		a.Configure(Config{Notify: []NotifyEntry{short, long}}) // no change
		time.Sleep(time.Second)
		r.clear()
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.128/31", 0, true), long}})
		time.Sleep(1100 * time.Millisecond)
		a.Configure(Config{})
		time.Sleep(time.Hour)
		got := ""
		for _, f := range slices.Compact(only(r.all(), isList)) {
			got += f.String() + "\n"
		}
		check(t, "frames of the lists", `2.500 eth0 tell 10.0.0.2 to 10.0.0.128
2.500 eth0 ping 10.0.0.2 to 10.0.0.128
2.500 eth0 tell 10.0.0.2 to 10.0.0.129
2.500 eth0 ping 10.0.0.2 to 10.0.0.129
2.500 eth0 tell 10.0.0.2 to 10.0.0.0
2.500 eth0 tell 10.0.0.2 to 10.0.0.1
3.500 eth0 tell 10.0.0.2 to 10.0.0.2
3.500 eth0 tell 10.0.0.2 to 10.0.0.3
`, got)
		if s := a.Stats(); s.Pending != 0 {
			t.Errorf("%d virtual interfaces pending", s.Pending)
		}
	})
}

// The largest list there can be counts right, also on 32-bit machines.
func TestWholeInternet(t *testing.T) {
	e, _ := newEntry(notify("0.0.0.0/0", 0, false))
	l := lane{address: &address{link: &link{name: "eth0"}}}
	if _, size := l.address.targets(&e, nil); size != 1<<32 {
		t.Errorf("%d targets", size)
	}
	l.slice = 1<<28 - 1
	for i := range uint32(16) {
		got, progress := l.next([]entry{e}, nil)
		if want := fromUint32(0xfffffff0 + i); got.ip != want || progress != found {
			t.Errorf("target %v, %v; want %v", got.ip, progress, want)
		}
	}
	if _, progress := l.next([]entry{e}, nil); progress != finished {
		t.Errorf("after the last target: %v", progress)
	}
}
