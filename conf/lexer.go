package conf

import "strings"

// kind is the class of an item.
type kind uint8

const (
	itemEOF     kind = iota
	itemOpen         // {
	itemClose        // }
	itemEquals       // =
	itemWord         // a keyword, or a STRING without quotes
	itemQuoted       // a STRING in quotes
	itemNumber       // digits
	itemTime         // digits and a unit
	itemAddress      // [INTERFACE:]a.b.c.d/BITS[nNET]
	itemEvent        // on up, on down, post up, post down
)

// item is one token with its place.
type item struct {
	kind    kind
	keyword keyword // of an itemWord
	event   Event   // of an itemEvent
	bad     bool    // the lexer has complained about it: nobody else needs to
	text    string  // as written, without quotes; a slice of the source
	place
}

// expectation is what the lexer has learned from the item before. The
// original's scanner has no such state: it takes Group=wack1 for one word.
// Here a word is cut at = where an = can be, and nowhere else.
type expectation uint8

const (
	expectSetting expectation = iota
	expectEquals              // after the name of a setting that takes =
	expectValue               // after =, and after RunDynamic and the like
)

// lexer cuts a configuration file into items.
//
// Like flex it takes the longest match. Most rules match a run: all that comes
// before white space, #, { or }. The exceptions are quoted text, which may
// hold any of those, and events, which are two words. Where quoted text ends
// within a run, the run is longer and wins, quotes and all.
type lexer struct {
	input     string
	start     int // of the item
	pos       int
	line      int
	lineStart int // offset of the first byte of the line
	expect    expectation
	valueLine int // where the = or keyword before the value is
	item      item
	errors    *collector
	warnings  *collector
	steps     int // bytes looked at: the measure of the tests for linear time
}

// stateFn is a state of the lexer. It returns the next, or nil when an item is
// ready.
type stateFn func(*lexer) stateFn

func newLexer(input string, errors, warnings *collector) *lexer {
	l := &lexer{input: input, line: 1, errors: errors, warnings: warnings}
	if strings.HasPrefix(input, "\ufeff") { // Windows editors write it
		l.pos = len("\ufeff")
		l.lineStart = l.pos
	}
	return l
}

// next returns the next item; at the end of the text always an itemEOF.
func (l *lexer) next() item {
	for state := stateFn(lexSpace); state != nil; {
		state = state(l)
	}
	return l.item
}

// stop makes the rest of the text disappear.
func (l *lexer) stop() { l.pos = len(l.input) }

// here returns the place where the present item starts.
func (l *lexer) here() place { return place{l.line, l.start - l.lineStart + 1} }

// emit makes the text up to end an item of kind k.
func (l *lexer) emit(k kind, end int) stateFn {
	l.item = item{kind: k, text: l.input[l.start:end], place: l.here()}
	l.advance(end)
	return nil
}

