package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"wackamole/internal/lab/vnet"
)

func main() { os.Exit(vnet.Reexec(vnet.Program(run))) }

func run() int {
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	length := flags.Duration("for", 10*time.Minute, "begin no round after this `time`")
	rounds := flags.Int("rounds", 0, "at most `N` rounds; 0: as many as fit")
	seed := flags.Uint64("seed", 0, "draw the rounds from this `number`; 0: from another one each time")
	nodes := flags.Int("nodes", 0, "`N` nodes, 2 to 8; 0: 3 to 5, by the seed")
	only := flags.String("only", "", "only these `faults`, separated by commas")
	logs := flags.Bool("logs", false, "print what the nodes logged, also when all went well")
	takeovers := flags.Int("takeovers", 0, "instead of faults, drive one daemon through `N` take-overs and see whether it grows")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: soak [-for TIME] [-rounds N] [-seed N] [-nodes N] [-only FAULT,...] [-logs] WACKAMOLE\n"+
			"       soak -takeovers N WACKAMOLE")
		flags.PrintDefaults()
		fmt.Fprintln(flags.Output(), "faults:")
		for _, k := range kinds(nil) {
			fmt.Fprintf(flags.Output(), "  %s\n", k.name)
		}
	}
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	chosen, ok := choose(*only)
	if flags.NArg() != 1 || !ok || *nodes != 0 && (*nodes < 2 || *nodes > 8) {
		flags.Usage()
		return 2
	}
	if err := vnet.Inside(); err != nil {
		fmt.Fprintf(os.Stderr, "soak: this kernel gives it no network of its own: %v\n"+
			"It needs root, or user namespaces (sysctl user.max_user_namespaces above 0; on Ubuntu\n"+
			"kernel.apparmor_restrict_unprivileged_userns=0).\n", err)
		return 1
	}
	if *takeovers > 0 {
		return done(takeOver(flags.Arg(0), *takeovers, os.Stdout))
	}
	o := options{binary: flags.Arg(0), nodes: *nodes, length: *length, rounds: *rounds, seed: *seed, kinds: chosen, logs: *logs}
	for o.seed == 0 {
		o.seed = rand.Uint64N(1 << 32)
	}
	if o.nodes == 0 {
		o.nodes = 3 + int(o.seed%3)
	}
	fmt.Printf("seed %d, %d nodes\n", o.seed, o.nodes)
	return done(soakFor(o, os.Stdout))
}

// done reports how it went and returns the exit status.
func done(err error) int {
	if err != nil {
		fmt.Printf("\nFAILED: %v\n", err)
		return 1
	}
	fmt.Println("\nAll went well.")
	return 0
}

// choose picks the faults that are named.
func choose(only string) (list []kind, ok bool) {
	var names []string
	for _, name := range strings.Split(only, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	list = kinds(names)
	for _, name := range names {
		if !slices.ContainsFunc(list, func(k kind) bool { return k.name == name }) {
			return nil, false
		}
	}
	return list, true
}
