package garp

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func check(t *testing.T, what, want, got string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Without any Notify list the network is told all the same, in both forms, at
// once and after about 1, 2 and 5 seconds, and then nothing remains.
func TestDefaultAnnouncements(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1", "eth1:192.0.2.1"), vif("eth0:10.0.0.2")}, false)
		time.Sleep(time.Minute)
		check(t, "frames", `0.000 eth0 announce 10.0.0.1
0.000 eth0 announce 10.0.0.2
0.000 eth1 announce 192.0.2.1
0.000 eth0 gratuitous 10.0.0.1
0.000 eth0 gratuitous 10.0.0.2
0.000 eth1 gratuitous 192.0.2.1
1.050 eth0 announce 10.0.0.1
1.050 eth0 announce 10.0.0.2
1.050 eth1 announce 192.0.2.1
1.050 eth0 gratuitous 10.0.0.1
1.050 eth0 gratuitous 10.0.0.2
1.050 eth1 gratuitous 192.0.2.1
2.050 eth0 announce 10.0.0.1
2.050 eth0 announce 10.0.0.2
2.050 eth1 announce 192.0.2.1
2.050 eth0 gratuitous 10.0.0.1
2.050 eth0 gratuitous 10.0.0.2
2.050 eth1 gratuitous 192.0.2.1
5.050 eth0 announce 10.0.0.1
5.050 eth0 announce 10.0.0.2
5.050 eth1 announce 192.0.2.1
5.050 eth0 gratuitous 10.0.0.1
5.050 eth0 gratuitous 10.0.0.2
5.050 eth1 gratuitous 192.0.2.1`, r.text())
		want := Stats{Announcements: 24}
		got := a.Stats()
		got.Wakeups = 0
		if got != want {
			t.Errorf("counters %+v, want %+v", got, want)
		}
	})
}

func TestWithdrawCancelsAll(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{{Interface: "eth0", Block: netip.MustParsePrefix("10.0.0.0/24"), Throttle: 1}}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1", "eth1:192.0.2.1"), vif("eth0:10.0.0.2")}, false)
		time.Sleep(1500 * time.Millisecond)
		a.Withdraw([]netip.Addr{ip("10.0.0.1"), ip("10.0.0.77")})
		r.clear()
		time.Sleep(700 * time.Millisecond)
		check(t, "frames afterwards", `2.000 eth0 tell 10.0.0.2 to 10.0.0.2 x2
2.050 eth0 announce 10.0.0.2
2.050 eth0 gratuitous 10.0.0.2`, r.text())
		a.Withdraw([]netip.Addr{ip("10.0.0.2")})
		r.clear()
		time.Sleep(time.Hour)
		check(t, "frames after all were withdrawn", "", r.text())
		if s := a.Stats(); s.Pending != 0 {
			t.Errorf("%d virtual interfaces pending", s.Pending)
		}
	})
}

// An address that is kept in a conflict is announced again from the start.
func TestAnnounceAgain(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, false)
		time.Sleep(1500 * time.Millisecond)
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, false)
		time.Sleep(time.Minute)
		check(t, "frames", `0.000 eth0 announce 10.0.0.1
0.000 eth0 gratuitous 10.0.0.1
1.050 eth0 announce 10.0.0.1
1.050 eth0 gratuitous 10.0.0.1
1.500 eth0 announce 10.0.0.1
1.500 eth0 gratuitous 10.0.0.1
2.550 eth0 announce 10.0.0.1
2.550 eth0 gratuitous 10.0.0.1
3.550 eth0 announce 10.0.0.1
3.550 eth0 gratuitous 10.0.0.1
6.550 eth0 announce 10.0.0.1
6.550 eth0 gratuitous 10.0.0.1`, r.text())
	})
}

// What cannot be announced is left out; what is said twice is done once.
func TestOddVirtualInterfaces(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		six := VirtualInterface{Key: ip("::1"), Addresses: []Address{{Addr: ip("::1"), Interface: "eth0"}, {Interface: "eth0"}}}
		noNetwork := VirtualInterface{Key: ip("10.0.0.1"), Addresses: []Address{{Addr: ip("10.0.0.1"), Interface: "eth0"}}}
		a.Configure(Config{Notify: []NotifyEntry{
			{Interface: "eth0", Block: netip.MustParsePrefix("0.0.0.0/0")},
			{Interface: "eth0"},
			{Interface: "eth0", Block: netip.MustParsePrefix("::/0")},
		}})
		a.Announce(nil, false)
		a.Announce([]VirtualInterface{six, {}, noNetwork, noNetwork}, false)
		check(t, "frames", `0.000 eth0 announce 10.0.0.1
0.000 eth0 gratuitous 10.0.0.1
0.000 eth0 tell 10.0.0.1 to 10.0.0.1 x2`, r.text())
		if s := a.Stats(); s.Pending != 1 {
			t.Errorf("%d virtual interfaces pending, want 1", s.Pending)
		}
	})
}

