// Demo shows a cluster of three wackamoles on this machine: nine virtual addresses are shared out, one node is
// killed, one leaves, both come back, the network is split and merged. It needs no root where user namespaces
// are allowed and touches nothing of the machine; package lab tells how.
//
// While it runs it draws who answers for each address, as a prober on the switch finds out by ARP: as a table
// that is drawn anew on a terminal, as a line for each change elsewhere. It ends with how long each address was
// unanswered and how long two nodes answered for it, in each act. The exit status is 0 if every address ended
// every act with exactly one holder in each part of the network, otherwise 1.
//
//	demo [-runs N] [-nodes N] [-addresses N] [-logs] WACKAMOLE
package main

import (
	"flag"
	"fmt"
	"os"

	"wackamole/internal/lab/cluster"
	"wackamole/internal/lab/vnet"
)

func main() { os.Exit(vnet.Reexec(vnet.Program(run))) }

func run() int {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	runs := flags.Int("runs", 1, "play everything `N` times and sum up")
	nodes := flags.Int("nodes", 3, "`N` nodes, at least 3")
	addresses := flags.Int("addresses", 9, "`N` virtual addresses")
	logs := flags.Bool("logs", false, "print what the nodes logged, also when all went well")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: demo [-runs N] [-nodes N] [-addresses N] [-logs] WACKAMOLE")
		flags.PrintDefaults()
	}
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	if flags.NArg() != 1 || *runs < 1 || *nodes < 3 || *addresses < *nodes {
		flags.Usage()
		return 2
	}
	if err := vnet.Inside(); err != nil {
		fmt.Fprintf(os.Stderr, "demo: this kernel gives it no network of its own: %v\n"+
			"It needs root, or user namespaces (sysctl user.max_user_namespaces above 0; on Ubuntu\n"+
			"kernel.apparmor_restrict_unprivileged_userns=0).\n", err)
		return 1
	}
	return play(*runs, *logs, cluster.Options{Binary: flags.Arg(0), Nodes: *nodes, Addresses: *addresses})
}

// play runs the acts as often as asked for and returns the exit status.
func play(runs int, logs bool, o cluster.Options) int {
	var sum summary
	status := 0
	for i := range runs {
		if runs > 1 {
			fmt.Printf("\n=== run %d of %d\n", i+1, runs)
		}
		results, err := playOnce(o, logs)
		printTables(os.Stdout, results)
		sum.add(results, err)
		if err != nil {
			fmt.Printf("\nFAILED: %v\n", err)
			status = 1
		} else {
			fmt.Println("\nEvery address ended every act with exactly one holder in each part of the network.")
		}
	}
	if runs > 1 {
		sum.print(os.Stdout)
	}
	return status
}
