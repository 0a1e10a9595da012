package node

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/logger"
	"wackamole/rtnl"
)

// idle is a kernel, an announcer and a guard that do at once what they are told.
type idle struct{ results []rtnl.Result }

func (k *idle) Add(list []rtnl.Address, before func([]rtnl.Key), acked func([]rtnl.Address, []rtnl.Result)) []rtnl.Result {
	before(nil)
	for from, size := 0, 4; from < len(list); size *= 4 {
		to := min(from+size, len(list))
		acked(list[from:to], k.results[from:to])
		from = to
	}
	return k.results[:len(list)]
}

func (k *idle) Delete(list []rtnl.Address) []rtnl.Result { return k.results[:len(list)] }

func (k *idle) Addresses() ([]rtnl.Assigned, error)    { return nil, nil }
func (k *idle) Links() ([]rtnl.Link, error)            { return nil, nil }
func (k *idle) Neighbours() ([]rtnl.Neighbour, error)  { return nil, nil }
func (k *idle) Announce([]garp.VirtualInterface, bool) {}
func (k *idle) Withdraw([]netip.Addr)                  {}
func (k *idle) MergePool([]garp.Neighbour) int         { return 0 }
func (k *idle) Configure(garp.Config)                  {}
func (k *idle) Stats() garp.Stats                      { return garp.Stats{} }
func (k *idle) Close()                                 {}
func (k *idle) Hold([]rtnl.Key)                        {}
func (k *idle) Drop([]rtnl.Key)                        {}
func (k *idle) Beat()                                  {}
func (k *idle) Expired() bool                          { return false }
func (k *idle) Session(syscall.Conn)                   {}
func (k *idle) Restart([]rtnl.Key) error               { return nil }
func (k *idle) Done()                                  {}
func (k *idle) Log(logger.Level, string)               {}

// BenchmarkAddresses is what this package itself adds to a take-over and to the
// release after it, the log included.
func BenchmarkAddresses(b *testing.B) {
	for _, count := range []int{1, 254, 4000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			var c conf.Config
			k := &idle{}
			keys := make([]netip.Addr, count)
			for i := range count {
				keys[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
				c.Interfaces = append(c.Interfaces, conf.VirtualInterface{Addresses: []conf.Address{
					{Interface: "eth0", Prefix: netip.PrefixFrom(keys[i], 32), Network: 24}}})
				k.results = append(k.results, rtnl.Result{Outcome: rtnl.Added, Key: rtnl.Key{Index: 2, Addr: keys[i].As4(), Bits: 32}})
			}
			n := New(Options{Config: &c, Log: logger.New(k), Doors: Doors{Kernel: k, Announcer: k, Guard: k}})
			defer n.cancel()
			b.ReportAllocs()
			var took time.Duration
			for b.Loop() {
				began := time.Now()
				n.acquire(keys)
				took += time.Since(began)
				n.release(keys)
				n.logLines()
			}
			b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*count), "ns/acquired")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*count), "ns/address")
		})
	}
}
