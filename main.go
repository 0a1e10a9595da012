// Wackamole keeps virtual IP addresses reachable on a cluster of machines.
package main

import (
	"os"

	"wackamole/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Stdout, os.Stderr)) }
