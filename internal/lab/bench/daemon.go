package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// patience is how long anything may take before a measurement is given up.
const patience = 60 * time.Second

// A daemon is a wackamole under test, ours or the original, with its Spread and the other member.
type daemon struct {
	title    string
	original bool
	wire     *wire
	list     []virtual
	settings string
	spread   *spread
	member   *member
	joins    int
	process  *process
	config   string
}

// startDaemon starts a wackamole on the wire's host that holds nothing: the other member has everything. settings
// are more lines of its configuration.
func startDaemon(title, binary string, original bool, w *wire, list []virtual, settings string) (d *daemon, err error) {
	d = &daemon{title: title, original: original, wire: w, list: list, settings: settings}
	if d.spread, err = newSpread(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	d.config = filepath.Join(d.spread.folder, "conf")
	if err := os.WriteFile(d.config, d.configuration(), 0o600); err != nil {
		return nil, err
	}
	if err := d.join(); err != nil {
		return nil, err
	}
	arguments := []string{"-d", "-c", d.config}
	if !original { // which knows its own address by the host's name alone
		arguments = append(arguments, "-a", subjectAddress.Addr().String())
	}
	if d.process, err = start(w, binary, arguments...); err != nil {
		return nil, err
	}
	if err := d.member.awaitView(2, patience); err != nil {
		return nil, fmt.Errorf("start %s: %w\n%s", binary, err, d.process.output.String())
	}
	return d, d.settle()
}

// configuration is what both programs take. A member of the group moves nothing by itself, and the original, which
// announces only what it is told to, tells the observer.
func (d *daemon) configuration() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Spread = %s\nSpreadRetryInterval = 1s\nGroup = %s\nMature = 1s\n", d.spread.port, groupName)
	fmt.Fprintf(&b, "Control = %s\n", filepath.Join(d.spread.folder, "control"))
	b.WriteString(d.settings)
	b.WriteString("Balance {\n\tAcquisitionsPerRound = all\n\tInterval = 3600s\n}\nPrefer None\n")
	if d.original {
		fmt.Fprintf(&b, "Notify {\n\tbench0:%v/32\n}\n", observerAddress.Addr())
	}
	b.WriteString("VirtualInterfaces {\n")
	for _, v := range d.list {
		network := ""
		if d.original {
			network = "n8" // the observer is within
		}
		fmt.Fprintf(&b, "\t{ %s:%v/32%s }\n", v.link, v.addr, network)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// join brings the other member back, which has everything.
func (d *daemon) join() (err error) {
	d.joins++
	d.member, err = joinAs(fmt.Sprintf("other%d", d.joins), d.spread.other(), d.list)
	return err
}

// settle waits until the daemon has been told what a change of the view brought about.
func (d *daemon) settle() error {
	for end := now() + patience; d.spread.stamps.state.Load() < d.spread.stamps.view.Load(); time.Sleep(time.Millisecond) {
		if now() > end {
			return fmt.Errorf("%s does not answer to a view", d.title)
		}
	}
	return nil
}

func (d *daemon) name() string { return d.title }

func (d *daemon) frames() int { return 2 }

func (d *daemon) takeOver() error {
	d.member.leave()
	return nil
}

// begin is when the last STATE was sent to the daemon.
func (d *daemon) begin() time.Duration { return time.Duration(d.spread.stamps.state.Load()) }

func (d *daemon) release() error { return d.join() }

func (d *daemon) close() {
	if d.process != nil {
		d.process.end()
	}
	d.spread.close()
	os.RemoveAll(d.spread.folder)
}

// A process runs on a wire's host. What it prints is kept, up to a limit.
type process struct {
	command *exec.Cmd
	output  *tail
	done    chan struct{}
}

func start(w *wire, program string, arguments ...string) (*process, error) {
	p := &process{command: exec.Command(program, arguments...), output: &tail{}, done: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := w.subject.Start(p.command); err != nil {
		return nil, err
	}
	go func() {
		p.command.Wait() // how it ended does not matter
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.command.Process.Pid }

// end asks the process to end, and makes it end.
func (p *process) end() {
	p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.command.Process.Kill()
		<-p.done
	}
}

// A tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 4096
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if len(t.kept) > 2*most {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-most:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