// advance moves to end and counts the lines on the way.
func (l *lexer) advance(end int) {
	skipped := l.input[l.pos:end]
	l.steps += len(skipped)
	if n := strings.Count(skipped, "\n"); n > 0 {
		l.line += n
		l.lineStart = l.pos + strings.LastIndexByte(skipped, '\n') + 1
	}
	l.pos = end
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// isRun reports whether b is one of the characters that runs are made of.
func isRun(b byte) bool {
	return !isBlank(b) && b != '#' && b != '{' && b != '}'
}

// runEnd returns where the run that starts at offset from ends.
func (l *lexer) runEnd(from int) int {
	end := from
	for end < len(l.input) && isRun(l.input[end]) {
		end++
	}
	l.steps += end - from
	return end
}

// lexSpace skips white space and decides what comes after it.
func lexSpace(l *lexer) stateFn {
	for l.pos < len(l.input) && isBlank(l.input[l.pos]) {
		l.advance(l.pos + 1)
	}
	l.start = l.pos
	if l.pos == len(l.input) {
		return l.emit(itemEOF, l.pos)
	}
	switch l.input[l.pos] {
	case '#':
		return lexComment
	case '{':
		l.expect = expectSetting
		return l.emit(itemOpen, l.pos+1)
	case '}':
		l.expect = expectSetting
		return l.emit(itemClose, l.pos+1)
	case '"', '\'':
		return lexQuoted
	}
	return lexRun
}

// lexComment skips to the end of the line.
func lexComment(l *lexer) stateFn {
	if n := strings.IndexByte(l.input[l.pos:], '\n'); n >= 0 {
		l.advance(l.pos + n)
	} else {
		l.stop()
	}
	return lexSpace
}

// lexQuoted takes the text between two quotes of the same kind. There are no
// escapes, and it may go over several lines.
func lexQuoted(l *lexer) stateFn {
	mark := l.input[l.start]
	length := strings.IndexByte(l.input[l.start+1:], mark)
	if length < 0 {
		return lexUnclosed
	}
	end := l.start + 1 + length + 1
	if l.runEnd(l.start) > end {
		return lexRun
	}
	at := l.here()
	l.emit(itemQuoted, end)
	l.item.text = l.item.text[1 : length+1]
	if l.line > at.line {
		l.warnings.add(at, "this quoted text goes on to line %d; if it should not, write the closing %c where it ends", l.line, mark)
	}
	l.checkText()
	l.expect = expectSetting
	return nil
}

// lexUnclosed takes the rest of the line, so that the settings below it are
// still read.
func lexUnclosed(l *lexer) stateFn {
	end := len(l.input)
	if n := strings.IndexByte(l.input[l.start:], '\n'); n >= 0 {
		end = l.start + n
	}
	l.errors.add(l.here(), "this quote is not closed; write another %c where the text ends", l.input[l.start])
	l.emit(itemQuoted, end)
	l.item.bad = true
	l.expect = expectSetting
	return nil
}

// lexRun takes a run, or what the expectation makes of it.
func lexRun(l *lexer) stateFn {
	end := l.runEnd(l.start)
	run := l.input[l.start:end]
	switch {
	case run == "=", l.expect == expectEquals && run[0] == '=':
		if l.expect == expectEquals {
			l.expect = expectValue
			l.valueLine = l.line
		}
		return l.emit(itemEquals, l.start+1)
	case l.expect == expectValue && (l.line == l.valueLine || assignment(run) == 0):
		return l.word(end)
	}
	// A line "Group=" without a value makes the next line's "Mature=5s" the
	// value in the original. Hence the look at the line above.
	if n := assignment(run); n > 0 {
		return l.word(l.start + n)
	}
	if event, end := l.event(end); event != 0 {
		l.emit(itemEvent, end)
		l.item.event = event
		l.expect = expectSetting
		return nil
	}
	return l.word(end)
}

// assignment returns the length of the keyword before the = in a run such as
// Group=wack1 or Mature=, or 0.
func assignment(run string) int {
	n := strings.IndexByte(run, '=')
	if n > 0 && lookup(run[:n]).takesEquals() {
		return n
	}
	return 0
}

// event returns the event that the run up to end starts, and its own end. The
// original wants exactly one blank between the words. Like the original it
// needs no white space after them, where a setting follows.
func (l *lexer) event(end int) (Event, int) {
	first := l.input[l.start:end]
	if !equalFold(first, "on") && !equalFold(first, "post") {
		return 0, 0
	}
	second := end
	for second < len(l.input) && isBlank(l.input[second]) {
		second++
	}
	l.steps += second - end
	if second == end {
		return 0, 0
	}
	run := l.input[second:l.runEnd(second)]
	for event := OnUp; event <= PostDown; event++ {
		a, b, _ := strings.Cut(event.String(), " ")
		if !equalFold(first, a) || !hasPrefixFold(run, b) {
			continue
		}
		if rest := run[len(b):]; rest == "" || assignment(rest) > 0 || lookup(rest).setting() {
			return event, second + len(b)
		}
	}
	return 0, 0
}
