// Package cli is wackamole's command line: it reads the flags and wires what the
// other packages do.
package cli

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"wackamole/internal/control"
	"wackamole/internal/fmt"
	"wackamole/internal/getopt"
	"wackamole/internal/guard"
)

// Set when building, see the Makefile.
var (
	Version       = "unknown"
	DefaultConfig = "/etc/wackamole.conf"
)

// The exit statuses.
const (
	exitDone    = 0
	exitFailure = 1
	exitUsage   = 2
)

const usage = `usage: wackamole [-c FILE] [-d | -D] [-p FILE] [-s SPREAD] [-u USER] [-a ADDRESS]
       wackamole -t [-c FILE]
       wackamole -R [-c FILE]
       wackamole -v | -h
       wackamole ctl [-c FILE] -l | -j | -w | -x | -f | -s
       wackamole spreadd [-l ADDRESS:PORT]

  -c FILE     configuration (%s, then ./wackamole.conf)
  -d          stay in the foreground, log to standard output
  -D          stay in the foreground, log to syslog (under a supervisor)
  -p FILE     pid file (/var/run/wackamole.pid)
  -s SPREAD   where the Spread daemon is, PORT or PORT@HOST
  -u USER     name in Spread, up to 10 characters
  -a ADDRESS  the real address that names this member
  -t          check the configuration and print it in canonical form
  -R          release every address that the configuration lists
  -v          print the version
  ctl         control a running daemon (also when called as wackatrl)
  spreadd     run a Spread daemon of one machine, for trying out
`

// options is a command line.
type options struct {
	file       string // -c; empty: the default places
	foreground bool   // -d
	supervised bool   // -D
	pidFile    string // -p
	spread     string
	user       string
	address    netip.Addr
	check      bool
	release    bool
	version    bool
	help       bool
}

// Main runs the program that the arguments, the program's own name first, call
// for, and returns its exit status.
func Main(args []string, stdout, stderr io.Writer) int {
	if guard.IsGuard(args) {
		return guard.Main()
	}
	takeLittle()
	name := filepath.Base(args[0])
	args = args[1:]
	switch {
	case name == "wackatrl":
		return control.Main(args, stdout, stderr, controlPath)
	case len(args) > 0 && args[0] == "ctl":
		return control.Main(args[1:], stdout, stderr, controlPath)
	case len(args) > 0 && args[0] == "spreadd":
		return runSpreadd(args[1:], stdout, stderr)
	}
	o, err := parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "wackamole: %v\n", err)
		fmt.Fprintf(stderr, usage, DefaultConfig)
		return exitUsage
	}
	switch {
	case o.help:
		fmt.Fprintf(stdout, usage, DefaultConfig)
		return exitDone
	case o.version:
		fmt.Fprintf(stdout, "wackamole %s\n", Version)
		return exitDone
	case o.check:
		return check(o, stdout, stderr)
	case o.release:
		return release(o, stdout, stderr)
	}
	return runDaemon(o, stdout, stderr)
}

// parse reads the flags.
func parse(args []string) (o options, err error) {
	flags, operands, err := getopt.Parse("c:dDp:s:u:a:tRvh", args)
	if err != nil {
		return o, err
	}
	if len(operands) > 0 {
		return o, fmt.Errorf("unexpected argument %q", operands[0])
	}
	for _, f := range flags {
		switch f.Letter {
		case 'c':
			o.file = f.Value
		case 'd':
			o.foreground = true
		case 'D':
			o.supervised = true
		case 'p':
			o.pidFile = f.Value
		case 's':
			o.spread = f.Value
		case 'u':
			o.user = f.Value
		case 'a':
			o.address, err = netip.ParseAddr(f.Value)
			if err != nil || !o.address.Is4() || o.address.IsUnspecified() || o.address.IsLoopback() || o.address.IsMulticast() {
				return o, fmt.Errorf("-a %s: give the IPv4 address by which the other members may know this one", f.Value)
			}
		case 't':
			o.check = true
		case 'R':
			o.release = true
		case 'v':
			o.version = true
		case 'h':
			o.help = true
		}
	}
	return o, nil
}

// configFile is the file to read: the one that was given, or the first default
// that exists.
func (o options) configFile() string {
	if o.file != "" {
		return o.file
	}
	if _, err := os.Stat(DefaultConfig); os.IsNotExist(err) {
		if _, err := os.Stat("wackamole.conf"); err == nil {
			return "wackamole.conf"
		}
	}
	return DefaultConfig
}
