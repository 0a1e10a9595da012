package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// usage is what one process takes and has done.
type usage struct {
	anonymous, file float64 // resident bytes
	switches        float64 // times that one of its threads went to sleep of its own accord
	cpu             time.Duration
}

// look reads the usage of a process and of its threads, proc(5).
func look(pid int) (u usage, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	status, err := statusOf(dir + "/status")
	if err != nil {
		return u, err
	}
	u.anonymous, u.file = status["RssAnon"]*1024, (status["RssFile"]+status["RssShmem"])*1024
	threads, err := filepath.Glob(dir + "/task/*")
	for _, t := range threads {
		status, err := statusOf(t + "/status")
		if err != nil {
			continue // it has ended
		}
		u.switches += status["voluntary_ctxt_switches"]
		if line, err := os.ReadFile(t + "/schedstat"); err == nil {
			ran, _, _ := strings.Cut(string(line), " ")
			nanoseconds, _ := strconv.ParseInt(ran, 10, 64)
			u.cpu += time.Duration(nanoseconds)
		}
	}
	return u, err
}

// statusOf reads the numbers of a status file; those of memory are in KiB.
func statusOf(path string) (map[string]float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	numbers := make(map[string]float64)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if fields := strings.Fields(rest); len(fields) > 0 {
			if v, err := strconv.ParseFloat(fields[0], 64); err == nil {
				numbers[name] = v
			}
		}
	}
	return numbers, nil
}

// guardOf is the process beside the daemon.
func (d *daemon) guardOf() (int, error) {
	list, err := d.wire.subject.Processes()
	if err != nil {
		return 0, err
	}
	list = slices.DeleteFunc(list, func(pid int) bool { return pid == d.process.pid() })
	if len(list) != 1 {
		return 0, fmt.Errorf("%d processes beside the daemon, a guard was expected", len(list))
	}
	return list[0], nil
}

// A resident is a daemon whose usage is looked at.
type resident struct {
	*daemon
	order order
	guard int
}

func newResident(binary string, addresses int) (*resident, error) {
	w, err := newWire(1)
	if err != nil {
		return nil, err
	}
	d, err := startDaemon(oursName, binary, false, w, virtuals(addresses, w.links), "")
	if err != nil {
		w.close()
		return nil, err
	}
	r := &resident{daemon: d}
	if r.guard, err = d.guardOf(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *resident) close() {
	r.daemon.close()
	r.wire.close()
}

// takeOvers has the daemon take over and release so many times.
func (r *resident) takeOvers(count int) (err error) {
	for range count {
		if _, r.order, err = play(r.daemon, r.wire, r.list, r.order); err != nil {
			return err
		}
	}
	return nil
}

// hold has it take over and stay.
func (r *resident) hold() error {
	if err := r.wire.events.watch(); err != nil {
		return err
	}
	r.member.leave()
	_, err := r.wire.events.wait(patience, complete(len(r.list), r.order.last, false))
	return err
}

// memory adds the lines of both processes to a table. most is what the daemon may have in all; of the guard it is
// the anonymous memory that counts.
func (r *resident) memory(t, goals *table, title string, most float64) error {
	daemon, err := look(r.process.pid())
	if err != nil {
		return err
	}
	guard, err := look(r.guard)
	if err != nil {
		return err
	}
	goals.judge("resident memory of the daemon, "+title, sample{daemon.anonymous + daemon.file}, kibibytes, most)
	goals.judge("anonymous memory of its guard", sample{guard.anonymous}, kibibytes, 512<<10)
	for _, p := range []struct {
		name string
		usage
	}{{"daemon", daemon}, {"guard", guard}} {
		t.row(p.name+", "+title, kibibytes(p.anonymous), kibibytes(p.file), kibibytes(p.anonymous+p.file))
	}
	return nil
}

// sizes lists the binary that was measured, and with all also those of "make binaries" where they are there, each
// as it is and as xz packs it.
func sizes(binary string, all bool) (*table, error) {
	t := &table{title: "Binaries", head: []string{"", "as it is", "xz"}}
	paths := []string{binary}
	if all {
		found, err := filepath.Glob(filepath.Join(filepath.Dir(binary), "dist", "*", "wackamole"))
		if err != nil {
			return nil, err
		}
		paths = append(paths, found...)
	}
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		packed := "-"
		if all {
			if out, err := exec.Command("xz", "-9e", "-T1", "-c", path).Output(); err == nil {
				packed = kibibytes(float64(len(out)))
			}
		}
		name := "this one"
		if i > 0 {
			name = filepath.Base(filepath.Dir(path))
		}
		t.row(name, kibibytes(float64(info.Size())), packed)
	}
	return t, nil
}
