package conf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var kindNames = map[kind]string{
	itemEOF: "EOF", itemOpen: "OPEN", itemClose: "CLOSE", itemEquals: "EQUALS", itemWord: "WORD",
	itemQuoted: "QUOTED", itemNumber: "NUMBER", itemTime: "TIME", itemAddress: "ADDR", itemEvent: "EVENT",
}

// items is what the lexer makes of a text: LINE:COLUMN KIND TEXT, and the name
// of a keyword.
func items(source string) (list []string) {
	var errors, warnings collector
	l := newLexer(source, &errors, &warnings)
	for {
		it := l.next()
		if it.kind == itemEOF {
			break
		}
		name := kindNames[it.kind]
		if it.keyword != noKeyword {
			name = it.keyword.String()
		}
		list = append(list, fmt.Sprintf("%d:%d %s %s", it.line, it.column, name, strings.ReplaceAll(it.text, "\n", "\\n")))
	}
	for _, p := range errors.problems() {
		list = append(list, fmt.Sprintf("%d:%d error", p.Line, p.Column))
	}
	return list
}

func TestLexer(t *testing.T) {
	for _, test := range []struct {
		source string
		want   []string
	}{
		// A form alone, and the same with something stuck to it: the longest match wins.
		{"10.0.0.1/32", []string{"1:1 ADDR 10.0.0.1/32"}},
		{"eth0:10.0.0.1/32n24", []string{"1:1 ADDR eth0:10.0.0.1/32n24"}},
		{"eth0:10.0.0.1/32n24x", []string{"1:1 WORD eth0:10.0.0.1/32n24x"}},
		{"eth0:999.999.999.999/99n99", []string{"1:1 ADDR eth0:999.999.999.999/99n99"}},
		{"eth0:10.0.0.1/320", []string{"1:1 WORD eth0:10.0.0.1/320"}},
		{"eth0:1000.0.0.1/32", []string{"1:1 WORD eth0:1000.0.0.1/32"}},
		{"eth0:1:10.0.0.1/32", []string{"1:1 WORD eth0:1:10.0.0.1/32"}},
		{":10.0.0.1/32", []string{"1:1 WORD :10.0.0.1/32"}},
		{"42", []string{"1:1 NUMBER 42"}},
		{"42x", []string{"1:1 WORD 42x"}},
		{"5s 5S 5m 5M 5h 5H", []string{"1:1 TIME 5s", "1:4 TIME 5S", "1:7 TIME 5m", "1:10 TIME 5M", "1:13 TIME 5h", "1:16 TIME 5H"}},
		{"5d 5ss s", []string{"1:1 WORD 5d", "1:4 WORD 5ss", "1:8 WORD s"}},
		{"pInG ping2 NONE", []string{"1:1 ping pInG", "1:6 WORD ping2", "1:12 None NONE"}},
		{"\u212aeyword \u017fpread", []string{"1:1 WORD \u212aeyword", "1:11 WORD \u017fpread"}},

		// Comments and braces end a run, quotes don't.
		{"a#b\nc", []string{"1:1 WORD a", "2:1 WORD c"}},
		{"a{b}c", []string{"1:1 WORD a", "1:2 OPEN {", "1:3 WORD b", "1:4 CLOSE }", "1:5 WORD c"}},
		{`it's "b c"`, []string{"1:1 WORD it's", "1:6 QUOTED b c"}},
		{`"a"`, []string{"1:1 QUOTED a"}},
		{`""`, []string{"1:1 QUOTED "}},
		{`"a"b`, []string{`1:1 WORD "a"b`}},
		{`"a b"c`, []string{"1:1 QUOTED a b", "1:6 WORD c"}},
		{`"a"{`, []string{"1:1 QUOTED a", "1:4 OPEN {"}},
		{`"eth0":10.0.0.1/32`, []string{`1:1 ADDR "eth0":10.0.0.1/32`}},
		{"'a#\"\n{b' c", []string{`1:1 QUOTED a#"\n{b`, "2:5 WORD c"}},
		{"\"open\nGroup=g", []string{`1:1 QUOTED "open`, "2:1 Group Group", "2:6 EQUALS =", "2:7 WORD g", "1:1 error"}},

		// = is cut off where the language has one.
		{"Group=g", []string{"1:1 Group Group", "1:6 EQUALS =", "1:7 WORD g"}},
		{"Group= g", []string{"1:1 Group Group", "1:6 EQUALS =", "1:8 WORD g"}},
		{"Group =g", []string{"1:1 Group Group", "1:7 EQUALS =", "1:8 WORD g"}},
		{"Group = g=h", []string{"1:1 Group Group", "1:7 EQUALS =", "1:9 WORD g=h"}},
		{"Group = Mature=5s", []string{"1:1 Group Group", "1:7 EQUALS =", "1:9 WORD Mature=5s"}},
		{"Group =\nMature=5s", []string{"1:1 Group Group", "1:7 EQUALS =", "2:1 Mature Mature", "2:7 EQUALS =", "2:8 TIME 5s"}},
		{"Interval=4s}", []string{"1:1 Interval Interval", "1:9 EQUALS =", "1:10 TIME 4s", "1:12 CLOSE }"}},
		{"other=g", []string{"1:1 WORD other=g"}},
		{"PerlUse Group=g", []string{"1:1 PerlUse PerlUse", "1:9 WORD Group=g"}},
		{"arp-cache ping Arp-Cache=9s", []string{"1:1 Arp-Cache arp-cache", "1:11 ping ping", "1:16 Arp-Cache Arp-Cache", "1:25 EQUALS =", "1:26 TIME 9s"}},

		// Events are the one item of two words.
		{"on up", []string{"1:1 EVENT on up"}},
		{"PoSt\t\r\n down#", []string{`1:1 EVENT PoSt` + "\t\r" + `\n down`}},
		{"on upp", []string{"1:1 WORD on", "1:4 WORD upp"}},
		{"on upGroup=g", []string{"1:1 EVENT on up", "1:6 Group Group", "1:11 EQUALS =", "1:12 WORD g"}},
		{"post # no\nup", []string{"1:1 WORD post", "2:1 WORD up"}},
		{"onup on", []string{"1:1 WORD onup", "1:6 WORD on"}},

		// Columns are bytes, tabs one of them; a carriage return is white space.
		{"\tä b\r\n c", []string{"1:2 WORD ä", "1:5 WORD b", "2:2 WORD c"}},
		{"\ufeffa", []string{"1:1 WORD a"}},
		{strings.Repeat("x", maxToken+1), []string{"1:1 WORD " + strings.Repeat("x", maxToken), "1:1 error"}},
		{"a\x00b", []string{"1:1 WORD a\x00b", "1:1 error"}},
		{"\"a\x7fb\"", []string{"1:1 QUOTED a\x7fb", "1:1 error"}},
	} {
		if diff := cmp.Diff(test.want, items(test.source)); diff != "" {
			t.Errorf("%.60q -want +got:\n%s", test.source, diff)
		}
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"Gruop":                    "Group",
		"group":                    "Group",
		"controll":                 "Control",
		"arp_cache":                "Arp-Cache",
		"ARPCACHE":                 "Arp-Cache",
		"virtual-interfaces":       "VirtualInterfaces",
		"VIP":                      "VIPS",
		"xyzzy":                    "",
		"Port":                     "",
		"":                         "",
		strings.Repeat("Group", 9): "",
	} {
		if got := nearest(word, settingNames()); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
