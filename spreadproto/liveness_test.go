package spreadproto

import (
	"testing"
	"time"
)

func TestLiveness(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var l Liveness
	for _, step := range []struct {
		at     time.Duration
		heard  bool
		action LivenessAction
		wait   time.Duration
	}{
		{0, true, LivenessWait, 5 * time.Second},
		{3 * time.Second, false, LivenessWait, 2 * time.Second},
		{4 * time.Second, true, LivenessWait, 5 * time.Second},
		{9 * time.Second, false, LivenessProbe, 15 * time.Second},
		{10 * time.Second, false, LivenessWait, 14 * time.Second},
		// Anything that comes is an answer.
		{23 * time.Second, true, LivenessWait, 5 * time.Second},
		{28 * time.Second, false, LivenessProbe, 15 * time.Second},
		{42 * time.Second, false, LivenessWait, time.Second},
		{43 * time.Second, false, LivenessDead, 0},
		{44 * time.Second, false, LivenessDead, 0},
		// A caller that was stopped itself probes first.
		{50 * time.Second, true, LivenessWait, 5 * time.Second},
		{500 * time.Second, false, LivenessProbe, 15 * time.Second},
	} {
		now := start.Add(step.at)
		if step.heard {
			l.Heard(now)
		}
		if action, wait := l.Next(now); action != step.action || wait != step.wait {
			t.Errorf("after %v: %v %v, want %v %v", step.at, action, wait, step.action, step.wait)
		}
	}
}
