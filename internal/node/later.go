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

// lineTime is how long they wait, and linesMost how many do: more than a cluster has
// addresses. Then linesAtOnce of them are written each linePause, between which the
// loop sees to what is more important.
const (
	lineTime    = 20 * time.Millisecond
	linesMost   = 10000
	linesAtOnce = 64
	linePause   = time.Millisecond
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

// collectAfter is how many of these lines there may be before garbage is collected
// when a change is over, so that it need not be while the next one is under
// way: that takes as long as a hundred addresses.
const collectAfter = 100

// changeOver is what waits for a change to be over.
func (n *Node) changeOver() {
	n.writeLines(min(len(n.lines), linesAtOnce))
	if len(n.lines) > 0 {
		n.alarms.set(changeAlarm, linePause)
		return
	}
	if n.changed >= collectAfter {
		n.changed = 0
		n.background.Go(runtime.GC)
	}
}

// logLines logs all that has waited.
func (n *Node) logLines() {
	n.writeLines(len(n.lines))
	n.alarms.stop(changeAlarm)
}

func (n *Node) writeLines(count int) {
	n.changed += count
	for _, l := range n.lines[:count] {
		if l.about != nil {
			l.text += logName(l.about.kernelAddress())
		}
		n.log.Log(l.level, l.text)
	}
	if n.lines = n.lines[count:]; len(n.lines) == 0 {
		n.lines = nil
	}
}
