package conf

import (
	"strings"
	"unicode/utf8"
)

// word makes the text up to end a number, a time, an address or a word,
// whichever it has the form of.
func (l *lexer) word(end int) stateFn {
	l.emit(itemWord, end)
	text := l.item.text
	l.expect = expectSetting
	if mark := text[0]; mark == '"' || mark == '\'' {
		l.warnings.add(l.item.place, "the quotes are part of the word %s, because it goes on behind them; write the closing %c at its end", clip(text), mark)
	}
	switch {
	case isNumber(text):
		l.item.kind = itemNumber
	case isTime(text):
		l.item.kind = itemTime
	case isAddress(text):
		l.item.kind = itemAddress
	default:
		l.item.keyword = lookup(text)
		switch k := l.item.keyword; {
		case k.takesEquals():
			l.expect = expectEquals
		case k.form() == formString:
			l.expect = expectValue
			l.valueLine = l.line
		}
	}
	l.checkText()
	return nil
}

// checkText complains about an item that is too long, or that holds what
// nobody can see.
func (l *lexer) checkText() {
	it := &l.item
	if len(it.text) > maxToken {
		l.errors.add(it.place, "this text of %d bytes is too long; write %d bytes at most", len(it.text), maxToken)
		it.text, it.bad = it.text[:maxToken], true
		return
	}
	for i := 0; i < len(it.text); {
		b := it.text[i]
		if b >= utf8.RuneSelf && it.kind != itemQuoted {
			r, size := utf8.DecodeRuneInString(it.text[i:])
			if message := lookalike(r); message != "" {
				l.errors.add(place{it.line, it.column + i}, "%s", message)
				it.bad = true
				return
			}
			i += size
			continue
		}
		if b == 0x7f || b < ' ' && !(it.kind == itemQuoted && isBlank(b)) {
			l.errors.add(it.place, "the control character 0x%02x in %s has no place here; delete it", b, quote(it.text))
			it.bad = true
			return
		}
		i++
	}
}

// lookalike says what is wrong with a character that comes with text copied from
// web pages and word processors; "" of any other.
func lookalike(r rune) string {
	switch r {
	case '\u00a0':
		return "this is a no-break space, which only looks like a blank; write a blank"
	case '\u200b':
		return "there is an invisible character (zero width space) here; delete it"
	case '\ufeff':
		return "there is an invisible character (byte order mark) here; delete it"
	case '\u2013':
		return "this is a dash that only looks like a hyphen; write -"
	case '\u2018', '\u2019':
		return "this is a typographic quote; write '"
	case '\u201c', '\u201d':
		return "this is a typographic quote; write \""
	}
	return ""
}

// digits returns how many digits s starts with.
func digits(s string) int {
	n := 0
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n
}

func isNumber(s string) bool { return s != "" && digits(s) == len(s) }

func isTime(s string) bool {
	n := digits(s)
	return n > 0 && n == len(s)-1 && strings.IndexByte("sSmMhH", s[n]) >= 0
}

// isAddress reports whether s has the form [INTERFACE:]a.b.c.d/BITS[nNET]. Its
// numbers may still be too large.
func isAddress(s string) bool {
	name, rest, found := strings.Cut(s, ":")
	if !found {
		name, rest = "-", s
	}
	_, ok := parseNumbers(rest)
	return name != "" && ok
}

// addressNumbers are the numbers of an address as written.
type addressNumbers struct {
	octets        [4]int
	bits, network int
	hasNetwork    bool
}

// parseNumbers takes a.b.c.d/BITS[nNET] apart: one to three digits for an
// octet, leading zeros allowed and decimal, one or two for the others.
func parseNumbers(s string) (addressNumbers, bool) {
	n := addressNumbers{network: defaultNetwork}
	ok := true
	number := func(most int, after string) int {
		length := digits(s)
		if !ok || length == 0 || length > most || !strings.HasPrefix(s[length:], after) {
			ok = false
			return 0
		}
		value := 0
		for _, digit := range []byte(s[:length]) {
			value = 10*value + int(digit-'0')
		}
		s = s[length+len(after):]
		return value
	}
	for i, after := range [4]string{".", ".", ".", "/"} {
		n.octets[i] = number(3, after)
	}
	n.bits = number(2, "")
	if ok && strings.HasPrefix(s, "n") {
		s = s[1:]
		n.network, n.hasNetwork = number(2, ""), true
	}
	return n, ok && s == ""
}
