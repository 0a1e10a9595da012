package cli

import (
	"errors"
	"io"

	"wackamole/conf"
	"wackamole/internal/fmt"
	"wackamole/internal/hook"
	"wackamole/internal/logger"
	"wackamole/internal/node"
	"wackamole/internal/stream"
	"wackamole/rtnl"
)

// load reads the configuration and prints what there is to say about it. The
// host is looked at only as far as it can be without privileges.
func load(o options, stderr io.Writer) (*conf.Config, error) {
	c, warnings, err := conf.Load(o.configFile())
	if err == nil {
		var more []conf.Problem
		more, err = c.CheckHost(o.address, interfaceExists)
		warnings = append(warnings, more...)
	}
	for _, w := range warnings {
		fmt.Fprintf(stderr, "warning: %v\n", w)
	}
	return c, err
}

func interfaceExists(name string) bool {
	_, err := stream.InterfaceIndex(name)
	return err == nil
}

// loadAll is load for a daemon, which also has to run the configuration's hooks.
// Their relative directories count from directory.
func loadAll(o options, directory string, stderr io.Writer) (*conf.Config, error) {
	c, err := load(o, stderr)
	if err != nil {
		return nil, err
	}
	if problems := hook.Check(c, directory); len(problems) > 0 {
		return nil, conf.Problems(problems)
	}
	return c, nil
}

// check is wackamole -t.
func check(o options, stdout, stderr io.Writer) int {
	c, err := loadAll(o, ".", stderr)
	if err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return exitUsage
	}
	text, err := c.AppendText(nil)
	if err == nil {
		_, err = stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintf(stderr, "wackamole: print the configuration: %v\n", err)
		return exitFailure
	}
	return exitDone
}

// release is wackamole -R: for a person, or a supervisor after the daemon's end.
func release(o options, stdout, stderr io.Writer) int {
	c, err := load(o, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return exitUsage
	}
	log := logger.New(logger.NewWriter(stdout))
	kernel, err := rtnl.Dial(rtnl.Options{Notice: func(line string) { log.Printf("%s", line) }})
	if err == nil {
		defer kernel.Close()
		err = node.Sweep(c.Interfaces, nil, kernel, log)
	}
	if err != nil {
		fmt.Fprintf(stderr, "wackamole: %v\n", err)
		return exitFailure
	}
	return exitDone
}

// controlPath finds the control socket of the daemon that reads this file.
func controlPath(file string) (string, error) {
	c, _, err := conf.Load(options{file: file}.configFile())
	switch {
	case err != nil:
		return "", err
	case c.Control == "":
		return "", errors.New("the configuration names no control socket: add a line such as Control = /var/run/wackamole/control")
	}
	return c.Control, nil
}
