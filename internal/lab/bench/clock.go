package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// now reads CLOCK_MONOTONIC, the one clock of all figures: it is the same in all processes.
func now() time.Duration { return read(unix.CLOCK_MONOTONIC) }

func read(clock int32) time.Duration {
	var t unix.Timespec
	unix.ClockGettime(clock, &t) // it cannot fail: both clocks are older than the kernels that run this
	return time.Duration(t.Nano())
}

// sinceEpoch is what to add to a time of now to get one of CLOCK_REALTIME, by which the kernel stamps packets.
// The two are disciplined alike, so that only a step of the wall clock within a round would show.
func sinceEpoch() time.Duration {
	before := now()
	real := read(unix.CLOCK_REALTIME)
	return real - (before+now())/2
}
