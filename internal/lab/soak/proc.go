package main

import (
	"os"
	"strconv"
	"strings"

	"wackamole/internal/lab/vnet"
)

// A process is what /proc says of one. Sizes are in KiB.
type process struct {
	PID         int // in the PID namespace of the lab
	Name        string
	State       byte // R, S, D, T (stopped), Z (ended, not buried yet)
	Threads     int
	Anonymous   int
	File        int
	Descriptors int
}

// guardName is the command name of guards.
const guardName = "wackguard"

// processes lists what runs in a namespace, this process left out.
func processes(n *vnet.Namespace) ([]process, error) {
	directories, err := n.ProcessDirectories()
	if err != nil {
		return nil, err
	}
	var list []process
	for _, dir := range directories {
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue
		}
		p := parseStatus(string(status))
		if files, err := os.ReadDir(dir + "/fd"); err == nil {
			p.Descriptors = len(files)
		}
		if p.PID != 0 && p.PID != os.Getpid() {
			list = append(list, p)
		}
	}
	return list, nil
}

// parseStatus reads /proc/PID/status, see proc_pid_status(5).
func parseStatus(text string) process {
	var p process
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if !ok || len(fields) == 0 {
			continue
		}
		switch key {
		case "Name":
			p.Name = fields[0]
		case "State":
			p.State = fields[0][0]
		case "NSpid":
			p.PID, _ = strconv.Atoi(fields[len(fields)-1])
		case "Threads":
			p.Threads, _ = strconv.Atoi(fields[0])
		case "RssAnon":
			p.Anonymous, _ = strconv.Atoi(fields[0])
		case "RssFile":
			p.File, _ = strconv.Atoi(fields[0])
		}
	}
	return p
}

// guardsOf picks the guards that are alive, stopped ones included.
func guardsOf(list []process) (guards []process) {
	for _, p := range list {
		if p.Name == guardName && p.State != 'Z' {
			guards = append(guards, p)
		}
	}
	return guards
}
