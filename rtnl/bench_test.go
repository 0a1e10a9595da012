package rtnl

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkFloor compares Add and Delete with the floor: the same messages
// prepared beforehand and sent in a loop that does nothing else. "add/floor" and
// "delete/floor" are the ratios of the medians.
func BenchmarkFloor(b *testing.B) {
	if !inNamespace(b) {
		return
	}
	h := newHost(b)
	h.link("eth0")
	raw, err := openSocket()
	if err != nil {
		b.Fatal(err)
	}
	defer raw.close()
	for _, bits := range []int{32, 8} {
		for _, n := range []int{1, 10, 100, 254, 1000, 4000} {
			b.Run(fmt.Sprintf("prefix=%d/n=%d", bits, n), func(b *testing.B) {
				list := many("eth0", n, bits)
				h.add("eth0", "10.255.0.1/8")
				defer h.Delete(addresses("eth0", "10.255.0.1/8"))
				add := prepare(h, list, unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
				remove := prepare(h, list, unix.RTM_DELADDR, 0)
				var times [4][]time.Duration
				measure := func(i int, f func()) {
					start := time.Now()
					f()
					times[i] = append(times[i], time.Since(start))
				}
				for b.Loop() {
					measure(0, func() { push(b, raw, add) })
					measure(1, func() { push(b, raw, remove) })
					measure(2, func() { h.Add(list, nil, nil) })
					measure(3, func() { h.Delete(list) })
				}
				median := func(i int) float64 {
					slices.Sort(times[i])
					return float64(times[i][len(times[i])/2].Nanoseconds())
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(median(0)/1e3, "µs-floor-add")
				b.ReportMetric(median(2)/median(0), "add/floor")
				b.ReportMetric(median(1)/1e3, "µs-floor-delete")
				b.ReportMetric(median(3)/median(1), "delete/floor")
			})
		}
	}
}

// prepare returns the messages for list in chunks, the last of each to be
// acknowledged.
func prepare(h *host, list []Address, kind, flags uint16) (chunks [][]byte) {
	index := h.index("eth0")
	for from := 0; from < len(list); from += chunk {
		part := list[from:min(from+chunk, len(list))]
		var b []byte
		for i, a := range part {
			m := addressMessage{key: a.key(index), peer: a.key(index).Addr}
			if kind == unix.RTM_NEWADDR {
				m.broadcast, m.hasBroadcast = a.broadcast()
				m.label = []byte(a.Label)
			}
			f := flags | unix.NLM_F_REQUEST
			if i == len(part)-1 {
				f |= unix.NLM_F_ACK
			}
			start := len(b)
			b = finish(m.append(begin(b, kind, f, uint32(i))), start)
		}
		chunks = append(chunks, b)
	}
	return chunks
}

func push(b *testing.B, s *socket, chunks [][]byte) {
	var answer [4096]byte
	for _, c := range chunks {
		if err := s.send(c); err != nil {
			b.Fatal(err)
		}
		if _, err := s.receive(answer[:]); err != nil {
			b.Fatal(err)
		}
		if m, _, err := next(answer[:]); err != nil || m.kind != unix.NLMSG_ERROR || order.Uint32(m.body) != 0 {
			b.Fatal("refused")
		}
	}
}
