package garp

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An interface that is down loses its frames, is reported once, and is back at
// the next repetition, with the link-layer address that it has then.
func TestInterfaceDown(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		r.errors["eth0"] = errors.New("interface eth0: network is down")
		r.errors["lo"] = ErrNoARP
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.0/31", 1, false), {Interface: "lo", Block: prefix("10.0.0.0/24")}}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1"), vif("lo:10.0.0.2"), vif("eth1:10.0.0.3")}, false)
		time.Sleep(1500 * time.Millisecond)
		r.mu.Lock()
		delete(r.errors, "eth0")
		r.links["eth0"] = other
		r.mu.Unlock()
		time.Sleep(time.Minute)
		got := ""
		for _, f := range r.all() {
			if f.iface == "eth0" {
				got += f.String() + " from " + f.from.String() + "\n"
			} else if f.iface != "eth1" {
				t.Errorf("sent on an interface without ARP: %v", f)
			}
		}
		check(t, "frames", `2.050 eth0 announce 10.0.0.1 from 02:00:5e:10:00:02
2.050 eth0 gratuitous 10.0.0.1 from 02:00:5e:10:00:02
2.050 eth0 tell 10.0.0.1 to 10.0.0.0 from 02:00:5e:10:00:02
2.050 eth0 tell 10.0.0.1 to 10.0.0.0 from 02:00:5e:10:00:02
3.050 eth0 tell 10.0.0.1 to 10.0.0.1 from 02:00:5e:10:00:02
3.050 eth0 tell 10.0.0.1 to 10.0.0.1 from 02:00:5e:10:00:02
5.050 eth0 announce 10.0.0.1 from 02:00:5e:10:00:02
5.050 eth0 gratuitous 10.0.0.1 from 02:00:5e:10:00:02
`, got)
		check(t, "log", "0.000 announce on eth0: interface eth0: network is down; 2 frames dropped, the interface is looked at again at the next repetition", r.logged())
		if s := a.Stats(); s.Dropped != 4 || s.DroppedLists != 0 || s.Pending != 0 {
			t.Errorf("counters %+v", s)
		}
	})
}

// The link-layer address is read anew for every announcement, also where it
// joins others on their way, and by and by for lists.
func TestLinkAddressChanges(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		sent := make(chan bool)
		r.accept = func(_ string, frames [][]byte) (int, error) {
			<-sent
			return len(frames), nil
		}
		change := func(to LinkAddr) {
			synctest.Wait()
			r.mu.Lock()
			r.links["eth0"] = to
			r.mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.0/28", 1, false)}})
		a.Announce(vifs("eth0", "10.0.0.1", batchSize+1, 24), false)
		change(other)
		a.Announce([]VirtualInterface{vif("eth0:10.0.1.1")}, false)
		close(sent)
		frames := r.all()
		for i, f := range frames {
			if want := [...]LinkAddr{ours, other}[min(i/batchSize, 1)]; f.from != want {
				t.Fatalf("frame %d, %v, is from %v, want %v", i, f, f.from, want)
			}
		}
		time.Sleep(6 * time.Second) // only the list goes on
		change(ours)
		time.Sleep(2500 * time.Millisecond)
		frames = r.all()
		if last := frames[len(frames)-1]; last.kind != "tell" || last.from != ours {
			t.Errorf("the last frame is %v from %v", last, last.from)
		}
	})
}

// The lists of an interface that stays away are given up, with few wake-ups.
func TestInterfaceStaysAway(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		r.errors["eth0"] = errors.New("no such device")
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.0/16", 5, false), notify("10.0.0.0/16", 0, false)}})
		a.Announce(vifs("eth0", "10.0.0.1", 100, 16), false)
		time.Sleep(time.Hour)
		if s := a.Stats(); s.Dropped != 4*2*100 || s.DroppedLists != 200 || s.Pending != 0 || s.Wakeups > 30 {
			t.Errorf("counters %+v", s)
		}
		if lines := strings.Split(r.logged(), "\n"); len(lines) != 1 || lines[0] == "" {
			t.Errorf("log: %q", lines)
		}
	})
}

