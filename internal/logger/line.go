package logger

import (
	"strconv"
	"unicode/utf8"
)

// cut ends a line that was longer than MaxLine.
const cut = "..."

// line makes one printable line of at most MaxLine bytes of text: what is not printable (line ends,
// terminal control sequences, direction marks, broken UTF-8) is escaped as in a Go string literal.
// Backslashes and quotes are left alone, so that ordinary messages stay as they are.
func line(text string) string {
	if len(text) <= MaxLine && plain(text) {
		return text
	}
	out := make([]byte, 0, min(len(text)+16, MaxLine+16))
	room := 0 // how much of out leaves room for the mark of a cut
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, '\\', 'x', hexDigits[text[i]>>4], hexDigits[text[i]&15])
		case strconv.IsPrint(r):
			out = append(out, text[i:i+size]...)
		default:
			quoted := strconv.AppendQuoteRune(nil, r)
			out = append(out, quoted[1:len(quoted)-1]...)
		}
		switch {
		case len(out) > MaxLine:
			return string(append(out[:room], cut...))
		case len(out) <= MaxLine-len(cut):
			room = len(out)
		}
		i += size
	}
	return string(out)
}

const hexDigits = "0123456789abcdef"

func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}
