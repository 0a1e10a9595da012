package spreadproto

import (
	"bytes"
	"errors"
	"strings"

	"wackamole/internal/fmt"
)

// ErrMalformed is wrapped by every error of a decoder, and by errors of
// [Conn.Receive] for a stream that can't be followed any more.
var ErrMalformed = errors.New("malformed Spread message")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Bytes of a name: printable ASCII above '#', which introduces the two parts
// of a private group name.
const (
	minNameByte = 0x24
	maxNameByte = 0x7e
)

// IsNameByte reports whether c may be part of a private name or a group name.
func IsNameByte(c byte) bool { return minNameByte <= c && c <= maxNameByte }

func allNameBytes(s string) bool {
	for i := range len(s) {
		if !IsNameByte(s[i]) {
			return false
		}
	}
	return true
}

// CheckPrivateName returns an error if a daemon would not accept name as the
// private name of a session. An empty one is fine: the daemon then invents one.
func CheckPrivateName(name string) error {
	if len(name) > MaxPrivateName || !allNameBytes(name) {
		return fmt.Errorf("user name %q for Spread: use 1 to %d printable ASCII characters other than space, !, \" and #", name, MaxPrivateName)
	}
	return nil
}

// CheckGroupName returns an error if name is no name of a group that can be
// joined. Daemons don't check it, but can't reach a group that breaks the rules.
func CheckGroupName(name string) error {
	if len(name) == 0 || len(name) > MaxGroupName || !allNameBytes(name) {
		return fmt.Errorf("group name %q: use 1 to %d printable ASCII characters other than space, !, \" and #", name, MaxGroupName)
	}
	return nil
}

// SplitPrivateGroup splits the name of a private group, "#alice#node1", into
// private name and daemon name. It is the only kind of name that starts with #.
func SplitPrivateGroup(group string) (private, daemon string, ok bool) {
	if len(group) > MaxGroupName || !strings.HasPrefix(group, "#") {
		return "", "", false
	}
	private, daemon, ok = strings.Cut(group[1:], "#")
	if !ok || private == "" || daemon == "" || !allNameBytes(private) || !allNameBytes(daemon) {
		return "", "", false
	}
	return private, daemon, true
}

// checkDestination returns an error if name is neither a group nor a private
// group.
func checkDestination(name string) error {
	if _, _, ok := SplitPrivateGroup(name); ok {
		return nil
	}
	return CheckGroupName(name)
}

// AppendName appends a name field: 32 bytes, the name and at least one NUL. A
// name that is longer is cut.
func AppendName(dst []byte, name string) []byte {
	name = name[:min(len(name), MaxGroupName)]
	dst = append(dst, name...)
	return append(dst, make([]byte, NameSize-len(name))...)
}

// fieldName returns the name in a field of 32 bytes. What follows the first NUL
// is garbage, which daemons relay; a field without NUL is cut as they cut it.
func fieldName(field []byte) string {
	field = field[:MaxGroupName]
	if i := bytes.IndexByte(field, 0); i >= 0 {
		field = field[:i]
	}
	return string(field)
}

// AppendNames appends one field for each name.
func AppendNames(dst []byte, names []string) []byte {
	for _, name := range names {
		dst = AppendName(dst, name)
	}
	return dst
}

// UnmarshalNames returns the names in b, which is a whole number of fields. They
// share one piece of memory as large as b.
func UnmarshalNames(b []byte) ([]string, error) {
	if len(b)%NameSize != 0 {
		return nil, malformed("%d bytes are no whole number of %d-byte names", len(b), NameSize)
	}
	all := string(b)
	names := make([]string, 0, len(b)/NameSize)
	for ; all != ""; all = all[NameSize:] {
		name, _, _ := strings.Cut(all[:MaxGroupName], "\x00")
		names = append(names, name)
	}
	return names, nil
}
