package node

import (
	"time"

	"wackamole/internal/fmt"
)

// A line for each address costs more than the address itself: a system call, and
// who reads it wakes up on the processor that is to send announcements, or to tell
// Spread that this member has released everything. So these lines wait.

// lineTime is how long they wait, linesMost how many do.
const (
	lineTime  = 20 * time.Millisecond
	linesMost = 10000
)

// logLater logs a line when the change that is under way is over.
func (n *Node) logLater(format string, args ...any) {
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
	n.alarms.setBy(logAlarm, lineTime)
	if len(n.lines) >= linesMost {
		n.logLines()
	}
}

// logLines logs what has waited.
func (n *Node) logLines() {
	for _, line := range n.lines {
		n.log.Printf("%s", line)
	}
	n.lines = nil
	n.alarms.stop(logAlarm)
}
