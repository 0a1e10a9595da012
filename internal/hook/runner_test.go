package hook

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wackamole/conf"
)

func TestWhatAnExecutableGets(t *testing.T) {
	// A descriptor that the daemon inherited, and environment that is nobody's business.
	inherited, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0) // without O_CLOEXEC
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	t.Setenv("WACK_SECRET", "x")
	t.Setenv("NOTIFY_SOCKET", "/run/x")
	base := []string{"HOME=/", "LC_ALL=C", "PATH=" + searchPath, "SHELL=/bin/sh"}

	tests := []struct {
		event       change
		args        []string
		environment []string
		input       string
	}{
		{
			event: event(conf.OnUp, "10.77.0.1", "eth0:10.0.0.5/24", "br-lan.100:192.0.2.5/31"),
			args:  []string{"everything", "on-up"},
			environment: append(slices.Clone(base), "WACK_EVENT=on-up", "WACK_INTERFACE=eth0", "WACK_IP=10.0.0.5",
				"WACK_IPS=10.0.0.5 192.0.2.5", "WACK_OWNER=10.77.0.1", "WACK_PREFIX=24"),
			input: `{"event":"on-up","interface":"eth0","ip":"10.0.0.5","prefix":24,"broadcast":"10.0.0.255","netmask":"255.255.255.0",` +
				`"owner":"10.77.0.1","addresses":[` +
				`{"interface":"eth0","ip":"10.0.0.5","prefix":24,"broadcast":"10.0.0.255","netmask":"255.255.255.0"},` +
				`{"interface":"br-lan.100","ip":"192.0.2.5","prefix":31,"broadcast":"192.0.2.5","netmask":"255.255.255.254"}]}` + "\n",
		},
		{
			event: event(conf.OnDown, "", "eth0:10.0.0.5/32"),
			args:  []string{"everything", "on-down"},
			environment: append(slices.Clone(base), "WACK_EVENT=on-down", "WACK_INTERFACE=eth0", "WACK_IP=10.0.0.5",
				"WACK_IPS=10.0.0.5", "WACK_OWNER=0.0.0.0", "WACK_PREFIX=32"),
			input: `{"event":"on-down","interface":"eth0","ip":"10.0.0.5","prefix":32,"broadcast":"10.0.0.5","netmask":"255.255.255.255",` +
				`"owner":"0.0.0.0","addresses":[` +
				`{"interface":"eth0","ip":"10.0.0.5","prefix":32,"broadcast":"10.0.0.5","netmask":"255.255.255.255"}]}` + "\n",
		},
		{
			event: event(conf.PostDown, ""),
			args:  []string{"everything", "post-down"},
			environment: append(slices.Clone(base), "WACK_EVENT=post-down", "WACK_INTERFACE=", "WACK_IP=0.0.0.0",
				"WACK_IPS=", "WACK_OWNER=0.0.0.0", "WACK_PREFIX=0"),
			input: `{"event":"post-down","interface":"","ip":"0.0.0.0","prefix":0,"broadcast":"0.0.0.0","netmask":"0.0.0.0",` +
				`"owner":"0.0.0.0","addresses":[]}` + "\n",
		},
	}
	s := newStage(t, "everything", conf.OnUp, conf.OnDown, conf.PostUp, conf.PostDown)
	for i, tt := range tests {
		s.Run(tt.event)
		var got everything
		if err := json.Unmarshal([]byte(s.awaitTold(i + 1)[i]), &got); err != nil {
			t.Fatal(err)
		}
		want := everything{
			Args: tt.args, Environment: tt.environment, Input: tt.input, Directory: "/", OwnSession: true, OwnGroup: true,
			Descriptors: []string{"0 pipe", "1 pipe", "2 pipe"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tt.event, diff)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(got.Input), &object); err != nil || strings.Count(got.Input, "\n") != 1 {
			t.Errorf("%v: %v in %q", tt.event, err, got.Input)
		}
	}
}

