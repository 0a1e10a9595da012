//go:build race

package hostile

// slower is what pauses are multiplied by: the race detector makes the nodes slow.
const slower = 5
