package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"wackamole/internal/lab"
	"wackamole/internal/lab/vnet"
)

func TestParseStatus(t *testing.T) {
	const text = "Name:\twackguard\nUmask:\t0022\nState:\tT (stopped)\nPid:\t812\nNSpid:\t812\t17\nRssAnon:\t     540 kB\n" +
		"RssFile:\t    3892 kB\nThreads:\t4\nno colon\nVmLck:\n"
	want := process{PID: 17, Name: "wackguard", State: 'T', Threads: 4, Anonymous: 540, File: 3892}
	if diff := cmp.Diff(want, parseStatus(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := parseStatus(""); p != (process{}) {
		t.Errorf("of nothing: %+v", p)
	}
}

func TestGuardsOf(t *testing.T) {
	list := []process{{Name: "wackamole", PID: 1}, {Name: "wackguard", PID: 2, State: 'T'}, {Name: "wackguard", PID: 3, State: 'Z'}}
	if got := guardsOf(list); len(got) != 1 || got[0].PID != 2 {
		t.Errorf("guards %v, want the one that is stopped", got)
	}
}

func TestGrowth(t *testing.T) {
	good := footprint{descriptors: 19, goroutines: 12, threads: 9, anonymous: 2000, file: 4000}
	tests := []struct {
		name   string
		change func(daemon, guard *footprint)
		want   string
	}{
		{"nothing", func(daemon, guard *footprint) {}, ""},
		{"a descriptor", func(daemon, guard *footprint) { daemon.descriptors++ }, "the daemon's descriptors grew to 20"},
		{"a goroutine", func(daemon, guard *footprint) { daemon.goroutines++ }, "the daemon's goroutines grew to 13"},
		{"threads", func(daemon, guard *footprint) { daemon.threads += 3 }, ""},
		{"memory, a fifth", func(daemon, guard *footprint) { daemon.anonymous += 400 }, ""},
		{"memory, more", func(daemon, guard *footprint) { daemon.anonymous += 401 }, "the daemon's anonymous memory grew to 2401 KiB, over 2400"},
		{"a guard's descriptor", func(daemon, guard *footprint) { guard.descriptors++ }, "the guard's descriptors grew to 20"},
	}
	for _, tt := range tests {
		samples := []sample{{50, good, good}, {warm, good, good}, {5 * warm, good, good}, {10 * warm, good, good}}
		last := &samples[3]
		tt.change(&last.daemon, &last.guard)
		got := ""
		if err := judgeGrowth(samples); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	cold := []sample{{50, good, good}, {100, good, good}, {1000, footprint{19, 9, 12, 3000, 4000}, good}}
	if err := judgeGrowth(cold); err != nil {
		t.Errorf("memory of a short run was judged: %v", err)
	}
}

func TestFigures(t *testing.T) {
	f := &figures{}
	a := netip.MustParseAddr("10.77.0.101")
	f.add("split", 1500*ms, []lab.Outcome{{Address: a, Longest: 20 * ms, Twice: 10 * ms}, {Address: a, Longest: 40 * ms}, {Address: a}})
	one := f.add("split", 500*ms, nil)
	f.add("kill guard", 0, nil)
	if got, want := one.String(), "quiet 0.50 s after the last heal"; got != want {
		t.Errorf("a round: %q, want %q", got, want)
	}
	if got, want := f.by["split"].String(), "quiet 1.50 s after the last heal; 2 unanswered, 0.04 s at most; 1 answered twice, 0.01 s at most"; got != want {
		t.Errorf("two rounds: %q, want %q", got, want)
	}
	var out bytes.Buffer
	f.print(&out)
	lines := strings.Split(out.String(), "\n")
	want := []string{
		"kill guard               1    0.00   0.00   0.00    0      .      .      .    0      .      .      .",
		"split                    2    0.50   1.50   1.50    2   0.02   0.04   0.04    1   0.01   0.01   0.01",
	}
	if len(lines) < 5 || !slices.Equal(lines[3:5], want) {
		t.Errorf("printed:\n%s", out.String())
	}
}

func TestConfiguration(t *testing.T) {
	text := string(configuration("4801", "/run/c", vifs))
	for _, want := range []string{"Spread = 4801\n", "Control = /run/c\n", "\teth0:10.77.0.101/32\n", "\t{ eth0:10.77.0.109/32 eth1:10.78.0.109/32 }\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

// What is done to an interface has the effect that the faults are about.
func TestWire(t *testing.T) {
	vnet.Require(t)
	here, err := vnet.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	there, err := vnet.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(here.Veth("a", there, "b"))
	must(moveLink(there, "b", here, "c"))
	for _, name := range []string{"a", "c"} {
		must(here.SetUp(name))
	}
	for { // the carrier comes a little later
		link, err := here.Interface("a")
		must(err)
		if link.Flags&unix.IFF_RUNNING != 0 || strings.Contains(link.Flags.String(), "running") {
			break
		}
		time.Sleep(time.Millisecond)
	}
	must(addNeighbours(here, "a", neighbours(planned{at: eth0})))
	must(deleteNeighbours(here, "a", neighbours(planned{at: eth0})))

	send := func(size int) (err error) {
		must(here.Do(func() error {
			fd, failed := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
			must(failed)
			defer unix.Close(fd)
			link, failed := here.Interface("a")
			must(failed)
			err = unix.Sendto(fd, make([]byte, size), 0, &unix.SockaddrLinklayer{Ifindex: link.Index})
			return nil
		}))
		return err
	}
	must(send(60))
	must(choke(here, "a"))
	if err := send(60); !errors.Is(err, unix.ENOBUFS) {
		t.Errorf("a frame of the daemon's on a full queue: %v, want ENOBUFS", err)
	}
	if err := send(42); err != nil {
		t.Errorf("an answer of the kernel's on a full queue: %v", err)
	}
	must(unchoke(here, "a"))
	must(send(60))
}

// The node's directory refuses what it is to refuse, while a file is open in it.
func TestDirectory(t *testing.T) {
	vnet.Require(t)
	n := &node{number: 1, dir: t.TempDir()}
	if err := n.mount(); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(n.dir, unix.MNT_DETACH)
	open, err := os.Create(n.dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	if err := n.setReadOnly(true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Create(n.dir + "/new"); !errors.Is(err, unix.EROFS) {
		t.Errorf("a new file while read-only: %v", err)
	}
	if err := n.setReadOnly(false); err != nil {
		t.Fatal(err)
	}
	if err := n.fill(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(n.dir+"/new", []byte("x"), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("a new file while full: %v", err)
	}
	if err := errors.Join(n.empty(), n.empty()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(n.dir+"/new", []byte("x"), 0o600); err != nil {
		t.Errorf("a new file in the end: %v", err)
	}
}
