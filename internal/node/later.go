package node

import (
	"runtime"
	"time"

	"wackamole/internal/logger"
)

// A line for each address costs more than the address itself: its text, a system
// call, and who reads it wakes up on the processor that is to send announcements,
// or to tell Spread that this member has released everything. So these lines wait,
// and with them what the machine says meanwhile, so that the log is in order. A
// daemon that is killed loses them.

// lineTime is how long they wait, linesMost how many do.
const (
	lineTime  = 20 * time.Millisecond
	linesMost = 4096
)

// A line is one that waits.
type line struct {
	level logger.Level
	text  string
	about *holding // what has come or gone; nil where text is all
}

// logAddress logs what has come or gone when the change that is under way is over.
func (n *Node) logAddress(text string, x *holding) {
	if len(n.lines) == 0 {
		n.alarms.set(changeAlarm, lineTime)
	}
	n.lines = append(n.lines, line{logger.Notice, text, x})
	if len(n.lines) >= linesMost {
		n.logLines()
	}
}

// logInTurn logs a line after those that wait.
func (n *Node) logInTurn(level logger.Level, text string) {
	if len(n.lines) == 0 {
		n.log.Log(level, text)
	} else {
		n.lines = append(n.lines, line{level: level, text: text})
	}
}

// collectAfter is how many lines about addresses there may be before garbage is
// collected when a change is over, so that it need not be while the next one is under
// way: that takes as long as a hundred addresses.
const collectAfter = 100

// changeOver is what waits for a change to be over.
func (n *Node) changeOver() {
	n.changed += len(n.lines)
	n.logLines()
	if n.changed >= collectAfter {
		n.changed = 0
		n.background.Go(runtime.GC)
	}
}

// logLines logs what has waited.
func (n *Node) logLines() {
	for _, l := range n.lines {
		if l.about != nil {
			l.text += logName(l.about.kernelAddress())
		}
		n.log.Log(l.level, l.text)
	}
	n.lines = nil
	n.alarms.stop(changeAlarm)
}
