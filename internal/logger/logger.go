// Package logger writes the daemon's log.
//
// A Logger formats a message, makes one printable line of it and hands that to its Sink. There are two
// sinks: Writer stamps lines for a person in front of the foreground daemon, Syslog sends them to the
// machine's syslogd. Neither ever makes the daemon wait for whoever reads the log: a terminal on which
// somebody pressed Ctrl-S, a pager, a syslogd that hangs or is being restarted. What cannot be written
// is queued within a bound, beyond it dropped and counted, and the count is written as soon as
// something is read again.
//
// Much of what is logged comes from other machines (names of members, error texts of a Spread daemon).
// A Logger therefore escapes whatever is not printable, so that no message can forge a second line or
// drive the terminal on which the log is shown, and cuts what is longer than MaxLine. How often hostile
// input may cause a line is bounded by a Limiter.
//
// Levels are those of syslog. What the daemon does is logged as a notice, as the original does, so that
// filters made for it still apply; only what an operator must look at is a warning or an error.
package logger

import "wackamole/internal/fmt"

// Level is the severity of a line, numbered as in RFC 5424 section 6.2.1.
type Level uint8

// The levels in use.
const (
	Error   Level = 3
	Warning Level = 4
	Notice  Level = 5
	Info    Level = 6
)

// MaxLine is the most bytes of a message that are logged. RFC 3164 section 4.1 allows 1,024 for the
// whole packet; priority, time stamp and tag take the rest.
const MaxLine = 960

// Sink takes finished lines: printable, without a line end, at most MaxLine bytes. It is called from
// several goroutines at once and must not block.
type Sink interface {
	Log(level Level, line string)
}

// Logger formats lines for a sink. A nil *Logger discards everything.
type Logger struct {
	sink Sink
}

// New returns a Logger that writes to sink.
func New(sink Sink) *Logger {
	return &Logger{sink: sink}
}

// Printf logs a notice: something that the daemon did.
func (l *Logger) Printf(format string, args ...any) { l.logf(Notice, format, args...) }

// Errorf logs an error: something that stays wrong until a person acts.
func (l *Logger) Errorf(format string, args ...any) { l.logf(Error, format, args...) }

// Warningf logs a warning: something that is wrong or may become so, while the daemon goes on.
func (l *Logger) Warningf(format string, args ...any) { l.logf(Warning, format, args...) }

// Infof logs a detail that nobody needs to act on.
func (l *Logger) Infof(format string, args ...any) { l.logf(Info, format, args...) }

// Log logs a text as it is.
func (l *Logger) Log(level Level, text string) {
	if l != nil {
		l.sink.Log(level, line(text))
	}
}

func (l *Logger) logf(level Level, format string, args ...any) {
	if l != nil {
		l.Log(level, fmt.Sprintf(format, args...))
	}
}
