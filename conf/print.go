package conf

import (
	"errors"
	"net/netip"
	"strconv"
	"time"

	"wackamole/internal/fmt"
)

// AppendText appends the configuration in canonical form: one setting a line,
// names as the manual spells them, the defaults written out. It parses to
// an equal configuration again, and the original wackamole can read it. The
// error is for configurations made by hand that no file can express. It
// implements encoding.TextAppender.
func (c *Config) AppendText(b []byte) ([]byte, error) {
	w := &writer{b: b}
	if c.SpreadAt != (Position{}) {
		w.setting(keySpread, c.Spread)
	}
	w.duration(keyRetry, c.RetryInterval)
	w.setting(keyGroup, c.Group)
	w.setting(keyLog, c.LogFacility)
	if c.Control != "" {
		w.setting(keyControl, c.Control)
	}
	w.duration(keyMature, c.Mature)
	w.duration(keyARPCache, c.ARPCache)
	w.balance(c.Balance)
	w.notify(c.Notify)
	w.prefer(c.Prefer)
	w.interfaces(c.Interfaces)
	if c.ModuleDir != DefaultModuleDir {
		w.setting(keyModuleDir, c.ModuleDir)
	}
	for _, dir := range c.PerlUseLib {
		w.str(keyPerlUseLib, dir)
		w.put("\n")
	}
	for _, name := range c.PerlUse {
		w.str(keyPerlUse, name)
		w.put("\n")
	}
	for _, hook := range c.Hooks {
		w.str(keyRunDynamic, hook.Name())
		w.put(" ", hook.Event.String(), "\n")
	}
	if len(c.Interfaces) == 0 && w.err == nil {
		w.err = errors.New("write a configuration: it has no virtual interfaces")
	}
	return w.b, w.err
}

// writer appends settings; it keeps the first error.
type writer struct {
	b   []byte
	err error
}

func (w *writer) put(texts ...string) {
	for _, text := range texts {
		w.b = append(w.b, text...)
	}
}

// setting writes NAME = STRING.
func (w *writer) setting(k keyword, value string) {
	w.put(k.String(), " = ")
	w.string(k, value)
	w.put("\n")
}

// str writes NAME STRING.
func (w *writer) str(k keyword, value string) {
	w.put(k.String(), " ")
	w.string(k, value)
}

func (w *writer) string(k keyword, value string) {
	text, ok := stringToken(k, value)
	if !ok && w.err == nil {
		w.err = fmt.Errorf("write %s %s to a configuration: no file can hold this text", k, quote(value))
	}
	w.put(text)
}

// stringToken returns the way to write a string. What is right is for the
// lexer to decide.
func stringToken(k keyword, value string) (string, bool) {
	if value == "" {
		return `""`, false // an error in a file
	}
	for _, token := range [...]string{value, `"` + value + `"`, `'` + value + `'`} {
		var problems collector
		l := newLexer(token, &problems, &problems)
		l.expect, l.valueLine = expectValue, 1
		it := l.next()
		if it.text != value || problems.count() > 0 && it.bad || l.next().kind != itemEOF {
			continue
		}
		bare := it.kind == itemWord && it.keyword == noKeyword || it.kind == itemNumber && k == keySpread
		if bare || it.kind == itemQuoted {
			return token, true
		}
	}
	return value, false
}

func (w *writer) duration(k keyword, d time.Duration) {
	// Seconds, because the original takes hours for seconds.
	w.put(k.String(), " = ", strconv.FormatInt(int64(d/time.Second), 10), "s\n")
}

func (w *writer) balance(balance Balance) {
	perRound := strconv.Itoa(balance.PerRound)
	switch balance.PerRound {
	case BalanceAll:
		perRound = keyAll.String()
	case BalanceNever:
		perRound = "0"
	}
	w.put("Balance {\n\tAcquisitionsPerRound = ", perRound, "\n")
	// Without effect it is only written to keep it.
	if balance.PerRound > 0 || balance.Interval != DefaultInterval {
		w.put("\t")
		w.duration(keyInterval, balance.Interval)
	}
	w.put("}\n")
}

func (w *writer) notify(entries []NotifyEntry) {
	if len(entries) == 0 {
		w.put("Notify NONE\n")
		return
	}
	w.put("Notify {\n")
	for _, e := range entries {
		w.put("\t")
		w.b = e.append(w.b)
		w.put("\n")
	}
	w.put("}\n")
}

func (e NotifyEntry) append(b []byte) []byte {
	if e.ARPCache {
		b = append(b, "arp-cache"...)
	} else {
		if e.Interface != "" {
			b = append(b, e.Interface...)
			b = append(b, ':')
		}
		b = e.Block.AppendTo(b)
		if e.Throttle > 0 {
			b = append(b, " throttle "...)
			b = strconv.AppendInt(b, int64(e.Throttle), 10)
		}
	}
	if e.Ping {
		b = append(b, " ping"...)
	}
	return b
}

// prefer writes the addresses in their order: None stands outside of braces.
func (w *writer) prefer(addrs []netip.Addr) {
	open := false
	for _, addr := range addrs {
		if addr == none {
			if open {
				w.put(" }\n")
			}
			open = false
			w.put("Prefer None\n")
			continue
		}
		if !open {
			w.put("Prefer {")
		}
		open = true
		w.put(" ")
		// The original understands no other prefix length.
		w.b = netip.PrefixFrom(addr, 32).AppendTo(w.b)
	}
	if open {
		w.put(" }\n")
	}
}

func (w *writer) interfaces(vifs []VirtualInterface) {
	w.put("VirtualInterfaces {\n")
	for _, v := range vifs {
		w.put("\t")
		w.b = v.append(w.b)
		w.put("\n")
	}
	w.put("}\n")
}
