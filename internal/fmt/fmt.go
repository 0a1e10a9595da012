// Package fmt writes wackamole's messages: the part of the standard package of that name that they use, with the
// same names and the same results, but without reflection. The standard one brings package reflect and tables that
// nothing here needs: a ninth of the packed size of a small router's binary, and pages of memory in each process.
//
//	verb          takes
//	%s %q %v      string, []byte, error, Stringer; %v also whole numbers and bool
//	%d %x %c      whole numbers; %x also string and []byte
//	%w            error, in Errorf
//
// with a width, a precision for strings, and the flags '-', '0' and '#'. An argument's own type must be one of these:
// a named number without a String method, or one that is to be printed as a number in spite of its String method,
// has to be converted by the caller. A test checks every call in the program for that, so that nothing but
// correct formats are ever met here; wrong ones give a marked text, never a panic.
//
// Tests and tools, which no appliance carries, use the standard package.
package fmt

import (
	"io"
	"strconv"
	"unicode/utf8"
)

// A Stringer tells its text.
type Stringer interface{ String() string }

// Sprintf returns the text of the format and its arguments.
func Sprintf(format string, args ...any) string { return string(Appendf(nil, format, args...)) }

// Fprintf writes the text with one call of Write.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return w.Write(Appendf(nil, format, args...))
}

// Appendf appends the text to dst.
func Appendf(dst []byte, format string, args ...any) []byte {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			dst = append(dst, format[i])
			continue
		}
		d, length := parse(format[i+1:])
		i += length
		switch {
		case d.verb == '%':
			dst = append(dst, '%')
		case len(args) == 0:
			dst = append(append(append(dst, "%!"...), d.verb), "(MISSING)"...)
		default:
			dst = d.append(dst, args[0])
			args = args[1:]
		}
	}
	return dst
}

// A directive is what follows a percent sign.
type directive struct {
	left, zero, sharp bool
	width, precision  int // precision -1 = none
	verb              byte
}

// parse reads a directive and returns its length. A format that ends too early
// gives the verb '!'.
func parse(s string) (directive, int) {
	d := directive{precision: -1, verb: '!'}
	i := 0
flags:
	for ; i < len(s); i++ {
		switch s[i] {
		case '-':
			d.left, d.zero = true, false
		case '0':
			d.zero = !d.left
		case '#':
			d.sharp = true
		default:
			break flags
		}
	}
	d.width, i = number(s, i)
	if i < len(s) && s[i] == '.' {
		d.precision, i = number(s, i+1)
	}
	if i < len(s) {
		d.verb = s[i]
		i++
	}
	return d, i
}

// widest bounds widths and precisions.
const widest = 1000

func number(s string, i int) (int, int) {
	n := 0
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n = min(n*10+int(s[i]-'0'), widest)
	}
	return n, i
}

// append appends one argument. Nothing is taken from the heap for it, unless its own
// text is: a take-over has hundreds of lines.
func (d directive) append(dst []byte, arg any) []byte {
	start := len(dst)
	if n, negative, ok := integer(arg); ok {
		return d.pad(d.number(dst, n, negative), start)
	}
	switch v := arg.(type) {
	case nil:
		dst = d.text(dst, "<nil>")
	case bool:
		dst = d.text(dst, strconv.FormatBool(v))
	case string:
		dst = d.text(dst, v)
	case []byte:
		dst = d.text(dst, string(v))
	case error:
		dst = d.text(dst, v.Error())
	case Stringer:
		dst = d.text(dst, v.String())
	default:
		dst = append(append(append(dst, "%!"...), d.verb), "(?)"...)
	}
	return d.pad(dst, start)
}

// text appends a string in the form that the verb asks for.
func (d directive) text(dst []byte, s string) []byte {
	if d.precision >= 0 && d.verb != 'x' {
		s = cut(s, d.precision)
	}
	switch d.verb {
	case 'q':
		return strconv.AppendQuote(dst, s)
	case 'x':
		for i := range len(s) {
			dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
		}
		return dst
	}
	return append(dst, s...)
}

const digits = "0123456789abcdef"

// cut returns the first n characters.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// number appends a whole number, of which n is the magnitude, in the form that the
// verb asks for. Zeros fill what the width leaves, before "0x" is added.
func (d directive) number(dst []byte, n uint64, negative bool) []byte {
	base := 10
	switch d.verb {
	case 'c':
		return utf8.AppendRune(dst, rune(n))
	case 'q':
		return strconv.AppendQuoteRune(dst, rune(n))
	case 'x':
		base = 16
	}
	width := d.width
	if negative {
		dst = append(dst, '-')
		width--
	}
	if base == 16 && d.sharp {
		dst = append(dst, "0x"...)
	}
	start := len(dst)
	dst = strconv.AppendUint(dst, n, base)
	if d.zero {
		dst = insert(dst, start, width-(len(dst)-start), '0')
	}
	return dst
}

// pad brings what was appended from start on to the width.
func (d directive) pad(dst []byte, start int) []byte {
	if d.width == 0 {
		return dst
	}
	at := start
	if d.left {
		at = len(dst)
	}
	return insert(dst, at, d.width-utf8.RuneCount(dst[start:]), ' ')
}

// insert inserts fill so many times, if any.
func insert(dst []byte, at, times int, fill byte) []byte {
	for range times {
		dst = append(dst, fill)
	}
	if times > 0 {
		copy(dst[at+times:], dst[at:len(dst)-times])
		for i := range times {
			dst[at+i] = fill
		}
	}
	return dst
}

// integer returns the magnitude and sign of a whole number.
func integer(arg any) (n uint64, negative, ok bool) {
	var signed int64
	switch v := arg.(type) {
	case int:
		signed = int64(v)
	case int8:
		signed = int64(v)
	case int16:
		signed = int64(v)
	case int32:
		signed = int64(v)
	case int64:
		signed = v
	case uint:
		return uint64(v), false, true
	case uint8:
		return uint64(v), false, true
	case uint16:
		return uint64(v), false, true
	case uint32:
		return uint64(v), false, true
	case uint64:
		return v, false, true
	default:
		return 0, false, false
	}
	if signed < 0 {
		return -uint64(signed), true, true
	}
	return uint64(signed), false, true
}