func TestOnlyTheEventsThatAreConfigured(t *testing.T) {
	s := newStage(t, "quick", conf.OnUp, conf.OnUp, conf.PostUp) // one of them twice
	for _, e := range []change{
		event(conf.OnDown, "", "eth0:10.0.0.1/24"), event(conf.OnUp, "", "eth0:10.0.0.1/24"),
		event(conf.PostDown, ""), event(conf.PostUp, ""),
	} {
		s.Run(e)
	}
	s.awaitTold(3)
	s.Drain(time.Hour)
	want := []string{"on-up 10.0.0.1", "on-up 10.0.0.1", "post-up 0.0.0.0"}
	if diff := cmp.Diff(want, s.told()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Five virtual interfaces and room for four children: four begin side by side, each one's events stay
// in order, and Run has returned long before.
func TestOrderAndParallelism(t *testing.T) {
	s := newStage(t, "order", conf.OnUp, conf.OnDown, conf.PostUp)
	for i := range 5 {
		s.Run(event(conf.OnUp, "", fmt.Sprintf("eth0:10.0.0.%d/24", i)))
	}
	s.Run(event(conf.PostUp, ""))
	for i := range 5 {
		s.Run(event(conf.OnDown, "", fmt.Sprintf("eth0:10.0.0.%d/24", i)))
	}
	begun := s.awaitTold(4)
	s.mu.Lock()
	if s.workers != 4 || len(begun) != 4 {
		t.Errorf("%d workers, begun: %q", s.workers, begun)
	}
	s.mu.Unlock()
	s.touch("go")
	lines := s.awaitTold(22)
	at := func(line string) int {
		i := slices.Index(lines, line)
		if i < 0 || i != slices.Index(lines, line) {
			t.Fatalf("%q is not there once: %q", line, lines)
		}
		return i
	}
	for i := range 5 {
		ip := fmt.Sprintf("10.0.0.%d", i)
		if at("end on-up "+ip) > at("begin on-down "+ip) {
			t.Errorf("%s went down while it came up", ip)
		}
		if at("end on-up "+ip) > at("begin post-up 0.0.0.0") {
			t.Errorf("post-up did not wait for %s", ip)
		}
	}
	if f, d := s.Failures(); f != 0 || d != 0 {
		t.Errorf("%d failures, %d dropped", f, d)
	}
}

func TestOutputAndFailures(t *testing.T) {
	s := newStage(t, "say", conf.OnUp)
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	prefix := "hook module:say on-up 10.0.0.1: "
	for _, want := range []string{"one", `\x1b[2Jtwo`, strings.Repeat("x", maxOutputLine) + "...", "", "last"} {
		if got := <-s.log.lines; got != prefix+want {
			t.Errorf("got  %q\nwant %q", got, prefix+want)
		}
	}

	s = newStage(t, "fail", conf.PostUp)
	s.Run(event(conf.PostUp, ""))
	for _, want := range []string{"hook module:fail post-up: no such luck", "hook module:fail post-up failed: exit status 3"} {
		if got := <-s.log.lines; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	s.Drain(time.Hour)
	if f, _ := s.Failures(); f != 1 {
		t.Errorf("%d failures counted", f)
	}
}

func TestOutputIsBounded(t *testing.T) {
	s := newStage(t, "flood", conf.OnDown)
	s.Run(event(conf.OnDown, "", "eth0:10.0.0.1/24"))
	s.Drain(time.Hour)
	close(s.log.lines)
	n, last := 0, ""
	for last = range s.log.lines {
		n++
	}
	if n != maxOutputLines+1 || last != "hook module:flood on-down 10.0.0.1: 19900 lines more" {
		t.Errorf("%d lines, the last one %q", n, last)
	}
}

// alive says whether a process runs (a zombie does not).
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func awaitEnd(pid int) {
	for alive(pid) {
		time.Sleep(time.Millisecond)
	}
}

// childPid returns the number in a line "child N" among those told.
func (s *stage) childPid() int {
	for _, line := range s.awaitTold(2) { // the child's own line and its parent's, in any order
		if n, ok := strings.CutPrefix(line, "child "); ok {
			pid, err := strconv.Atoi(n)
			if err != nil {
				s.t.Fatal(err)
			}
			return pid
		}
	}
	s.t.Fatalf("no child in %q", s.told())
	return 0
}

func TestTimeLimit(t *testing.T) {
	s := newStage(t, "hang", conf.OnUp)
	s.limit = 50 * time.Millisecond
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	if got, want := <-s.log.lines, "hook module:hang on-up 10.0.0.1 failed: ended after 50ms"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// One that ignores SIGTERM is killed, and with it what it started.
func TestTimeLimitByForce(t *testing.T) {
	s := newStage(t, "stubborn", conf.OnUp)
	s.limit, s.grace = time.Hour, 50*time.Millisecond
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	pid := s.childPid() // the time limit must not come before
	s.Drain(0)
	if got, want := <-s.log.lines, "hook module:stubborn on-up 10.0.0.1 failed: ended, there is no more time by force"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	awaitEnd(pid)
}

// What a hook leaves running in the background, its output still open, holds up nothing and lives on.
func TestBackground(t *testing.T) {
	s := newStage(t, "orphan", conf.OnDown)
	s.Run(event(conf.OnDown, "", "eth0:10.0.0.1/24"))
	s.Drain(time.Hour)
	pid := s.childPid()
	defer syscall.Kill(pid, syscall.SIGKILL)
	if !alive(pid) {
		t.Error("it was killed")
	}
	if f, _ := s.Failures(); f != 0 {
		t.Errorf("%d failures", f)
	}
	if got := <-s.log.lines; got != "hook module:orphan on-down 10.0.0.1: left it" {
		t.Errorf("got %q", got)
	}
}

// An input larger than a pipe, which nobody reads.
func TestInputThatIsNotRead(t *testing.T) {
	s := newStage(t, "deaf", conf.OnDown)
	var addresses []string
	for i := range 1000 {
		addresses = append(addresses, fmt.Sprintf("eth0:10.0.%d.%d/24", i/256, i%256))
	}
	s.Run(event(conf.OnDown, "", addresses...))
	s.Drain(time.Hour)
	if f, _ := s.Failures(); f != 0 {
		t.Errorf("%d failures", f)
	}
}

func TestHookThatIsGone(t *testing.T) {
	s := newStage(t, "quick", conf.OnUp)
	if err := os.Remove(s.dir + "/module"); err != nil {
		t.Fatal(err)
	}
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	if got := <-s.log.lines; !strings.HasPrefix(got, "hook module:quick on-up 10.0.0.1 failed: ") || !strings.Contains(got, "no such file") {
		t.Errorf("got %q", got)
	}
	if err := os.WriteFile(s.dir+"/module", []byte("echo hello\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	if got := <-s.log.lines; !strings.Contains(got, "exec format error: is it for this machine? a script begins with #!") {
		t.Errorf("got %q", got)
	}
}

// At the end "down" hooks run, "up" hooks that wait do not, and nothing new is taken.
func TestDrain(t *testing.T) {
	s := newStage(t, "order", conf.OnUp, conf.OnDown, conf.PostDown)
	var want []string
	for i := range 6 {
		ip := fmt.Sprintf("10.0.0.%d", i)
		s.Run(event(conf.OnUp, "", "eth0:"+ip+"/24"))
		want = append(want, "end on-down "+ip)
	}
	s.awaitTold(4)
	for i := range 6 {
		s.Run(event(conf.OnDown, "", fmt.Sprintf("eth0:10.0.0.%d/24", i)))
	}
	s.Run(event(conf.PostDown, ""))
	drained := make(chan struct{})
	go func() { s.Drain(time.Hour); close(drained) }()
	for closed := false; !closed; { // until Drain has begun
		s.mu.Lock()
		closed = s.closed
		s.mu.Unlock()
	}
	s.Run(event(conf.OnDown, "", "eth0:10.9.9.9/24"))
	s.touch("go")
	<-drained
	lines := s.told()
	if last := lines[len(lines)-1]; last != "end post-down 0.0.0.0" {
		t.Errorf("the last line is %q", last)
	}
	var downs []string
	ups := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "end on-down") {
			downs = append(downs, line)
		}
		if strings.HasPrefix(line, "begin on-up") {
			ups++
		}
	}
	slices.Sort(downs)
	if diff := cmp.Diff(want, downs); diff != "" {
		t.Errorf("down hooks (-want +got):\n%s", diff)
	}
	if _, dropped := s.Failures(); ups != 4 || dropped != 2 {
		t.Errorf("%d up hooks ran, %d events dropped; want 4 and 2", ups, dropped)
	}
}

// When there is no more time, what hangs is ended and the rest is dropped.
func TestDrainIsBounded(t *testing.T) {
	s := newStage(t, "hang", conf.OnDown)
	for i := range 10 {
		s.Run(event(conf.OnDown, "", fmt.Sprintf("eth0:10.0.0.%d/24", i)))
	}
	s.awaitTold(4)
	s.Drain(0)
	failures, dropped := s.Failures()
	if failures != 4 || dropped != 6 {
		t.Errorf("%d failures, %d dropped; want 4 and 6", failures, dropped)
	}
	if got := <-s.log.lines; got != "no more time for hooks: 6 events did not run" {
		t.Errorf("got %q", got)
	}
}

func TestDrainWithNothingToDo(t *testing.T) {
	s := newStage(t, "quick", conf.OnUp)
	s.Drain(time.Hour)
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	s.Drain(time.Hour)
	if lines := s.told(); lines[0] != "" {
		t.Errorf("ran after the end: %q", lines)
	}
}

// A virtual interface that flaps while its hook is slow: the queue stays short, the last event is the
// last to run.
func TestFlapping(t *testing.T) {
	s := newStage(t, "order", conf.OnUp, conf.OnDown)
	for i := range 100 {
		s.Run(event([]conf.Event{conf.OnUp, conf.OnDown}[i%2], "", "eth0:10.0.0.1/24"))
	}
	s.awaitTold(1)
	s.touch("go")
	s.Drain(time.Hour)
	lines := s.told()
	if last := lines[len(lines)-1]; last != "end on-down 10.0.0.1" {
		t.Errorf("the last line is %q", last)
	}
	if _, dropped := s.Failures(); int(dropped)+len(lines)/2 != 100 {
		t.Errorf("%d dropped, %d ran", dropped, len(lines)/2)
	}
}

func TestConfigureReplacesThePlan(t *testing.T) {
	s := newStage(t, "quick", conf.OnUp)
	s.Configure(&conf.Config{ModuleDir: s.dir})
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	s.Drain(time.Hour)
	if lines := s.told(); lines[0] != "" {
		t.Errorf("ran by the old plan: %q", lines)
	}
}
