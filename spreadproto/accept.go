package spreadproto

// An Accept is what a daemon says when it opens a session:
//
//	0  1  1 (accepted; negative numbers are reject codes)
//	1  3  daemon version, major, minor, patch (2 bytes for libraries up to 3.14)
//	4  1  length g of the private group name
//	5  g  private group name, without terminator
type Accept struct {
	Version      Version
	PrivateGroup string
}

// AppendBinary appends a for a client with that version of the library.
func (a Accept) AppendBinary(dst []byte, library Version) []byte {
	dst = append(dst, byte(Accepted), a.Version.Major, a.Version.Minor)
	if library.HasPatch() {
		dst = append(dst, a.Version.Patch)
	}
	group := a.PrivateGroup[:min(len(a.PrivateGroup), MaxGroupName)]
	return append(append(dst, byte(len(group))), group...)
}

// acceptSize is the size of the fixed part: up to the length of the name.
const acceptSize = 5

// Unmarshal decodes b, an answer to a client with a library of 3.15 or later.
// The names that follow make sense only if the first byte says accepted; for
// other values the error is a [*RejectError] without name of user and daemon.
// need is the number of bytes that the whole answer has; if b is shorter than
// that, nothing else was decoded.
func (a *Accept) Unmarshal(b []byte) (need int, err error) {
	if len(b) == 0 {
		return 1, nil
	}
	if code := RejectCode(b[0]); code != Accepted {
		if code > 0 {
			return 1, malformed("answer %d to a request for a session", int8(code))
		}
		return 1, &RejectError{Code: code}
	}
	if len(b) < acceptSize {
		return acceptSize, nil
	}
	need = acceptSize + int(b[4])
	if b[4] > MaxGroupName {
		return need, malformed("private group name of %d bytes", b[4])
	}
	if len(b) < need {
		return need, nil
	}
	a.Version = Version{Major: b[1], Minor: b[2], Patch: b[3]}
	a.PrivateGroup = string(b[acceptSize:need])
	if _, _, ok := SplitPrivateGroup(a.PrivateGroup); !ok {
		return need, malformed("private group name %q", a.PrivateGroup)
	}
	return need, nil
}
