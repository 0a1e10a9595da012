//go:build race

package hostile

// slowdown is what floods are divided by: the race detector makes the nodes slow.
const slowdown = 5
