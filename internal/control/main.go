package control

import (
	"bufio"
	"io"

	"wackamole/internal/fmt"
	"wackamole/internal/getopt"
)

// Exit statuses of the controller.
const (
	exitDone      = 0
	exitUnreached = 1
	exitUsage     = 2
)

const usage = `usage: wackatrl [-c FILE] -l | -f | -s | -j | -w | -x
  -c FILE  configuration file that names the control socket (Control = ...)
  -l       list the virtual interfaces and who owns them
  -f       simulate a failure: release everything and stay away
  -s       end the simulated failure: take part again
  -j       the whole state as one JSON object
  -w       watch: a table, redrawn as it changes
  -x       counters in Prometheus' text format
`

// Main is the controller: called as wackatrl or as "wackamole ctl" with the arguments behind that. It
// returns the exit status: 0 done, 1 the daemon cannot be reached or its answer is broken, 2 wrong
// usage. Of several of the flags -l to -x the last one counts, as in the original.
//
// controlPath returns the path of the control socket that a configuration file names, for an empty name
// that of the file which the daemon takes by default.
func Main(args []string, stdout, stderr io.Writer, controlPath func(file string) (string, error)) int {
	options, operands, err := getopt.Parse("c:lfsjwxh", args)
	if err == nil && len(operands) > 0 {
		err = fmt.Errorf("%q is not a flag", operands[0])
	}
	var file string
	var action byte
	for _, o := range options {
		switch o.Letter {
		case 'c':
			file = o.Value
		case 'h':
			io.WriteString(stdout, usage)
			return exitDone
		default:
			action = o.Letter
		}
	}
	if err == nil && action == 0 {
		err = fmt.Errorf("nothing to do")
	}
	if err != nil {
		fmt.Fprintf(stderr, "wackatrl: %v\n%s", err, usage)
		return exitUsage
	}
	path, err := controlPath(file)
	if err == nil && path == "" {
		err = fmt.Errorf("the configuration names no control socket: write Control = /var/run/wackamole.sock, say, and restart wackamole")
	}
	if err == nil {
		out := bufio.NewWriter(stdout)
		if action == 'w' {
			err = newWatch(stdout, path).run()
		} else {
			err = act(action, path, out)
		}
		if flushErr := out.Flush(); err == nil {
			err = flushErr
		}
	}
	if err != nil {
		fmt.Fprintf(stderr, "wackatrl: %v\n", err)
		return exitUnreached
	}
	return exitDone
}

// act does what one flag asks for.
func act(action byte, path string, out io.Writer) error {
	s, err := dial(path)
	if err != nil {
		return err
	}
	defer s.Close()
	switch action {
	case 'j':
		return s.text(RequestJSON, out)
	case 'x':
		return s.text(RequestMetrics, out)
	case 'f':
		err = s.order(RequestFail)
	case 's':
		err = s.order(RequestRecover)
	}
	if err != nil {
		return err
	}
	return s.records(func(r *Record) { printRecord(out, r) })
}

// printRecord prints a virtual interface as the original does; people's scripts read that.
func printRecord(out io.Writer, r *Record) {
	owner := "not acquired"
	if r.Owner.IsValid() {
		owner = r.Owner.String()
	}
	fmt.Fprintf(out, "Owner: %s\n", owner)
	mark := "*  "
	for _, a := range r.Addresses {
		fmt.Fprintf(out, "\t%s %5s:%d.%d.%d.%d/%d\n", mark, printable(a.Interface), a.IP[0], a.IP[1], a.IP[2], a.IP[3], a.Bits())
		mark = " ->"
	}
}
