package spreadproto

import (
	"bytes"
	"slices"
	"strings"
)

// MethodNULL is the authentication method that proves nothing and exchanges no
// bytes. It is the only one that the client of this package knows. A daemon that
// checks addresses (its method IP) usually requires that besides, without the
// client naming it.
const MethodNULL = "NULL"

const (
	methodSize  = 30
	methodSlots = 3
	// AuthChoiceSize is the size of a choice in bytes.
	AuthChoiceSize = methodSize * methodSlots
	// maxAuthList is the longest list of methods.
	maxAuthList = AuthChoiceSize
)

// AppendAuthList appends the methods that a daemon allows, as it sends them in
// answer to a hello: a length in one byte, whose negative values are reject
// codes, and the names with a space behind each.
func AppendAuthList(dst []byte, methods []string) []byte {
	start := len(dst)
	dst = append(dst, 0)
	for _, m := range methods {
		if len(dst)-start-1+len(m)+1 > maxAuthList {
			break
		}
		dst = append(append(dst, m...), ' ')
	}
	dst[start] = byte(len(dst) - start - 1)
	return dst
}

// UnmarshalAuthList returns the methods in b, a list without its length.
func UnmarshalAuthList(b []byte) ([]string, error) {
	if len(b) > maxAuthList {
		return nil, malformed("list of %d bytes of authentication methods (%d at most)", len(b), maxAuthList)
	}
	return strings.FieldsFunc(string(b), func(r rune) bool { return r == ' ' || r == 0 }), nil
}

// An AuthChoice is what a client answers to the list: up to 3 methods, which
// all have to succeed, in order. On the wire it is 3 slots of 30 bytes, each a
// name padded with NULs. Like the hello it must arrive in one piece.
type AuthChoice []string

// AppendBinary appends c, cutting names that don't fit.
func (c AuthChoice) AppendBinary(dst []byte) []byte {
	var b [AuthChoiceSize]byte
	for i, m := range c[:min(len(c), methodSlots)] {
		copy(b[i*methodSize:(i+1)*methodSize-1], m)
	}
	return append(dst, b[:]...)
}

// Unmarshal decodes b, which has the size of a choice: the slots up to the
// first empty one.
func (c *AuthChoice) Unmarshal(b []byte) error {
	if len(b) != AuthChoiceSize {
		return malformed("%d bytes of authentication choice (%d expected)", len(b), AuthChoiceSize)
	}
	*c = nil
	for slot := range slices.Chunk(b, methodSize) {
		name, _, _ := bytes.Cut(slot[:methodSize-1], []byte{0})
		if len(name) == 0 {
			break
		}
		*c = append(*c, string(name))
	}
	return nil
}
