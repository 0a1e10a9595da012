package sim

import "fmt"

// steps is how long a world lives before it is left alone.
const steps = 600

// Play lets the world of a seed live and returns how many view changes were
// delivered to members. Should an invariant break, the error has the shortest life
// of that world in which one breaks, step by step.
func Play(seed uint64) (views int, err error) {
	w := New(seed)
	if err := w.Run(steps); err == nil {
		return w.Views, nil
	}
	// The shortest prefix that ends badly, not necessarily with the same error.
	low, high := 0, steps
	for low < high {
		if middle := (low + high) / 2; New(seed).Run(middle) != nil {
			high = middle
		} else {
			low = middle + 1
		}
	}
	w = New(seed)
	w.tracing = true
	if err := w.Run(high); err != nil {
		return 0, fmt.Errorf("seed %d, %d steps, %d hosts, %d virtual interfaces: %w", seed, high, w.hosts, len(w.list), err)
	}
	w = New(seed)
	w.tracing = true
	return 0, fmt.Errorf("seed %d: %w", seed, w.Run(steps))
}
