package vnet

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// leaveOrphan starts a process that outlives its parent, as a daemon does: own session, standard output kept.
func leaveOrphan() int {
	c := exec.Command("sh", "-c", "setsid sleep 1000 & echo started")
	c.Stdout = os.Stdout
	if err := c.Run(); err != nil || Inside() != nil {
		fmt.Println(err, Inside())
		return 1
	}
	return 42
}

// role starts this test binary again, outside of its namespaces' stages, with one of TestMain's roles.
func role(t *testing.T, name string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	Require(t)
	c := exec.Command("/proc/self/exe")
	c.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, stageVariable+"=") })
	c.Env = append(c.Env, roleVariable+"="+name)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	reader := bufio.NewReader(out)
	if line, err := reader.ReadString('\n'); line != "started\n" {
		t.Fatalf("%s: printed %q, %v", name, line, err)
	}
	return c, reader
}

func TestReexecPassesTheStatusAndLeavesNoProcess(t *testing.T) {
	c, out := role(t, "leave an orphan")
	// The end of the pipe comes once the last process that inherited it is gone.
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("printed %q more, %v", rest, err)
	}
	exit := (*exec.ExitError)(nil)
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Errorf("ended with %v, want exit status 42", err)
	}
}

func TestKilledReexecLeavesNoProcess(t *testing.T) {
	c, out := role(t, "hang")
	must(t, c.Process.Signal(syscall.SIGKILL))
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 {
		t.Errorf("printed %q more, %v", rest, err)
	}
	c.Wait()
}

func TestMountPrivateHidesTheDirectory(t *testing.T) {
	Require(t)
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/of-the-machine", nil, 0o644))
	must(t, MountPrivate(dir))
	defer syscall.Unmount(dir, 0)
	must(t, os.WriteFile(dir+"/of-the-lab", nil, 0o644))
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "of-the-lab" {
		t.Errorf("the directory shows %v, %v; want of-the-lab alone", entries, err)
	}
	must(t, MountPrivate(dir+"/missing"))
}
