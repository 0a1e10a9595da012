package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a command line and returns what it printed and its status.
func run(args ...string) (stdout, stderr string, status int) {
	var out, problems bytes.Buffer
	status = Main(append([]string{"/usr/sbin/wackamole"}, args...), &out, &problems)
	return out.String(), problems.String(), status
}

func write(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "wackamole.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	good := write(t, "Group = g VirtualInterfaces { lo:10.0.0.1/32 }")
	bad := write(t, "Group = g\nVirtualInterfaces { lo:10.0.0.1/33 }\nNonsense\n")
	hook := write(t, "Group = g VirtualInterfaces { lo:10.0.0.1/32 } ModuleDir = /nowhere RunDynamic gone:up on up")
	for _, test := range []struct {
		args           []string
		status         int
		stdout, stderr string // what must be in them; empty: nothing
	}{
		{[]string{"-v"}, 0, "wackamole " + Version, ""},
		{[]string{"-h"}, 0, "usage: wackamole", ""},
		{[]string{"-x"}, 2, "", "usage: wackamole"},
		{[]string{"-c"}, 2, "", "-c"},
		{[]string{"stray"}, 2, "", `unexpected argument "stray"`},
		{[]string{"-a", "127.0.0.1"}, 2, "", "-a 127.0.0.1"},
		{[]string{"-a", "here"}, 2, "", "-a here"},
		{[]string{"-t", "-c", good}, 0, "VirtualInterfaces {\n\tlo:10.0.0.1/32\n}", ""},
		{[]string{"-tc" + good}, 0, "Group = g", ""},
		{[]string{"-t", "-c", good, "-a", "10.0.0.1"}, 2, "", "10.0.0.1"},
		{[]string{"-t", "-c", bad}, 2, "", "wackamole.conf:2:21: "},
		{[]string{"-t", "-c", bad}, 2, "", "wackamole.conf:3:1: "},
		{[]string{"-t", "-c", "/nowhere/at/all"}, 2, "", "/nowhere/at/all"},
		{[]string{"-t", "-c", hook}, 2, "", "/nowhere/gone"},
		{[]string{"-d", "-c", bad}, 2, "", "wackamole.conf:2:21: "},
		{[]string{"-R", "-c", bad}, 2, "", "wackamole.conf:2:21: "},
		{[]string{"ctl"}, 2, "", "usage"},
		{[]string{"ctl", "-l", "-c", good}, 1, "", "Control ="},
		{[]string{"spreadd", "-q"}, 2, "", "usage"},
		{[]string{"spreadd", "-l", "nonsense"}, 1, "", "nonsense"},
	} {
		stdout, stderr, status := run(test.args...)
		if status != test.status || !strings.Contains(stdout, test.stdout) || !strings.Contains(stderr, test.stderr) ||
			test.stdout == "" && stdout != "" || test.stderr == "" && strings.Contains(stderr, "wackamole: ") {
			t.Errorf("%q: status %d, want %d\nstdout: %s\nstderr: %s", test.args, status, test.status, stdout, stderr)
		}
	}
}

// Called by the name of its link, the program is the controller.
func TestCalledAsWackatrl(t *testing.T) {
	var out, problems bytes.Buffer
	if status := Main([]string{"/usr/bin/wackatrl", "-q"}, &out, &problems); status != 2 || !strings.Contains(problems.String(), "wackatrl") {
		t.Errorf("status %d: %s", status, problems.String())
	}
}

// What -t prints is a configuration that prints the same.
func TestCheckPrintsItself(t *testing.T) {
	first, _, status := run("-t", "-c", "../dist/wackamole.conf.sample")
	if status != 0 {
		t.Fatal(first)
	}
	if second, _, _ := run("-t", "-c", write(t, first)); second != first {
		t.Errorf("printed again:\n%s", second)
	}
}

// The flag counts more than the file, and a user name is made of what the process
// id has at its end.
func TestOptions(t *testing.T) {
	o, err := parse([]string{"-s", "4804@host", "-u", "me"})
	if err != nil || o.spread != "4804@host" || o.userName() != "me" {
		t.Errorf("%+v, %v", o, err)
	}
	if name := (options{}).userName(); !strings.HasPrefix(name, "wack") || len(name) > 10 {
		t.Errorf("user name %q", name)
	}
}
