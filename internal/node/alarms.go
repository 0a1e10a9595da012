package node

import (
	"time"

	"wackamole/alloc"
)

// alarm is one of the things that the loop waits for. The timers of alloc come
// first, under their own numbers.
type alarm int

const (
	connectAlarm  = alarm(alloc.Timers) + iota // try to reach Spread again
	livenessAlarm                              // see whether Spread is still there
	beatAlarm                                  // tell the guard that we are alive
	repairAlarm                                // try address operations again
	guardAlarm                                 // start a guard again
	shareAlarm                                 // share the ARP cache, which had been put off
	healthAlarm                                // judge the interfaces
	lookAlarm                                  // look again at what could not be listed
	changeAlarm                                // see to what waits for a change to be over
	restAlarm                                  // the last change is over
	alarmCount
)

// alarms share one runtime timer, so that a daemon that waits for nothing wakes
// for nothing.
type alarms struct {
	due   [alarmCount]time.Time // zero: not set
	timer *time.Timer
}

func newAlarms() *alarms {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &alarms{timer: t}
}

func (a *alarms) set(k alarm, after time.Duration) { a.due[k] = time.Now().Add(after) }

// setBy moves an alarm forward, never back.
func (a *alarms) setBy(k alarm, after time.Duration) {
	if at := time.Now().Add(after); a.due[k].IsZero() || at.Before(a.due[k]) {
		a.due[k] = at
	}
}

func (a *alarms) stop(k alarm) { a.due[k] = time.Time{} }

// arm sets the timer to the earliest alarm and returns its channel.
func (a *alarms) arm() <-chan time.Time {
	var first time.Time
	for _, at := range a.due {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if first.IsZero() {
		a.timer.Stop()
	} else {
		a.timer.Reset(time.Until(first))
	}
	return a.timer.C
}

// take returns an alarm whose time has come and clears it. Those that go off at
// the same time come in their order.
func (a *alarms) take() (alarm, bool) {
	now := time.Now()
	for k := range alarmCount {
		if at := a.due[k]; !at.IsZero() && !at.After(now) {
			a.due[k] = time.Time{}
			return k, true
		}
	}
	return 0, false
}
