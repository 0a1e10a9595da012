package conf

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSeconds is the longest time and maxNumber the largest number that a
	// file can set: what an int has on every machine.
	maxSeconds = 1<<31 - 1
	maxNumber  = 1<<31 - 1

	maxGroup  = 31 // bytes of a Spread group name
	maxSpread = 79 // bytes of the name of a Spread daemon in the original

	// maxSocketPath is what sun_path holds with its NUL.
	maxSocketPath = 107
	// controlDir is where a relative name of the control socket is.
	controlDir = "/var/run"
)

// value takes the = and the value of a setting. A setting without a value is
// reported; a value without = as well, but it is returned.
func (p *parser) value(name item) (item, bool) {
	if p.peek(0).kind == itemEquals {
		p.next()
	} else if p.isValue() {
		p.errorAt(p.peek(0), "there is no = between %s and its value %s; write %s", name.keyword, p.describe(), name.keyword.example())
	}
	if !p.isValue() {
		p.errorAt(name, "%s has no value but is followed by %s; write for example %s", name.keyword, p.describe(), name.keyword.example())
		return item{}, false
	}
	return p.next(), true
}

// isValue reports whether the item ahead can be a value at all.
func (p *parser) isValue() bool {
	switch p.peek(0).kind {
	case itemEOF, itemOpen, itemClose, itemEquals:
		return false
	}
	return !p.startsSetting()
}

// str returns the text of a value that is a string. Quoted or not; the
// original takes no number, time or address for one without quotes, but they
// can mean nothing else. Words of the language need the quotes.
func (p *parser) str(name, it item) (string, bool) {
	switch {
	case it.bad:
		return "", false
	case it.kind == itemWord && it.keyword != noKeyword:
		p.errorAt(it, "%s is a word of this language; write \"%s\" in quotes if it is what %s shall be", it.text, it.text, name.keyword)
		return "", false
	case it.text == "":
		p.errorAt(it, "%s is empty; write for example %s, or delete the setting", name.keyword, name.keyword.example())
		return "", false
	case strings.Contains(it.text, "\n"):
		p.errorAt(it, "the value of %s goes over several lines; write it in one", name.keyword)
		return "", false
	}
	return strings.Clone(it.text), true
}

// once notes that a setting is set here, and warns of the one before, which it
// replaces.
func (p *parser) once(name item) {
	if before := p.set[name.keyword]; before.line != 0 {
		p.warnAt(before, "this %s has no effect, because line %d sets it again; delete one of the two", name.keyword, name.line)
	}
	p.set[name.keyword] = name.place
}

// text parses a setting that is a string, and returns it with its item.
func (p *parser) text(name item) (it item, text string, ok bool) {
	if it, ok = p.value(name); ok {
		text, ok = p.str(name, it)
	}
	if ok {
		p.once(name)
	}
	return it, text, ok
}

func (p *parser) moduleDir(name item) bool {
	_, text, ok := p.text(name)
	if ok {
		p.config.ModuleDir = text
	}
	return ok
}

func (p *parser) spread(name item) bool {
	it, text, ok := p.text(name)
	if !ok {
		return false
	}
	port, host, at := strings.Cut(text, "@")
	if isNumber(port) {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			p.errorAt(it, "the port %s of Spread does not fit; write a number from 1 to 65535 such as Spread = 4803", clip(port))
			return false
		}
		text = strconv.FormatUint(n, 10) + text[len(port):]
	}
	if at && (port == "" || host == "") || strings.ContainsAny(text, " \t\r") {
		p.errorAt(it, "%s names no Spread daemon; write PORT or PORT@HOST such as Spread = 4803@127.0.0.1", quote(text))
		return false
	}
	if len(text) > maxSpread {
		p.warnAt(it.place, "the name of the Spread daemon has %d characters, of which the original wackamole uses the first %d; write a shorter one", len(text), maxSpread)
	}
	p.config.Spread, p.config.SpreadAt = text, p.position(name.place)
	return true
}

