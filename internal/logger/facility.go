package logger

import (
	"strings"

	"wackamole/internal/fmt"
)

// Facility says to syslog what kind of program a line is from, numbered as in RFC 3164 section 4.1.1.
type Facility uint8

// Daemon is the facility of a daemon whose configuration names none, as in the original.
const Daemon Facility = 3

// facilities are indexed by number; 12 to 15 have no name on Linux.
var facilities = [...]string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"", "", "", "",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

// ParseFacility takes a facility's name as syslog.conf has it, in any case, also with the C library's
// LOG_ in front.
func ParseFacility(name string) (Facility, error) {
	word := strings.TrimPrefix(strings.ToLower(name), "log_")
	if word == "security" {
		word = "auth" // the old name, which syslog.conf(5) still takes
	}
	for number, known := range facilities {
		if known == word && word != "" {
			return Facility(number), nil
		}
	}
	return Daemon, fmt.Errorf("unknown log facility %q: write daemon, user, auth, authpriv, cron, ftp, kern, lpr, mail, news, syslog, uucp or local0 to local7", name)
}