// A full queue puts frames off; none is lost, their order stays, and the other
// interface does not wait.
func TestFullQueue(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.0/24", 0, false)}})
		random := rand.New(rand.NewPCG(3, 4))
		r.accept = func(name string, frames [][]byte) (int, error) {
			if name == "eth1" {
				return len(frames), nil
			}
			switch n := random.IntN(len(frames) + 1); {
			case n == len(frames):
				return n, nil
			case random.IntN(2) == 0:
				return n, nil // fewer, and no word why
			default:
				return n, ErrBusy
			}
		}
		a.Announce(vifs("eth0", "10.0.0.1", 200, 24), false)
		a.Announce(vifs("eth1", "10.1.0.1", 200, 24), false)
		time.Sleep(time.Minute)
		frames := r.all()
		var kinds [2][]string
		for _, f := range frames {
			if f.iface == "eth1" {
				if f.kind == "announce" && f.at%(50*time.Millisecond) != 0 {
					t.Fatalf("eth1 had to wait: %v", f)
				}
				continue
			}
			kind := 0
			if isList(f) {
				kind = 1
			}
			kinds[kind] = append(kinds[kind], fmt.Sprintf("%s %v %v", f.kind, f.addr, f.target))
		}
		var want []string
		for range repeats {
			for _, kind := range []string{"announce", "gratuitous"} {
				for i := range 200 {
					want = append(want, fmt.Sprintf("%s %v invalid IP", kind, nth("10.0.0.1", i)))
				}
			}
		}
		check(t, "announcements", strings.Join(want, "\n"), strings.Join(kinds[0], "\n"))
		if n := len(kinds[1]); n != 200*256*2 {
			t.Errorf("%d frames of lists, want %d", n, 200*256*2)
		}
		if s := a.Stats(); s.Dropped != 0 || s.Retries == 0 || s.Pending != 0 {
			t.Errorf("counters %+v", s)
		}
	})
}

// A queue that stays full costs its interface the frames, not the others theirs.
func TestStuckInterface(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		calls := 0
		r.accept = func(name string, frames [][]byte) (int, error) {
			if name == "eth0" {
				calls++
				return 0, ErrBusy
			}
			return len(frames), nil
		}
		a.Announce(append(vifs("eth0", "10.0.0.1", 100, 24), vif("eth1:10.1.0.1")), false)
		time.Sleep(time.Minute)
		s := a.Stats()
		if s.Announcements != 8 || s.Dropped != 8*100 || s.Pending != 0 {
			t.Errorf("counters %+v", s)
		}
		if calls > 4*150 {
			t.Errorf("%d tries", calls)
		}
		if lines := strings.Split(r.logged(), "\n"); len(lines) != 1 || lines[0] == "" {
			t.Errorf("log: %q", lines)
		}
	})
}

// Frames that were put off go with their virtual interface.
func TestWithdrawPutOff(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		var full atomic.Bool
		full.Store(true)
		r.accept = func(_ string, frames [][]byte) (int, error) {
			if full.Load() {
				return 0, ErrBusy
			}
			return len(frames), nil
		}
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1"), vif("eth0:10.0.0.2")}, false)
		synctest.Wait()
		a.Withdraw([]netip.Addr{ip("10.0.0.1")})
		full.Store(false)
		time.Sleep(100 * time.Millisecond)
		check(t, "frames", "0.001 eth0 announce 10.0.0.2\n0.001 eth0 gratuitous 10.0.0.2", r.text())
		if s := a.Stats(); s.Pending != 1 {
			t.Errorf("%d pending", s.Pending)
		}
	})
}

// Any other error costs the frames of the moment; the interface is looked at
// before the next.
func TestSendError(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		fail := true // only the Announcer's goroutine uses it
		r.accept = func(_ string, frames [][]byte) (int, error) {
			if fail {
				fail = false
				return 1, errors.New("send on eth0: no such device or address")
			}
			return len(frames), nil
		}
		a.Announce(vifs("eth0", "10.0.0.1", 3, 24), false)
		synctest.Wait()
		check(t, "frames", "0.000 eth0 announce 10.0.0.1", r.text())
		check(t, "log", "0.000 announce on eth0: send on eth0: no such device or address; 5 frames dropped, the interface is looked at again at the next repetition", r.logged())
		looks := r.looks()
		time.Sleep(1100 * time.Millisecond)
		if n := len(r.all()); n != 1+6 || r.looks() != looks+1 {
			t.Errorf("%d frames, looked at %d times", n, r.looks()-looks)
		}
	})
}