func (p *parser) group(name item) bool {
	it, text, ok := p.text(name)
	if !ok {
		return false
	}
	// What the library lets through, see its SP_join.
	if i := strings.IndexFunc(text, func(r rune) bool { return r < 0x24 || r > 0x7e }); i >= 0 {
		p.errorAt(it, "Spread allows no %s in the name of a group; write letters, digits and signs such as Group = wack1", quote(string([]rune(text[i:])[:1])))
		return false
	}
	if len(text) > maxGroup {
		p.warnAt(it.place, "a group name has %d characters at most, so this group is %q; write a shorter name", maxGroup, text[:maxGroup])
		text = text[:maxGroup]
	}
	p.config.Group = text
	return true
}

// logFacilities are the names of syslog.conf(5); security is an old name of auth.
var logFacilities = []string{
	"auth", "authpriv", "cron", "daemon", "ftp", "kern", "lpr", "mail", "news", "security", "syslog", "user", "uucp",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

func (p *parser) logFacility(name item) bool {
	it, text, ok := p.text(name)
	if !ok {
		return false
	}
	facility := strings.TrimPrefix(strings.ToLower(text), "log_") // as in C
	if !slices.Contains(logFacilities, facility) {
		if near := nearest(facility, logFacilities); near != "" {
			p.errorAt(it, "there is no log facility %s; write LogFacility = %s", quote(text), near)
		} else {
			p.errorAt(it, "there is no log facility %s; write daemon, user, local0 to local7 or another name of syslog", quote(text))
		}
		return false
	}
	if facility == "security" {
		facility = "auth"
	}
	p.config.LogFacility = facility
	return true
}

func (p *parser) control(name item) bool {
	it, text, ok := p.text(name)
	if !ok {
		return false
	}
	if !filepath.IsAbs(text) {
		text = filepath.Join(controlDir, text)
	}
	if strings.HasSuffix(text, "/") || text == controlDir || strings.HasSuffix(text, "/..") {
		p.errorAt(it, "the control socket %s is a directory; write the path of a file in it such as %s", quote(text), keyControl.example())
		return false
	}
	if len(text) > maxSocketPath {
		p.errorAt(it, "the path of the control socket has %d bytes, %d are possible; write a shorter path such as %s", len(text), maxSocketPath, keyControl.example())
		return false
	}
	p.config.Control = text
	return true
}

// duration parses a setting that is a time, of least seconds or more.
func (p *parser) duration(name item, to *time.Duration, least int64) bool {
	it, ok := p.value(name)
	if !ok {
		return false
	}
	if it.kind != itemTime {
		switch {
		case it.kind == itemNumber:
			p.errorAt(it, "the time %s has no unit; write %ss, %sm or %sh for seconds, minutes or hours", clip(it.text), clip(it.text), clip(it.text), clip(it.text))
		case it.kind == itemQuoted && isTime(it.text):
			p.errorAt(it, "a time is not quoted; write %s = %s", name.keyword, clip(it.text))
		default:
			p.errorAt(it, "%s is not a time; write a number and s, m or h in one word such as %s", quote(it.text), name.keyword.example())
		}
		return false
	}
	last := len(it.text) - 1
	// The original takes hours for seconds.
	unit := int64(1)
	switch it.text[last] {
	case 'm', 'M':
		unit = 60
	case 'h', 'H':
		unit = 3600
	}
	n, err := strconv.ParseInt(it.text[:last], 10, 64)
	if err != nil || n > maxSeconds/unit {
		p.errorAt(it, "the time %s does not fit; write %d%c at most", clip(it.text), maxSeconds/unit, it.text[last])
		return false
	}
	p.once(name)
	seconds := n * unit
	if seconds < least {
		p.warnAt(it.place, "%s = %s would never pause, so %ds is used; write that or more", name.keyword, it.text, least)
		seconds = least
	}
	*to = time.Duration(seconds) * time.Second
	return true
}

// number returns the value of a number.
func (p *parser) number(it item) (int, bool) {
	n, err := strconv.ParseInt(it.text, 10, 64)
	if err != nil || n > maxNumber {
		p.errorAt(it, "the number %s does not fit; write %d at most", clip(it.text), maxNumber)
		return 0, false
	}
	return int(n), true
}
