//go:build !race

package hostile

// slower is what pauses are multiplied by.
const slower = 1
