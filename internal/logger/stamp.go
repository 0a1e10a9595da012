package logger

import (
	"time"

	"wackamole/internal/fmt"
)

// Times are written by hand: the time package's layouts are 15 KB of code.

// foregroundStamp is how the original stamps the lines of a foreground daemon.
func foregroundStamp(t time.Time) string {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return fmt.Sprintf("[%.3s %02d %.3s %04d %02d:%02d:%02d] ", t.Weekday(), day, month, year, hour, minute, second)
}

// appendTimestamp appends the TIMESTAMP of RFC 3164 section 4.1.2 and a space:
// local time, the day padded with a space.
func appendTimestamp(dst []byte, t time.Time) []byte {
	_, month, day := t.Date()
	hour, minute, second := t.Clock()
	return fmt.Appendf(dst, "%.3s %2d %02d:%02d:%02d ", month, day, hour, minute, second)
}
