package jsontext_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"

	"wackamole/internal/jsontext"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "eth0", `a"b\c`, "\x00\x1f\x7f\n\t", "日本\u2028", "broken \xff\xc3", "\u009b2J"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := jsontext.AppendString([]byte("x"), s)
		var got string
		if err := json.Unmarshal(text[1:], &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		// A range over a string reads each broken byte as U+FFFD, as JSON decoders do.
		if want := string([]rune(s)); got != want {
			t.Fatalf("%q came back as %q", want, got)
		}
		if i := bytes.IndexFunc(text, unicode.IsControl); i >= 0 {
			t.Fatalf("%q has a control character", text)
		}
	})
}
