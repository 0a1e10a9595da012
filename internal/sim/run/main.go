// Run plays simulated clusters: run [-seeds N] [-start SEED], or scripts of worlds:
// run FILE... It prints the seeds, how many view changes there were and how many a
// second, and the smallest script found of the first world in which an invariant
// breaks.
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
	err := scripts(flag.Args())
	if flag.NArg() == 0 {
		err = worlds(*start, *seeds)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func scripts(files []string) error {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		s, err := sim.ParseScript(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := sim.Replay(s); err != nil {
			return err
		}
		fmt.Printf("%s: every invariant holds\n", file)
	}
	return nil
}

func worlds(start, seeds uint64) error {
	fmt.Printf("seeds %d to %d\n", start, start+seeds-1)
	begin := time.Now()
	var next, played atomic.Uint64
	var total sim.Counts
	var sum sync.Mutex
	var failed atomic.Pointer[error]
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for failed.Load() == nil {
				i := next.Add(1) - 1
				if i >= seeds {
					return
				}
				n, err := sim.Play(start + i)
				if err != nil {
					err = fmt.Errorf("# seed %d\n%w", start+i, err)
					failed.CompareAndSwap(nil, &err)
					return
				}
				played.Add(1)
				sum.Lock()
				total.Add(n)
				sum.Unlock()
			}
		})
	}
	workers.Wait()
	took := time.Since(begin).Seconds()
	fmt.Printf("%d worlds, %d view changes in %.1f s: %.0f a second\n",
		played.Load(), total.Views, took, float64(total.Views)/took)
	fmt.Printf("%d views and messages delivered, %d conflicts, %d rounds of balancing, %d times without a silent member, %d rejoined, %d reloads\n",
		total.Deliveries, total.Conflicts, total.Balances, total.Withouts, total.Rejoins, total.Renewals)
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
