package garp

import (
	"errors"
	"flag"
	"slices"
	"testing"
	"time"
)

// BenchmarkFrames builds both forms of the announcements of 4,000 addresses, in
// batches as they are sent.
func BenchmarkFrames(b *testing.B) {
	l := &link{name: left, addr: ours}
	addresses := make([]address, 4000)
	for i := range addresses {
		addresses[i] = address{ip: nth("10.0.0.1", i).As4(), link: l, owner: &virtual{}}
	}
	out := newBatch()
	b.ReportAllocs()
	for b.Loop() {
		for _, reply := range []bool{false, true} {
			for i := range addresses {
				if out.room() == 0 {
					out.reset(l, announcement)
				}
				out.announce(&addresses[i], reply)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8000, "ns/frame")
}

// BenchmarkOverhead is the first announcements of 4,000 addresses with a Sender
// that costs nothing: what the Announcer adds to the kernel's time.
func BenchmarkOverhead(b *testing.B) {
	list := vifs(left, "10.0.0.1", 4000, 8)
	names := keys(list)
	sent, done := 0, make(chan bool, 1)
	a := newAnnouncer(senderFunc(func(_ string, frames [][]byte) (int, error) {
		if sent += len(frames); sent == 8000 {
			done <- true
		}
		return len(frames), nil
	}), b.Logf)
	a.limit.cap = 1 << 30 // it would cap the benchmark
	go a.run()
	defer a.Close()
	b.ReportAllocs()
	for b.Loop() {
		a.Announce(list, false)
		<-done
		a.Withdraw(names)
		sent = 0
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/8000, "ns/frame")
}

// A counter is a Sender that tells when a number of frames was sent.
type counter struct {
	*Sockets
	left int
	done chan time.Time
}

func (c *counter) Send(name string, frames [][]byte) (int, error) {
	n, err := c.Sockets.Send(name, frames)
	if c.left > 0 && c.left <= n {
		c.done <- time.Now()
	}
	c.left -= n
	return n, err
}

// BenchmarkAnnounce compares the first announcements of V addresses, from the
// call of Announce until the kernel has taken the last frame, with the floor:
// the same number of prepared frames pushed through the same kind of socket by
// sendmmsg, in a loop that does nothing else. They take turns; the figures are medians.
func BenchmarkAnnounce(b *testing.B) {
	if !inNamespace(b, "-test.benchtime="+flag.Lookup("test.benchtime").Value.String()) {
		return
	}
	newWire(b)
	floorSockets := newSockets(b)
	from, err := floorSockets.Link(left)
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name  string
		count int
	}{{"1", 1}, {"254", 254}, {"1000", 1000}, {"4000", 4000}} {
		b.Run(bench.name, func(b *testing.B) {
			list := vifs(left, "10.0.0.1", bench.count, 8)
			names := keys(list)
			var frames [][]byte
			for _, v := range list {
				frames = append(frames, AppendAnnouncement(nil, from, v.Key.As4()))
			}
			for _, v := range list {
				frames = append(frames, AppendGratuitousReply(nil, from, v.Key.As4()))
			}
			push := func() {
				for rest := frames; len(rest) > 0; {
					n, err := floorSockets.Send(left, rest)
					if err != nil && !errors.Is(err, ErrBusy) {
						b.Fatal(err)
					}
					rest = rest[n:]
				}
			}
			sender := &counter{Sockets: newSockets(b), done: make(chan time.Time, 1)}
			a := newAnnouncer(sender, b.Logf)
			a.limit.cap = 1 << 30 // it would cap the benchmark
			go a.run()
			defer a.Close()

			var floor, ours []time.Duration
			for b.Loop() {
				start := time.Now()
				push()
				floor = append(floor, time.Since(start))

				sender.left = len(frames)
				start = time.Now()
				a.Announce(list, false)
				ours = append(ours, (<-sender.done).Sub(start))
				a.Withdraw(names)
			}
			b.ReportMetric(float64(median(floor)), "floor-ns")
			b.ReportMetric(float64(median(ours)), "ours-ns")
			b.ReportMetric(float64(median(ours))/float64(median(floor)), "ours/floor")
			b.ReportMetric(0, "ns/op") // of both together, which says nothing
		})
	}
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}
