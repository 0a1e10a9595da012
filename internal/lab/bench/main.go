// Bench measures how fast addresses are taken over and what a daemon costs, next to what the kernel itself needs
// for it (the floor) and to other programs that are installed: ip -batch, keepalived, and the original wackamole if
// the environment variable WACKAMOLE_ORIGINAL has its path.
//
//	bench [-runs N] [-small] [-o RESULTS.txt] [-svg PICTURE.svg] WACKAMOLE
//
// It needs no root where user namespaces are allowed and touches nothing of the machine. The daemon under test is a
// real process on a host of its own, a network namespace; this program is its Spread daemon, the other member of
// its group, and the other host on its network (see wire, spread and member):
//
//	+------------ this program -------------+        +-- host under test --+
//	| other member -- Spread daemon ------ unix socket -- wackamole, guard |
//	| packet ring, far end of a cable ----- veth ----- bench0, kernel      |
//	+---------------------------------------+        +---------------------+
//
// The other member holds everything; as soon as it leaves, Spread tells the daemon under test, which answers with its
// STATE and gets that back as the last one: here a take-over begins. It ends with the last address in the kernel, of
// which the kernel tells a listener, and with the last announcement, which the kernel stamps at the far end of
// the cable. When the other member comes back, everything is released again.
//
// All contestants take turns, in an order drawn anew for each round, so that what else the machine does hits all of
// them; each line is the median of as many rounds as -runs says, and the least and the most. What counts are the
// ratios to the floor, taken round by round. -small is one quick go through everything, for tests.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"wackamole/internal/lab/vnet"
)

func main() { os.Exit(vnet.Reexec(vnet.Program(run))) }

func run() int {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	runs := flags.Int("runs", 10, "rounds of each measurement, `N`")
	small := flags.Bool("small", false, "one quick go through everything, with few addresses")
	text := flags.String("o", "", "write the results to this `file` too")
	svg := flags.String("svg", "", "draw the picture into this `file`")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: bench [-runs N] [-small] [-o RESULTS.txt] [-svg PICTURE.svg] WACKAMOLE")
		flags.PrintDefaults()
	}
	if err := flags.Parse(os.Args[1:]); err != nil {
		return 2
	}
	if flags.NArg() != 1 || *runs < 1 {
		flags.Usage()
		return 2
	}
	if err := bench(flags.Arg(0), *runs, *small, *text, *svg); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		return 1
	}
	return 0
}

func bench(binary string, runs int, small bool, text, svg string) error {
	if err := vnet.Inside(); err != nil {
		return fmt.Errorf("this kernel gives it no network of its own: %w\n"+
			"It needs root, or user namespaces (sysctl user.max_user_namespaces above 0; on Ubuntu\n"+
			"kernel.apparmor_restrict_unprivileged_userns=0)", err)
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	p := full(runs)
	if small {
		p = quick()
	}
	began := now()
	r, failed := p.measure(binary, func(what string) {
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", (now() - began).Seconds(), what)
	})
	r.write(os.Stdout)
	if text != "" {
		err = writeFile(text, func(f *os.File) error { r.write(f); return nil })
		failed = errors.Join(failed, err)
	}
	if svg != "" {
		failed = errors.Join(failed, writeFile(svg, func(f *os.File) error { return r.picture.write(f) }))
	}
	return failed
}

func writeFile(path string, write func(*os.File) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
