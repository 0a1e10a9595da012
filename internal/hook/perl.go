package hook

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"wackamole/conf"
	"wackamole/internal/context"
	"wackamole/internal/fmt"
)

// perlDriver is the program that perl runs. Its arguments are the number of PerlUse values, these, and
// the names of subs. It loads the modules, checks that the subs are there, and, if an event comes on
// standard input (see appendPerl), calls the first sub with it. What the sub returns is ignored, as the
// original does; one that dies makes perl, and so the hook, fail.
const perlDriver = `my ($n, @subs) = splice @ARGV;
for (splice @subs, 0, $n) { eval "use $_; 1" or die $@ }
for (@subs) {
  my ($package) = /^(.*)::/;
  defined &$_ or defined &{"${package}::AUTOLOAD"} or die "there is no sub $_: does PerlUse load the module that has it?\n";
}
my ($first, @others, $owner);
while (my $line = <STDIN>) {
  chomp $line;
  my ($kind, %address);
  ($kind, @address{qw(ifname ip broadcast netmask)}) = split /\t/, $line, -1;
  if ($kind eq 'p') { $first = \%address } elsif ($kind eq 'e') { push @others, \%address } else { $owner = \%address }
}
open STDIN, '<', '/dev/null';
&{\&{$subs[0]}}($first, \@others, $owner) if $owner;
`

// perlArguments returns the arguments of perl for some subs. The directories come in the reverse order,
// because each "use lib" puts its directory before those of the ones before it.
func perlArguments(libraries, uses []string, subs ...string) []string {
	args := []string{"perl"}
	for _, directory := range slices.Backward(libraries) {
		args = append(args, "-I"+directory)
	}
	args = append(args, "-e", perlDriver, "--", strconv.Itoa(len(uses)))
	return append(append(args, uses...), subs...)
}

// resolvePerl returns the path of the machine's perl, or says what to do without one.
func resolvePerl(path string, h conf.Hook) (string, error) {
	for directory := range strings.SplitSeq(path, ":") {
		file := filepath.Join(directory, "perl")
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("there is no perl in %s: install it, or make the sub an executable, ModuleDir/%s, and write RunDynamic %s:%s %s",
		path, h.Module, h.Module, h.Function, h.Event)
}

// perlLibraries returns the directories of PerlUseLib.
func perlLibraries(c *conf.Config, directory string) []string {
	var list []string
	for _, library := range c.PerlUseLib {
		list = append(list, absolute(directory, library))
	}
	return list
}

// CheckPerl lets perl load the modules that the configuration names and look for the subs, as the
// original does at start. It runs the modules' own code and takes as long as that does, at most Limit;
// the daemon calls it before it has anything to do that could wait. The error is a conf.Problem at the
// first Perl hook, with what perl says. There is none where no hook is a Perl sub.
func CheckPerl(ctx context.Context, c *conf.Config, directory string) error {
	var first *conf.Hook
	var subs []string
	for i, h := range c.Hooks {
		if !h.Perl {
			continue
		}
		if first == nil {
			first = &c.Hooks[i]
		}
		if !slices.Contains(subs, h.Name()) {
			subs = append(subs, h.Name())
		}
	}
	if first == nil {
		return nil
	}
	path, err := resolvePerl(searchPath, *first)
	var said []string
	if err == nil {
		check := child{
			path: path, args: perlArguments(perlLibraries(c, directory), c.PerlUse, subs...),
			environment: baseEnvironment(), limit: Limit, grace: grace,
			output: func(line string) {
				if len(said) < maxSaid {
					said = append(said, line)
				}
			},
		}
		err = check.run(ctx)
	}
	if err == nil {
		return nil
	}
	p := conf.Problem{Position: first.At, Message: fmt.Sprintf("Perl hooks cannot run: %v", err)}
	if len(said) > 0 {
		p.Message += ": " + strings.Join(said, " ")
	}
	return p
}

// maxSaid is how many lines of perl's complaints an error quotes.
const maxSaid = 5

// Limit is how long a hook may run before it is told to end.
const Limit = 10 * time.Second

// grace is how long a hook that was told to end may take for it before it is killed.
const grace = 2 * time.Second
