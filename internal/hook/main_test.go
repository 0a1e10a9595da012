package hook

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"wackamole/conf"
	"wackamole/internal/logger"
)

// TestMain makes this test program its own hook: linked under the name of a module, it does what the
// function says.
func TestMain(m *testing.M) {
	if os.Getenv("WACK_EVENT") != "" && len(os.Args) == 3 {
		os.Exit(beHook(os.Args[1], os.Args[2]))
	}
	os.Exit(m.Run())
}

// beHook writes what it has to tell to a file "told" beside its own name.
func beHook(function, event string) int {
	told, err := os.OpenFile(filepath.Join(filepath.Dir(os.Args[0]), "told"), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		fmt.Println(err)
		return 99
	}
	tell := func(format string, args ...any) { fmt.Fprintf(told, format+"\n", args...) }
	switch function {
	case "everything":
		input, _ := io.ReadAll(os.Stdin)
		environment := os.Environ()
		slices.Sort(environment)
		directory, _ := os.Getwd()
		session, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
		message, _ := json.Marshal(everything{
			Args: os.Args[1:], Environment: environment, Input: string(input), Directory: directory,
			OwnSession: int(session) == os.Getpid(), OwnGroup: syscall.Getpgrp() == os.Getpid(), Descriptors: openDescriptors(int(told.Fd())),
		})
		tell("%s", message)
	case "order":
		tell("begin %s %s", event, os.Getenv("WACK_IP"))
		awaitFile("go")
		tell("end %s %s", event, os.Getenv("WACK_IP"))
	case "quick":
		tell("%s %s", event, os.Getenv("WACK_IP"))
	case "fail":
		fmt.Fprintln(os.Stderr, "no such luck")
		return 3
	case "say":
		fmt.Print("one\n\x1b[2Jtwo\n", strings.Repeat("x", 5000), "\n\nlast")
	case "flood":
		w := bufio.NewWriter(os.Stdout)
		for i := range 20_000 {
			fmt.Fprintln(w, "line", i)
		}
		w.Flush()
	case "hang":
		tell("hangs")
		time.Sleep(time.Hour)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		child := exec.Command(os.Args[0], "hang", event)
		child.Env = os.Environ()
		child.Stdout = os.Stdout // holds the pipe open
		child.Start()
		tell("child %d", child.Process.Pid)
		time.Sleep(time.Hour)
	case "orphan":
		child := exec.Command("/proc/self/exe", "hang", event)
		child.Args[0] = os.Args[0]
		child.Env = os.Environ()
		child.Stdout = os.Stdout
		child.Start()
		tell("child %d", child.Process.Pid)
		fmt.Println("left it")
	case "deaf": // does not read its input
	}
	return 0
}

// everything is what a hook can see.
type everything struct {
	Args, Environment    []string
	Input                string
	Directory            string
	OwnSession, OwnGroup bool
	Descriptors          []string
}

// openDescriptors lists the open ones but those of this function's and the given one.
func openDescriptors(but int) []string {
	directory, err := os.Open("/proc/self/fd")
	if err != nil {
		return []string{err.Error()}
	}
	names, _ := directory.Readdirnames(-1)
	var list []string
	for _, name := range names {
		target, err := os.Readlink("/proc/self/fd/" + name)
		if err != nil || name == fmt.Sprint(but) || name == fmt.Sprint(directory.Fd()) ||
			strings.HasPrefix(target, "anon_inode:") || strings.Contains(target, "cgroup") {
			continue // epoll and the CPU limits are files of the Go runtime
		}
		kind, _, _ := strings.Cut(target, ":")
		list = append(list, name+" "+kind)
	}
	slices.Sort(list)
	return list
}

// awaitFile waits until there is a file of this name beside the hook.
func awaitFile(name string) {
	for {
		if _, err := os.Stat(filepath.Join(filepath.Dir(os.Args[0]), name)); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// stage is a runner with a module directory of its own.
type stage struct {
	t   testing.TB
	dir string
	*Runner
	log *lineLog
}

// newStage makes a runner that runs the function of this test program on the events.
func newStage(t testing.TB, function string, events ...conf.Event) *stage {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(self, "-test.list=^$").Run(); errors.Is(err, syscall.ENOEXEC) {
		t.Skip("this machine cannot run the test program a second time (an emulated one?)")
	}
	return newStageOf(t, function, events...)
}

// newStageOf is newStage for those who do not need this test program as a hook.
func newStageOf(t testing.TB, function string, events ...conf.Event) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), log: &lineLog{lines: make(chan string, 10_000)}}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(s.dir, "module")); err != nil {
		t.Fatal(err)
	}
	c := &conf.Config{ModuleDir: s.dir}
	for _, e := range events {
		c.Hooks = append(c.Hooks, conf.Hook{Module: "module", Function: function, Event: e})
	}
	if problems := Check(c, "/nowhere"); len(problems) > 0 {
		t.Fatal(problems)
	}
	s.Runner = New(c, "/nowhere", logger.New(s.log))
	t.Cleanup(func() { s.kill() })
	return s
}

// Run is the runner's, for an event of the function event.
func (s *stage) Run(e change) {
	if e.isPost() {
		s.Runner.Run(e.Kind, nil, e.Owner)
	} else {
		s.Runner.Run(e.Kind, &e.Interface, e.Owner)
	}
}

// lineLog is a log that can be waited for.
type lineLog struct{ lines chan string }

func (l *lineLog) Log(_ logger.Level, line string) { l.lines <- line }

// told returns what the hooks told so far.
func (s *stage) told() []string {
	text, err := os.ReadFile(filepath.Join(s.dir, "told"))
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// awaitTold waits until the hooks told n lines.
func (s *stage) awaitTold(n int) []string {
	for {
		if lines := s.told(); len(lines) >= n && lines[0] != "" {
			return lines
		}
		time.Sleep(time.Millisecond)
	}
}

// touch makes the file that awaitFile waits for.
func (s *stage) touch(name string) {
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// event makes an event of the virtual interface with these addresses.
func event(kind conf.Event, owner string, addresses ...string) change {
	e := change{Kind: kind}
	if owner != "" {
		e.Owner = netip.MustParseAddr(owner)
	}
	for _, a := range addresses {
		name, prefix, _ := strings.Cut(a, ":")
		e.Interface.Addresses = append(e.Interface.Addresses, conf.Address{Interface: name, Prefix: netip.MustParsePrefix(prefix)})
	}
	return e
}
