package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// machine describes what was measured, and where.
func machine(binary string) *table {
	t := &table{title: "Machine", head: []string{""}}
	t.row("date", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	t.row("kernel", "Linux "+strings.TrimSpace(string(kernel))+" "+runtime.GOARCH)
	model := "unknown"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			name, value, ok := strings.Cut(line, ":")
			switch strings.TrimSpace(name) {
			case "model name", "cpu model", "Hardware", "uarch":
				if ok {
					model = strings.TrimSpace(value)
				}
			}
		}
	}
	t.row("processor", fmt.Sprintf("%s, %d of them", model, runtime.NumCPU()))
	if memory, err := statusOf("/proc/meminfo"); err == nil {
		t.row("memory", fmt.Sprintf("%.0f MiB", memory["MemTotal"]/1024))
	}
	policy := "shared with everything else"
	if p, err := unix.SchedGetAttr(0, 0); err == nil && p.Policy != unix.SCHED_NORMAL {
		policy = fmt.Sprintf("policy %d, priority %d (sched(7))", p.Policy, p.Priority)
	}
	t.row("scheduled", policy)
	t.row("load before", load())
	t.row(oursName, versionOf(binary, "-v")+", built with "+goVersion(binary))
	if program := findKeepalived(); program != "" {
		t.row(keepalivedName, versionOf(program, "-v"))
	}
	if program, err := exec.LookPath("ip"); err == nil {
		t.row(ipName, versionOf(program, "-V"))
	}
	if program := os.Getenv(originalVariable); program != "" {
		t.row(originalName, versionOf(program, "-v"))
	}
	return t
}

// load is how much else the machine had to do: of a figure measured under load only the ratios say anything.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ") + " (mean over 1, 5 and 15 minutes)"
}

// versionOf is the first line that a program prints about its version, of a longer text the one that names it.
func versionOf(program, flag string) string {
	out, _ := exec.Command(program, flag).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, line := range lines {
		if strings.Contains(strings.ToLower(line), "version") {
			return strings.Trim(line, "|/\\= \t")
		}
	}
	return lines[0]
}
