package hosts

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"

	"wackamole/internal/fmt"
)

// The messages of RFC 1035, section 4: a header, the question, the answers.
const (
	headerSize   = 12
	recordSize   = 10  // type, class, time to live and length, behind the owner's name
	maxName      = 255 // as sent, with lengths and the root
	maxLabel     = 63
	maxAnswer    = 512 // what UDP carries unless asked for more
	typeA        = 1
	classIN      = 1
	flagResponse = 1 << 15
	flagCut      = 1 << 9 // TC
	flagRecurse  = 1 << 8 // RD
	maskOpcode   = 15 << 11
	maskCode     = 15
	codeNoName   = 3
)

var (
	// errNotOurs is the error of a message that answers another question, or none.
	errNotOurs = errors.New("not an answer to the question")
	// errNoName is the error of an answer that there is no such name, or that it
	// has no address.
	errNoName = errors.New("no such host")
	// errMalformed is the error of an answer that makes no sense.
	errMalformed = errors.New("malformed answer")
)

// appendQuery appends the question for the address of name, which may end in a
// dot.
func appendQuery(b []byte, id uint16, name string) ([]byte, error) {
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, flagRecurse)
	b = append(b, 0, 1, 0, 0, 0, 0, 0, 0) // one question, no records
	start := len(b)
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if label == "" || len(label) > maxLabel || len(b)-start+1+len(label)+1 > maxName {
			return nil, fmt.Errorf("%.100q is no host name", name)
		}
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0, 0, typeA, 0, classIN), nil
}

// parseAnswer returns the addresses in the answer to query, at least one.
func parseAnswer(message, query []byte) ([]netip.Addr, error) {
	question := query[headerSize:]
	if len(message) < headerSize+len(question) {
		return nil, errNotOurs
	}
	flags := binary.BigEndian.Uint16(message[2:])
	rest := message[headerSize:]
	if message[0] != query[0] || message[1] != query[1] || flags&(flagResponse|maskOpcode) != flagResponse ||
		binary.BigEndian.Uint16(message[4:]) != 1 || !equalFold(rest[:len(question)], question) {
		return nil, errNotOurs
	}
	rest = rest[len(question):]
	switch code := flags & maskCode; code {
	case 0:
	case codeNoName:
		return nil, errNoName
	default:
		return nil, fmt.Errorf("it answers with error code %d", code)
	}
	var list []netip.Addr
	for n := binary.BigEndian.Uint16(message[6:]); n > 0; n-- {
		r, ok := cutRecord(&rest)
		if !ok {
			if flags&flagCut != 0 && len(list) > 0 {
				break // what has come will do
			}
			return nil, errMalformed
		}
		// The others are aliases, and their order is the server's affair: whoever
		// answered could as well have given the address of the name itself.
		if r.kind == typeA && r.class == classIN && len(r.data) == 4 {
			list = append(list, netip.AddrFrom4([4]byte(r.data)))
		}
	}
	if len(list) == 0 {
		return nil, errNoName
	}
	return list, nil
}

// record is a resource record, without its owner.
type record struct {
	kind, class uint16
	data        []byte
}

// cutRecord takes a record from the front of *b.
func cutRecord(b *[]byte) (r record, ok bool) {
	rest, ok := skipName(*b)
	if !ok || len(rest) < recordSize {
		return r, false
	}
	r.kind, r.class = binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:])
	length := int(binary.BigEndian.Uint16(rest[8:]))
	rest = rest[recordSize:]
	if len(rest) < length {
		return r, false
	}
	r.data, *b = rest[:length], rest[length:]
	return r, true
}

// skipName returns what follows a name. A pointer into the rest of the message
// ends it (section 4.1.4) and is not followed.
func skipName(b []byte) ([]byte, bool) {
	for len(b) > 0 {
		length := int(b[0])
		switch {
		case length == 0:
			return b[1:], true
		case length&0xc0 == 0xc0 && len(b) >= 2:
			return b[2:], true
		case length > maxLabel || len(b) < 1+length:
			return nil, false
		}
		b = b[1+length:]
	}
	return nil, false
}

// equalFold compares questions: a server may change the case of letters. Lengths,
// types and classes are no letters.
func equalFold(a, b []byte) bool {
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
