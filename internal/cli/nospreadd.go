//go:build nospreadd

package cli

import (
	"io"

	"wackamole/internal/fmt"
)

// runSpreadd stands for wackamole spreadd where flash is too small for what is
// only tried out.
func runSpreadd(_ []string, _, stderr io.Writer) int {
	fmt.Fprintf(stderr, "wackamole spreadd: not part of the program for this kind of machine, to save flash; run it on another machine\n")
	return exitFailure
}
