package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// hookText is a hook that does nothing: it is the start of each that could be in the way of a take-over.
const hookText = "#!/bin/sh\n"

// whileHooksRun measures take-overs that come while the hooks of the release before still run, beside take-overs of
// the same daemon when they are over.
func whileHooksRun(binary string, addresses, runs int) (*table, error) {
	w, err := newWire(1)
	if err != nil {
		return nil, err
	}
	defer w.close()
	folder, err := os.MkdirTemp("", "hooks")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	if err := os.WriteFile(filepath.Join(folder, "hook"), []byte(hookText), 0o755); err != nil {
		return nil, err
	}
	list := virtuals(addresses, w.links)
	d, err := startDaemon(oursName, binary, false, w, list,
		fmt.Sprintf("ModuleDir = \"%s\"\nRunDynamic hook:f on up\nRunDynamic hook:f on down\n", folder))
	if err != nil {
		return nil, err
	}
	defer d.close()
	var o order
	var added, last [2]sample // hooks over, hooks running
	over := 0                 // rounds in which they were over too soon
	for run := 0; run <= runs; run++ {
		if err := d.awaitHooks(); err != nil {
			return nil, err
		}
		var pair [2]round
		for i := range pair {
			if i == 1 && !d.hooksRun() {
				over++
			}
			if pair[i], o, err = play(d, w, list, o); err != nil {
				return nil, fmt.Errorf("%d addresses with hooks: %w", addresses, err)
			}
		}
		for i, r := range pair {
			if run > 0 {
				added[i].add(r.added)
				last[i].add(r.lastFrame)
			}
		}
	}
	t := &table{
		title: fmt.Sprintf("Take-over of %d addresses by a daemon that has hooks", addresses),
		head:  []string{"ms", "last address", "last announcement"},
	}
	bare := func(v float64) string { return digits(v * 1e3) }
	for i, name := range []string{"no hook runs", "while hooks run"} {
		t.row(name, added[i].in(bare), last[i].in(bare))
	}
	t.row("  / no hook runs", added[1].over(added[0]).in(times), last[1].over(last[0]).in(times))
	t.note("A shell script for each address that goes or comes; those of a release still run at the take-over after it.")
	if over > 0 {
		t.note("In %d of %d rounds none ran any more when that began.", over, runs+1)
	}
	return t, nil
}

// hooksRun tells whether anything but the guard runs beside the daemon.
func (d *daemon) hooksRun() bool {
	_, err := d.guardOf()
	return err != nil
}

// awaitHooks waits until no hook runs any more.
func (d *daemon) awaitHooks() error {
	for end := now() + patience; d.hooksRun(); time.Sleep(20 * time.Millisecond) {
		if now() > end {
			return fmt.Errorf("hooks still run after %v", patience)
		}
	}
	return nil
}