// The first frame of every address leaves before the second of any, over all
// interfaces and calls, and so on for each repetition.
func TestFirstBeforeSecond(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		// The first batch is under way until all are announced: then all are there
		// to choose from.
		announced := make(chan bool)
		r.accept = func(_ string, frames [][]byte) (int, error) {
			<-announced
			return len(frames), nil
		}
		list := vifs("eth0", "10.0.0.1", 700, 16)
		list = append(list, vifs("eth1", "10.1.0.1", 300, 16)...)
		list = append(list, vifs("eth2", "10.2.0.1", 1, 16)...)
		for len(list) > 0 { // as the kernel acknowledges them: by and by
			n := min(len(list), 90)
			a.Announce(list[:n], false)
			list = list[n:]
		}
		close(announced)
		time.Sleep(time.Minute)
		seen := make(map[netip.Addr]int)
		atLeast := 0
		for i, f := range r.all() {
			seen[f.addr]++
			if seen[f.addr] > atLeast+1 {
				t.Fatalf("frame %d, %v, is its address's number %d, but others have had %d", i, f, seen[f.addr], atLeast)
			}
			if (i+1)%1001 == 0 {
				atLeast++
			}
		}
		if atLeast != 8 {
			t.Errorf("%d frames an address, want 8", atLeast)
		}
	})
}

// What is less urgent waits for more addresses, but not for ever, and not where the
// last of them have nothing to announce.
func TestMoreToCome(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{notify("10.0.0.9/32", 0, false)}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, true)
		time.Sleep(20 * time.Millisecond)
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.2")}, true)
		time.Sleep(time.Second)
		a.Announce([]VirtualInterface{vif("eth1:10.0.0.3")}, true)
		time.Sleep(20 * time.Millisecond)
		a.Announce(nil, false)
		time.Sleep(10 * time.Millisecond)
		check(t, "frames", `0.000 eth0 announce 10.0.0.1
0.020 eth0 announce 10.0.0.2
0.070 eth0 gratuitous 10.0.0.1
0.070 eth0 gratuitous 10.0.0.2
0.070 eth0 tell 10.0.0.1 to 10.0.0.9 x2
0.070 eth0 tell 10.0.0.2 to 10.0.0.9 x2
1.020 eth1 announce 10.0.0.3
1.040 eth1 gratuitous 10.0.0.3`, r.text())
	})
}

// Addresses that come one by one share their repetitions' wake-ups, and no
// repetition is early or much too late.
func TestRepetitionsAreSharedOut(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		began := make(map[netip.Addr]time.Duration)
		for _, v := range vifs("eth0", "10.0.0.1", 400, 16) {
			began[v.Key] = time.Since(r.start)
			a.Announce([]VirtualInterface{v}, false)
			time.Sleep(time.Millisecond)
		}
		calls := a.Stats().Wakeups
		time.Sleep(time.Minute)
		if repeats := a.Stats().Wakeups - calls; repeats > 60 {
			t.Errorf("%d wake-ups for the repetitions of 400 addresses", repeats)
		}
		rounds := make(map[netip.Addr]int)
		for _, f := range r.all() {
			if f.kind != "announce" {
				continue
			}
			late := f.at - began[f.addr] - repeats[rounds[f.addr]]
			if late < 0 || late > 3*together {
				t.Errorf("%v is %v late", f, late)
			}
			rounds[f.addr]++
		}
		for addr := range began {
			if rounds[addr] != len(repeats) {
				t.Errorf("%v was announced %d times", addr, rounds[addr])
			}
		}
	})
}

