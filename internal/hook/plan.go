package hook

import (
	"errors"
	"os"
	"path/filepath"

	"wackamole/conf"
	"wackamole/internal/fmt"
)

// plan is what a configuration wants run. Making one looks at nothing outside, so that a reload does
// not wait for a file system. It does not change once made.
type plan struct {
	commands map[conf.Event][]command
}

// command is one RunDynamic line.
type command struct {
	hook conf.Hook
	path string   // of the executable; empty for Perl
	args []string // with the program's name
}

// newPlan makes the plan for a configuration. Relative directories count from directory.
func newPlan(c *conf.Config, directory string) *plan {
	p := &plan{commands: make(map[conf.Event][]command)}
	for _, h := range c.Hooks {
		p.commands[h.Event] = append(p.commands[h.Event], newCommand(c, directory, h))
	}
	return p
}

func newCommand(c *conf.Config, directory string, h conf.Hook) command {
	if h.Perl {
		return command{hook: h, args: perlArguments(perlLibraries(c, directory), c.PerlUse, h.Name())}
	}
	path := filepath.Join(absolute(directory, c.ModuleDir), h.Module)
	return command{hook: h, path: path, args: []string{path, h.Function, h.Event.Word()}}
}

func absolute(directory, name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(directory, name)
}

// resolve returns the path of the program to run, or says what is wrong.
func (cmd *command) resolve() (string, error) {
	if cmd.hook.Perl {
		return resolvePerl(searchPath, cmd.hook)
	}
	return cmd.path, checkExecutable(cmd.path, cmd.hook)
}

// Check finds the hooks of a configuration that cannot run, each an error with the line of the
// configuration and what to do: a missing executable, a shared object in its place, a machine without
// perl. Relative directories count from directory, where the daemon was started. Nothing is run.
func Check(c *conf.Config, directory string) []conf.Problem {
	var problems []conf.Problem
	for _, h := range c.Hooks {
		cmd := newCommand(c, directory, h)
		if _, err := cmd.resolve(); err != nil {
			problems = append(problems, conf.Problem{Position: h.At, Message: fmt.Sprintf("%v: %v", h, err)})
		}
	}
	return problems
}

// checkExecutable says what is wrong with the executable of a hook.
func checkExecutable(path string, h conf.Hook) error {
	const so = ".so" // what the original appends where the name alone does not exist
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) && isFile(path+so):
		return convert(path+so, path, h)
	case err != nil:
		return fmt.Errorf("%w: put an executable there, which gets the arguments %s and %s", err, h.Function, h.Event.Word())
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file: put an executable there", path)
	case isSharedObject(path):
		return convert(path, path, h)
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not executable: chmod 755 it", path)
	}
	return nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// convert says how to turn a shared object into an executable.
func convert(object, path string, h conf.Hook) error {
	return fmt.Errorf("%s is a shared object, which a static program cannot load: make an executable of it, %s, "+
		"by giving it a main (or write it anew, a shell script will do); it is run as \"%s %s %s\", with the virtual "+
		"interface in the environment (WACK_INTERFACE, WACK_IP, WACK_PREFIX, WACK_IPS, WACK_OWNER) and as one line of JSON on "+
		"its standard input", object, path, path, h.Function, h.Event.Word())
}
