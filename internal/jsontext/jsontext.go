// Package jsontext writes the strings of JSON texts (RFC 8259 section 7).
//
// The daemon writes two JSON texts, its state and the events of hooks, both of a fixed shape that is
// written out by hand; only strings need care. encoding/json would make the binary 116 KiB larger for it.
package jsontext

import "unicode/utf8"

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r >= 0x7f && r < 0xa0: // C1 controls too, which drive some terminals
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
