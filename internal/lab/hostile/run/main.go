// Hostile joins the wackamole group of a real Spread daemon as a member that misbehaves, to see by hand what
// package hostile's tests see in the lab. Never point it at a cluster that somebody needs.
//
//	hostile [-s SPREAD] [-g GROUP] [-u USER] [-a ADDRESS] [-for DURATION] BEHAVIOUR KEY...
//
// The keys are the first addresses of the cluster's virtual interfaces, in the order of its configuration.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"time"

	"wackamole/alloc"
	"wackamole/internal/lab/hostile"
)

// A job is one run of a behaviour.
type job struct {
	*hostile.Member
	address     netip.Addr
	keys        []netip.Addr
	fingerprint uint64
}

// behaviours by name. Each goes on until ctx ends.
var behaviours = map[string]func(ctx context.Context, j job) error{
	"silent": func(ctx context.Context, j job) error { return j.wait(ctx, nil) },
	"answer": func(ctx context.Context, j job) error {
		return j.wait(ctx, func() { hostile.Answer(j.Member, j.address, j.fingerprint) })
	},
	"claim": func(ctx context.Context, j job) error {
		return j.wait(ctx, func() { hostile.Claim(j.Member, j.address, j.keys, j.fingerprint) })
	},
	"expel": func(ctx context.Context, j job) error {
		return j.wait(ctx, func() { hostile.Expel(j.Member, j.address, j.fingerprint) })
	},
	"flood": func(ctx context.Context, j job) error { return j.flood(ctx, false) },
	"large": func(ctx context.Context, j job) error { return j.flood(ctx, true) },
	"loop": func(ctx context.Context, j job) error {
		turns := 0
		for ; ctx.Err() == nil; turns++ {
			if err := hostile.JoinLeave(ctx, j.Member, 1, 0); err != nil && ctx.Err() == nil {
				return err
			}
		}
		fmt.Printf("joined and left %d times\n", turns)
		return nil
	},
}

// wait joins and waits for the end.
func (j job) wait(ctx context.Context, answer func()) error {
	if answer != nil {
		answer()
	}
	if err := j.Join(); err != nil {
		return err
	}
	<-ctx.Done()
	v, views := j.View()
	fmt.Printf("%d views, the last: %v\n", views, v.Members)
	return nil
}

// flood joins, answers, and sends what no other member believes.
func (j job) flood(ctx context.Context, large bool) error {
	hostile.Answer(j.Member, j.address, j.fingerprint)
	if err := j.Join(); err != nil {
		return err
	}
	v, err := j.Await(ctx, func(v hostile.View, _ int) bool { return v.Index >= 0 })
	if err != nil {
		return err
	}
	frames := hostile.Small(j.Member, v, j.address, j.keys)
	if large {
		frames = hostile.Large(j.Member, v, j.address)
	}
	began := time.Now()
	sent, err := hostile.Flood(ctx, j.Member, frames, len(frames), nil)
	fmt.Printf("%d messages in %v\n", sent, time.Since(began))
	return err
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "hostile: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	spread := flag.String("s", "4803", "the Spread daemon, as the configuration's `Spread` says it")
	group := flag.String("g", "wack1", "`group` to join")
	user := flag.String("u", hostile.Last, "private `name`; $first leads a view, ~last is its last member")
	address := flag.String("a", "10.77.0.66", "real `address` to go by")
	limit := flag.Duration("for", 10*time.Second, "how long")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: hostile [options] BEHAVIOUR KEY...\nbehaviours: %v\n", slices.Sorted(maps.Keys(behaviours)))
		flag.PrintDefaults()
	}
	flag.Parse()
	do := behaviours[flag.Arg(0)]
	if do == nil {
		flag.Usage()
		return fmt.Errorf("no behaviour %q", flag.Arg(0))
	}
	j := job{}
	var err error
	if j.address, err = netip.ParseAddr(*address); err != nil {
		return err
	}
	var list []alloc.VirtualInterface
	for _, arg := range flag.Args()[1:] {
		key, err := netip.ParseAddr(arg)
		if err != nil {
			return err
		}
		j.keys = append(j.keys, key)
		list = append(list, alloc.VirtualInterface{Addresses: []netip.Addr{key}})
	}
	if len(j.keys) == 0 {
		return fmt.Errorf("name the virtual interfaces")
	}
	j.fingerprint = alloc.Fingerprint(list)
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	defer cancel()
	if j.Member, err = hostile.Dial(ctx, *spread, *user, *group); err != nil {
		return err
	}
	defer j.Close()
	return do(ctx, j)
}
