//go:build !race

package hostile

// slowdown is what floods are divided by.
const slowdown = 1