// Whatever happens in whatever order: nothing of a withdrawn interface leaves
// after Withdraw, the caps hold, what is not withdrawn is announced in full or
// counted as dropped, and all comes to rest.
func TestRandomOperations(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
				random, trouble := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
				held := make(map[netip.Addr]bool)
				mu := &r.mu
				troubled := false
				r.accept = func(name string, frames [][]byte) (int, error) {
					mu.Lock()
					defer mu.Unlock()
					for _, b := range frames {
						if f := readFrame(b); !held[f.addr] {
							t.Errorf("%v was withdrawn: %v", f.addr, f)
						}
					}
					if !troubled {
						return len(frames), nil
					}
					switch trouble.IntN(4) {
					case 0:
						return 0, ErrBusy
					case 1:
						return trouble.IntN(len(frames)), ErrBusy
					case 2:
						return trouble.IntN(len(frames)), errors.New("gone")
					}
					return len(frames), nil
				}
				pick := func() []VirtualInterface {
					n := 1 + random.IntN(60)
					return vifs(fmt.Sprint("eth", random.IntN(3)), fmt.Sprintf("10.0.%d.%d", random.IntN(2), random.IntN(200)), n, 20)
				}
				for range 200 {
					mu.Lock()
					troubled = random.IntN(3) == 0
					if name := fmt.Sprint("eth", random.IntN(3)); random.IntN(4) == 0 {
						r.errors[name] = [...]error{nil, errors.New("down"), ErrNoARP}[random.IntN(3)]
					}
					mu.Unlock()
					switch list := pick(); random.IntN(8) {
					case 0, 1, 2, 3:
						mu.Lock()
						for _, k := range keys(list) {
							held[k] = true
						}
						mu.Unlock()
						a.Announce(list, false)
					case 4, 5, 6:
						a.Withdraw(keys(list))
						mu.Lock()
						for _, k := range keys(list) {
							delete(held, k)
						}
						mu.Unlock()
					case 7:
						var entries []NotifyEntry
						for range random.IntN(4) {
							entries = append(entries, notify(fmt.Sprintf("10.0.0.0/%d", 20+random.IntN(12)), random.IntN(30), random.IntN(2) == 0))
						}
						a.Configure(Config{Notify: entries})
					}
					if random.IntN(3) > 0 {
						time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
					}
				}
				mu.Lock()
				troubled = false
				clear(r.errors)
				mu.Unlock()
				a.Configure(Config{})
				time.Sleep(time.Minute)
				if s := a.Stats(); s.Pending != 0 {
					t.Errorf("%d virtual interfaces pending for ever", s.Pending)
				}
				if n := mostInASecond(times(r.all())); n > frameCap {
					t.Errorf("%d frames in a second", n)
				}
				// And it still works as at first.
				list := vifs("eth1", "10.9.0.1", 150, 24)
				r.clear()
				mu.Lock()
				for _, k := range keys(list) {
					held[k] = true
				}
				mu.Unlock()
				a.Announce(list, false)
				time.Sleep(time.Minute)
				if n := len(r.all()); n != 150*8 {
					t.Errorf("%d frames of a last announcement, want %d", n, 150*8)
				}
			})
		})
	}
}

// An awkward is a Sender that works now and then.
type awkward struct {
	t     *testing.T
	calls int
	held  [4]atomic.Bool // by second byte of the address
	sent  atomic.Int64
}

func (s *awkward) Link(string) (LinkAddr, error) {
	s.calls++
	return ours, [...]error{nil, ErrNoARP, nil, errors.New("down")}[s.calls%4]
}

func (s *awkward) Send(_ string, frames [][]byte) (int, error) {
	for _, b := range frames {
		if f := readFrame(b); !s.held[f.addr.As4()[1]].Load() {
			s.t.Errorf("withdrawn: %v", f)
		}
	}
	s.sent.Add(int64(len(frames)))
	return len(frames), nil
}

// Commands from several goroutines at once, in real time.
func TestConcurrentCommands(t *testing.T) {
	s := &awkward{t: t}
	a := New(s, func(string, ...any) {})
	a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.0/8", 0, true)}})
	var callers sync.WaitGroup
	for i := range s.held {
		list := vifs("eth0", fmt.Sprintf("10.%d.0.1", i), 3*queueAtOnce+i, 16)
		callers.Go(func() {
			for n := range 100 {
				s.held[i].Store(true)
				a.Announce(list, false)
				if n%3 == 0 {
					a.Announce(list[n:], false)
				}
				a.MergePool([]Neighbour{{list[n].Key, other}})
				a.Stats()
				a.Withdraw(keys(list))
				s.held[i].Store(false)
			}
		})
	}
	callers.Wait()
	if got := a.Stats(); got.Pending != 0 {
		t.Errorf("%d virtual interfaces pending", got.Pending)
	}
	a.Close()
	if s.sent.Load() == 0 {
		t.Error("nothing was ever sent")
	}
}
