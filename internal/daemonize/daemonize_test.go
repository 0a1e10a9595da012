package daemonize

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func ignoreTerm() { signal.Ignore(syscall.SIGTERM) }

// The command returns when the daemon is ready, and nothing of it stays on the terminal, though the
// daemon and a process that it started run on.
func TestReady(t *testing.T) {
	c := command(t, "ready")
	link := filepath.Join(c.Dir, "wackamole") // people see the name by which it was called
	if err := os.Symlink(c.Path, link); err != nil {
		t.Fatal(err)
	}
	c.Path, c.Args[0] = link, link
	c.ExtraFiles = []*os.File{os.Stdin, os.Stdin} // something that whoever starts it left open
	output, err := c.CombinedOutput()             // ends when nobody holds the pipe any more
	if err != nil {
		t.Fatalf("%v, output %.300q", err, output)
	}
	if want := "warning: " + strings.Repeat("a long one ", 20_000) + "\n"; string(output) != want {
		t.Errorf("output of %d bytes, %.100q, want %d", len(output), output, len(want))
	}
	pid, err := strconv.Atoi(strings.TrimSpace(in(t, c, "run/w.pid")))
	if err != nil || gone(pid) {
		t.Fatalf("pid file: %v, process %d runs: %v", err, pid, !gone(pid))
	}
	_ = await(filepath.Join(c.Dir, "report"))
	var got report
	if err := json.Unmarshal([]byte(in(t, c, "report")), &got); err != nil {
		t.Fatal(err)
	}
	want := report{
		Before: c.Dir, After: "/", Session: true, Umask: 0o027, Command: "wackamole", PID: pid, Args: []string{"-c", "w.conf"},
		Descriptors: []string{"/dev/null", "/dev/null", "/dev/null", "run/w.pid"}, DiscardsText: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// A second one is refused, on the terminal.
	second := exec.Command(c.Path)
	second.Dir, second.Env = c.Dir, c.Env
	output, err = second.CombinedOutput()
	said := "pid file " + c.Dir + "/run/w.pid: wackamole runs already, process " + strconv.Itoa(pid) + ": end it first, or give this one another pid file with -p\n"
	if second.ProcessState.ExitCode() != 1 || string(output) != said {
		t.Errorf("a second one: %v, output %q, want %q", err, output, said)
	}

	if err := os.WriteFile(filepath.Join(c.Dir, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	awaitEnd(pid)
	if _, err := os.Stat(filepath.Join(c.Dir, "run/w.pid")); !os.IsNotExist(err) {
		t.Errorf("pid file after the end: %v", err)
	}
}

// Whatever ends the daemon before it is ready, the command exits with 1 and says why.
func TestNotReady(t *testing.T) {
	tests := []struct{ scenario, want string }{
		{"fail", "w.conf:1:1: no such luck? at all\n"},
		{"silent", "wackamole: the daemon ended before it was ready: exit status 3\n"},
		{"panic", "panic: out of luck"},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			c := command(t, tt.scenario)
			output, err := c.CombinedOutput()
			if c.ProcessState.ExitCode() != 1 || !strings.HasPrefix(string(output), tt.want) {
				t.Errorf("%v, output %q, want %q", err, output, tt.want)
			}
			if tt.scenario == "fail" && string(output) != tt.want {
				t.Errorf("output %q, want %q", output, tt.want)
			}
		})
	}
}

// A daemon that takes too long is ended, one that does not listen by force.
func TestLimit(t *testing.T) {
	for _, scenario := range []string{"hang", "stubborn"} {
		t.Run(scenario, func(t *testing.T) {
			var output []byte
			limit := 250 * time.Millisecond
			for len(output) == 0 || output[0] != 'p' { // until it got as far as to say its pid
				limit *= 2
				c := command(t, scenario)
				c.Env = append(c.Env, "DAEMONIZE_LIMIT="+limit.String())
				output, _ = c.CombinedOutput()
				if c.ProcessState.ExitCode() != 1 {
					t.Fatalf("%v, output %q", c.ProcessState, output)
				}
			}
			pid := pidOf(t, string(output))
			awaitEnd(pid)
			if want := fmt.Sprintf("pid %d\nwackamole: not ready after %v: ending it\n", pid, limit); string(output) != want {
				t.Errorf("output %q, want %q", output, want)
			}
		})
	}
}

// A signal that the waiting command gets ends the daemon too.
func TestInterrupted(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		c := command(t, "hang")
		pipe, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(pipe)
		lines.Scan()
		pid := pidOf(t, lines.Text())
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		rest := ""
		for lines.Scan() {
			rest += lines.Text()
		}
		_ = c.Wait()
		awaitEnd(pid)
		if want := "wackamole: the daemon ended before it was ready: signal: terminated"; c.ProcessState.ExitCode() != 1 || rest != want {
			t.Errorf("%v: %v, then %q", s, c.ProcessState, rest)
		}
	}
}

// The variable alone, without the pipe, makes nobody a child.
func TestMarkerSetByHand(t *testing.T) {
	c := command(t, "silent")
	c.Env = append(c.Env, marker+"=1")
	output, _ := c.CombinedOutput()
	if want := "wackamole: the daemon ended before it was ready: exit status 3\n"; string(output) != want {
		t.Errorf("output %q, want %q", output, want)
	}
}

func TestForeground(t *testing.T) {
	directory, _ := os.Getwd()
	var d *Daemon
	if err := d.Ready(); err != nil {
		t.Error(err)
	}
	if now, _ := os.Getwd(); now != directory {
		t.Errorf("the directory is %s", now)
	}
}

func TestProgramThatCannotRun(t *testing.T) {
	var said strings.Builder
	p := parent{args: []string{"x\x00y"}, stderr: &said, limit: time.Hour, grace: time.Hour} // no program can get this
	if status := p.run(); status != 1 || !strings.HasPrefix(said.String(), "wackamole: start in the background: ") {
		t.Errorf("status %d, %q", status, said.String())
	}
}
