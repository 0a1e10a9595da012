// Run plays simulated clusters: run [-seeds N] [-start SEED]. It prints the seeds,
// how many view changes there were and how many a second, and the shortest script
// of the first world in which an invariant breaks.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"wackamole/internal/sim"
)

func main() {
	seeds := flag.Uint64("seeds", 10000, "how many worlds")
	start := flag.Uint64("start", uint64(time.Now().Unix()), "the first seed; by default the time")
	flag.Parse()
	fmt.Printf("seeds %d to %d\n", *start, *start+*seeds-1)
	begin := time.Now()
	var next, views atomic.Uint64
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for failed.Load() == nil {
				i := next.Add(1) - 1
				if i >= *seeds {
					return
				}
				n, err := sim.Play(*start + i)
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				views.Add(uint64(n))
			}
		})
	}
	workers.Wait()
	took := time.Since(begin)
	fmt.Printf("%d worlds, %d view changes in %.1f s: %.0f a second\n", min(next.Load(), *seeds), views.Load(),
		took.Seconds(), float64(views.Load())/took.Seconds())
	if err := failed.Load(); err != nil {
		fmt.Println(*err)
		os.Exit(1)
	}
}
