package main

import (
	"bytes"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"wackamole/internal/cli"
	"wackamole/internal/guard"
	"wackamole/internal/lab/vnet"
)

// wackamole makes this test binary the program that soak runs: the arguments that it is started with are those of
// a daemon, of a controller or of a guard.
func wackamole(args []string) bool {
	return guard.IsGuard(args) || len(args) > 1 && (args[1] == "-d" || args[1] == "ctl")
}

func TestMain(m *testing.M) {
	if wackamole(os.Args) {
		os.Exit(cli.Main(os.Args, os.Stdout, os.Stderr))
	}
	os.Exit(vnet.Reexec(m))
}

func program(t *testing.T) string {
	t.Helper()
	vnet.Require(t)
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Some faults that are quick, and the one that is judged in two parts.
func TestSoak(t *testing.T) {
	chosen, ok := choose("kill daemon, interface gone, addresses flushed, split")
	if !ok {
		t.Fatal("a fault has another name now")
	}
	if testing.Short() {
		chosen = chosen[:2]
	}
	for i := range chosen {
		chosen[i].alone = true
		chosen[i].most = chosen[i].least
	}
	var out bytes.Buffer
	o := options{binary: program(t), nodes: 3, length: time.Hour, rounds: len(chosen), seed: 1, kinds: chosen}
	err := soakFor(o, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, k := range chosen {
		if !strings.Contains(out.String(), "\n"+k.name) {
			t.Errorf("no figures for %s:\n%s", k.name, out.String())
		}
	}
}

func TestTakeOvers(t *testing.T) {
	var out bytes.Buffer
	if err := takeOver(program(t), 1, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "1000 take-overs, 50 at a time, and 2 disturbances") {
		t.Errorf("printed:\n%s", out.String())
	}
}

// A daemon that forgets its addresses when it is killed together with its guard, and a cluster that is not whole,
// are seen.
func TestNotQuiet(t *testing.T) {
	w, err := newWorld(program(t), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, n := range w.nodes {
		if err := w.start(n); err != nil {
			t.Fatal(err)
		}
	}
	all := everybody(2, vifs)
	if _, err := w.await(all); err != nil {
		t.Fatal(err)
	}
	p := planned{node: 2, at: eth0}
	if err := faultNamed("kill both").strike(w, p); err != nil {
		t.Fatal(err)
	}
	for what, e := range map[string]expectation{"all": all, "the other alone": all.without(2)} {
		found, err := w.problems(e)
		if err != nil || len(found) == 0 {
			t.Errorf("killed with its guard, expecting %s: %v, no problem found", what, err)
		}
	}
	if err := w.node(2).unplug(eth1); err != nil {
		t.Fatal(err)
	}
	found, err := w.problems(expectation{untouched: []int{2}})
	if err != nil || len(found) != 1+len(foreign(2, eth1)) {
		t.Errorf("without its interface: %q, %v; want each of its own addresses missed", found, err)
	}
}

func TestFaultsAreWhole(t *testing.T) {
	seen := make(map[string]bool)
	document, err := os.ReadFile("soak.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		switch {
		case seen[f.name]:
			t.Errorf("%s: twice", f.name)
		case f.strike == nil || f.heal == nil || f.weight < 1 || f.resource == "" || f.least <= 0 || f.most < f.least:
			t.Errorf("%s: not complete", f.name)
		case len(f.name) > 19:
			t.Errorf("%s: too long for the table", f.name)
		case !strings.Contains(string(document), "\n//\t"+f.name+" "):
			t.Errorf("%s: not in the table of the package comment", f.name)
		}
		seen[f.name] = true
	}
}

func TestLists(t *testing.T) {
	for _, list := range [][]vif{vifs, changed()} {
		if len(list) != 12 {
			t.Errorf("%d virtual interfaces, want 12", len(list))
		}
	}
	if got := parseVIF("eth0:10.0.0.1/32 eth1:10.0.0.2/24").String(); got != "{ eth0:10.0.0.1/32 eth1:10.0.0.2/24 }" {
		t.Errorf("printed as %s", got)
	}
	for node := 1; node <= 8; node++ {
		for at := range places {
			for _, p := range append(foreign(node, at), real(node, at)) {
				if managed[p.Addr()] {
					t.Errorf("%v is a virtual address and the own one of node %d", p, node)
				}
			}
		}
	}
	if a := netip.MustParseAddr("10.77.0.101"); always[a] || !listed[a] {
		t.Errorf("%v: a reload is to take it away", a)
	}
}
