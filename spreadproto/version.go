package spreadproto

import "wackamole/internal/fmt"

// Version is the version of a Spread library or daemon.
type Version struct {
	Major, Minor, Patch uint8
}

// String returns the version as "4.4.0".
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// weight is the number by which daemons compare versions.
func (v Version) weight() int {
	return int(v.Major)*10000 + int(v.Minor)*100 + int(v.Patch)
}

// Supported reports whether daemons serve a library of this version, and
// libraries a daemon: 3.1 or later, and no byte that reads as negative.
func (v Version) Supported() bool {
	return v.Major < 0x80 && v.Minor < 0x80 && v.Patch < 0x80 && v.weight() >= 30100
}

// HasPatch reports whether a library of this version sends its patch version,
// which came with 3.15. It depends on major and minor only.
func (v Version) HasPatch() bool {
	return int(v.Major)*100+int(v.Minor) > 314
}

// Authenticates reports whether a library of this version takes part in the
// exchange of authentication methods, which came with 3.16.
func (v Version) Authenticates() bool {
	return v.weight() >= 31600
}

// A Form is one of the two layouts of the body of a membership message.
type Form uint8

// The forms of a membership body.
const (
	// LongForm is that of 4.x and 5.x: all sets of members that stayed
	// together, and an offset to one's own.
	LongForm Form = iota
	// ShortForm is that of 3.x: one's own set only.
	ShortForm
)

// MembershipForm returns the form in which a daemon of this version writes
// membership messages. The content does not tell them apart safely.
func (v Version) MembershipForm() Form {
	if v.Major >= 4 {
		return LongForm
	}
	return ShortForm
}