// No call waits while the Sender is busy, but Withdraw for what is on its way.
func TestCommandsDuringASend(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		sending, goOn, over := make(chan bool), make(chan bool), make(chan bool)
		r.accept = func(name string, frames [][]byte) (int, error) {
			select {
			case sending <- true:
				<-goOn
			case <-over:
			}
			return len(frames), nil
		}
		defer close(over)
		next := func() {
			goOn <- true
			<-sending
		}
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, false)
		<-sending
		// None of these can wait: nobody would let the Sender go on.
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.2"), vif("eth0:10.0.0.3")}, false)
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.2")}, false)
		a.Withdraw([]netip.Addr{ip("10.0.0.3")})
		a.Configure(Config{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}})
		a.MergePool([]Neighbour{{Addr: ip("10.0.0.9"), Link: other}})
		if n := len(a.Pool()); n != 1 {
			t.Errorf("%d neighbours", n)
		}
		a.Stats()

		withdrawn := make(chan bool)
		go func() {
			a.Withdraw([]netip.Addr{ip("10.0.0.1")})
			close(withdrawn)
		}()
		synctest.Wait()
		select {
		case <-withdrawn:
			t.Error("withdrawn while its frame was on its way")
		default:
		}
		next()
		<-withdrawn
		check(t, "frames", "0.000 eth0 announce 10.0.0.1", r.text())
		next()
		check(t, "frames", "0.000 eth0 announce 10.0.0.1\n0.000 eth0 announce 10.0.0.2", r.text())

		// On its way is a frame of an entry that has been replaced since.
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.2")}, false)
		withdrawn = make(chan bool)
		go func() {
			a.Withdraw([]netip.Addr{ip("10.0.0.2")})
			close(withdrawn)
		}()
		synctest.Wait()
		select {
		case <-withdrawn:
			t.Error("withdrawn while the frame of its predecessor was on its way")
		default:
		}
		goOn <- true
		<-withdrawn
		check(t, "frames", "0.000 eth0 announce 10.0.0.1\n0.000 eth0 announce 10.0.0.2\n0.000 eth0 gratuitous 10.0.0.2", r.text())
	})
}

// With nothing pending nothing wakes the machine up.
func TestAsleepWhenIdle(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{{Interface: "eth0", Block: netip.MustParsePrefix("10.0.0.0/30"), Throttle: 2}}})
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := a.Stats().Wakeups
		if before > 10 {
			t.Errorf("%d wake-ups for one address", before)
		}
		time.Sleep(24 * time.Hour)
		if woken := a.Stats().Wakeups - before; woken != 0 {
			t.Errorf("%d wake-ups in a day with nothing to do", woken)
		}
	})
}

func TestCloseDropsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTape(t)
		a := New(r, r.logf)
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.1")}, false)
		synctest.Wait()
		a.Close()
		r.clear()
		a.Announce([]VirtualInterface{vif("eth0:10.0.0.2")}, false)
		a.Withdraw([]netip.Addr{ip("10.0.0.1")})
		time.Sleep(time.Minute)
		check(t, "frames after Close", "", r.text())
	})
}

// Ten thousand take-overs leave nothing behind.
func TestNothingAccumulates(t *testing.T) {
	fakeTime(t, func(t *testing.T, a *Announcer, r *tape) {
		a.Configure(Config{Notify: []NotifyEntry{
			{Interface: "eth0", Block: netip.MustParsePrefix("10.0.0.0/16"), Throttle: 1},
			{Interface: "eth0", Block: netip.MustParsePrefix("10.0.0.0/16")},
		}})
		list := vifs("eth0", "10.0.0.1", 20, 16)
		for range 500 {
			a.Announce(list, false)
			time.Sleep(10 * time.Millisecond)
			a.Withdraw(keys(list))
			r.clear()
		}
		synctest.Wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.virtuals)+len(a.waiting) != 0 {
			t.Errorf("%d virtual interfaces, %d lists left", len(a.virtuals), len(a.waiting))
		}
		for _, l := range a.links {
			if len(l.bursts)+len(l.ready) != 0 || l.again[0] != nil || l.again[1] != nil {
				t.Errorf("%s: %d bursts, %d lists left", l.name, len(l.bursts), len(l.ready))
			}
		}
	})
}

// What is asked for waits within a bound where the goroutine has no time for it.
func TestUnqueuedIsBounded(t *testing.T) {
	a := newAnnouncer(&awkward{t: t}, t.Logf)
	list := vifs("eth0", "10.0.0.1", unqueuedMost/3, 16)
	for range 100 {
		a.announce(list, false, time.Now())
		if a.unqueued > unqueuedMost || len(a.asked) > 3 {
			t.Fatalf("%d virtual interfaces in %d requests wait", a.unqueued, len(a.asked))
		}
	}
	if s := a.Stats(); s.Pending != len(list) || a.unqueued != 0 || a.asked != nil {
		t.Errorf("%d pending, %d of them not in the queues", s.Pending, a.unqueued)
	}
	a.Withdraw(keys(list))
	if s := a.Stats(); s.Pending != 0 || a.virtuals != nil {
		t.Errorf("%d pending after all were withdrawn", s.Pending)
	}
}
