package main

import (
	"fmt"
	"time"
)

// residentOptions is how much the footprint is measured with.
type residentOptions struct {
	addresses int           // that the daemon is given
	runs      int           // take-overs of all of them whose time on the processor counts
	busy      int           // addresses taken over in all, ten at a time, by one that is kept busy
	idle      time.Duration // that wake-ups are counted
}

// residents measures what daemon and guard take: memory, time on the processor, and how often they wake up while
// nothing happens. meanwhile is done while they idle. goals gets what is to be judged.
func residents(binary string, o residentOptions, goals *table, log func(string), meanwhile func() error) ([]*table, error) {
	memory := &table{title: "Resident memory", head: []string{"", "anonymous", "of files", "in all"}}
	processor := &table{title: fmt.Sprintf("Processor, for one take-over of %d addresses", o.addresses), head: []string{"", "time on it", "instructions in user mode"}}

	log("memory and time on the processor")
	holds, err := newResident(binary, o.addresses)
	if err != nil {
		return nil, err
	}
	defer holds.close()
	time.Sleep(max(settleTime, min(o.idle, startTime)))
	if err := holds.memory(memory, goals, "holding nothing", 4<<20); err != nil {
		return nil, err
	}
	if err := holds.work(processor, o.runs); err != nil {
		return nil, err
	}
	if err := holds.hold(); err != nil {
		return nil, err
	}
	log("memory of a daemon that is kept busy")
	busy, err := newResident(binary, 10)
	if err != nil {
		return nil, err
	}
	defer busy.close()
	if err := busy.takeOvers(1 + o.busy/len(busy.list)); err != nil {
		return nil, err
	}
	wakeUps := &table{title: fmt.Sprintf("Wake-ups a minute when nothing happens, counted for %.0f s", o.idle.Seconds()), head: []string{"", "wake-ups", "context switches of all threads"}}
	log(fmt.Sprintf("wake-ups for %v, and the cost of decisions", o.idle))
	if err := idle(wakeUps, goals, []*resident{holds, busy}, o.idle, meanwhile); err != nil {
		return nil, err
	}
	// By now both have come to rest.
	if err := holds.memory(memory, goals, fmt.Sprintf("holding %d, after %d take-overs", o.addresses, o.addresses*(o.runs+2)), 6<<20); err != nil {
		return nil, err
	}
	if err := busy.memory(memory, goals, fmt.Sprintf("holding nothing, after %d take-overs", o.busy), 6<<20); err != nil {
		return nil, err
	}
	return []*table{memory, processor, wakeUps}, nil
}

// work measures the time on the processor of take-overs, in which the release after each is not counted.
func (r *resident) work(t *table, runs int) error {
	names, pids := []string{"daemon", "guard"}, []int{r.process.pid(), r.guard}
	if err := r.takeOvers(1); err != nil {
		return err
	}
	times, counts := make([]sample, 2), make([]sample, 2)
	unavailable := ""
	for range runs {
		var before [2]usage
		var counting [2]counters
		for i, pid := range pids {
			var err error
			if before[i], err = look(pid); err != nil {
				return err
			}
			if counting[i], err = instructions(pid); err != nil {
				unavailable = err.Error()
			}
		}
		if err := r.hold(); err != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond) // announcements, log, guard
		for i, pid := range pids {
			after, err := look(pid)
			if err != nil {
				return err
			}
			times[i].add(after.cpu - before[i].cpu)
			if counting[i] != nil {
				n, err := counting[i].sum()
				counting[i].close()
				if err != nil {
					return err
				}
				counts[i] = append(counts[i], float64(n))
			}
		}
		if err := r.letGo(); err != nil {
			return err
		}
	}
	for i, name := range names {
		t.row(name, times[i].in(milliseconds), counts[i].in(plain))
	}
	if unavailable != "" {
		t.note("instructions: %s: this machine does not count them", unavailable)
	}
	return nil
}

// letGo has it release everything.
func (r *resident) letGo() error {
	if err := r.wire.events.watch(); err != nil {
		return err
	}
	if err := r.join(); err != nil {
		return err
	}
	_, err := r.wire.events.wait(patience, complete(len(r.list), r.order.gone, true))
	return err
}

// restTime is what a daemon gets after it was busy: its repetitions end after five seconds, and the runtime gives
// memory back in a while.
const restTime = 6 * time.Second

// startTime is how long a daemon keeps what its start has needed, and a little more. Its guard needs no time.
const startTime = 12 * time.Second

// beat is how often a process is looked at to see whether it has woken up since. What happens within a few of
// these is one wake-up: of a process with several threads, each falls asleep several times.
const beat = 20 * time.Millisecond

// idle counts how often the processes of each wake up in that time. The first holds its addresses, the second
// nothing.
func idle(t, goals *table, list []*resident, period time.Duration, meanwhile func() error) error {
	done := make(chan error, 1)
	go func() { done <- meanwhile() }()
	time.Sleep(min(period, restTime))
	var watched []*sleeper
	for _, r := range list {
		watched = append(watched, &sleeper{pid: r.process.pid()}, &sleeper{pid: r.guard})
	}
	for end := now() + period; now() < end; time.Sleep(beat) {
		for _, s := range watched {
			if err := s.look(); err != nil {
				return err
			}
		}
	}
	for i, name := range []string{
		fmt.Sprintf("daemon, holding %d addresses", len(list[0].list)), "guard of it", "daemon, holding nothing", "guard of it",
	} {
		s, most := watched[i], 30.0 // signs of life
		if i >= 2 {
			most = 3 // the runtime's own
		}
		minute := sample{float64(s.wakeUps) / period.Minutes()}
		goals.judge("wake-ups a minute: "+name, minute, plain, most)
		t.row(name, minute.in(plain), plain((s.switches-s.first)/period.Minutes()))
	}
	return <-done
}

// A sleeper counts how often a process wakes up.
type sleeper struct {
	pid             int
	wakeUps         int
	first, switches float64 // voluntary context switches
	awake, known    bool
}

func (s *sleeper) look() error {
	u, err := look(s.pid)
	if err != nil {
		return err
	}
	if !s.known {
		s.first, s.switches, s.known = u.switches, u.switches, true
		return nil
	}
	moved := u.switches != s.switches
	if moved && !s.awake {
		s.wakeUps++
	}
	s.awake, s.switches = moved, u.switches
	return nil
}
