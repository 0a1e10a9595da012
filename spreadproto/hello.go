package spreadproto

// A Hello opens a session. It must reach the daemon in one piece, and nothing
// may follow before the daemon answered.
//
//	0  1  library major version
//	1  1  library minor version
//	2  1  library patch version (absent up to 3.14: what follows moves forward)
//	3  1  flags: bit 0 membership messages wanted, bits 4..7 priority
//	4  1  length of the private name, 0..10
//	5     private name, without terminator
type Hello struct {
	Version    Version
	Membership bool // membership messages are wanted
	Priority   bool // accepted by all daemons, without visible effect
	User       string
}

// AppendBinary appends h. A private name of more than 10 bytes is cut.
func (h Hello) AppendBinary(dst []byte) []byte {
	dst = append(dst, h.Version.Major, h.Version.Minor)
	if h.Version.HasPatch() {
		dst = append(dst, h.Version.Patch)
	}
	var flags byte
	if h.Membership {
		flags |= 0x01
	}
	if h.Priority {
		flags |= 0x10
	}
	user := h.User[:min(len(h.User), MaxPrivateName)]
	dst = append(dst, flags, byte(len(user)))
	return append(dst, user...)
}

// Unmarshal decodes b, as much of a hello as arrived in the first piece. It
// takes what daemons take, so it reports no error but the code with which a
// daemon answers a hello that it refuses, or [Accepted]. Silent is true where
// the daemon closes the connection without any code. Name bytes behind the
// announced length are part of the name, as for daemons, which read up to 10;
// used is how many bytes of b were read.
func (h *Hello) Unmarshal(b []byte) (code RejectCode, used int, silent bool) {
	size := len(b)
	if size < 2 {
		return 0, size, true
	}
	h.Version = Version{Major: b[0], Minor: b[1]}
	b = b[2:]
	if h.Version.HasPatch() {
		if len(b) == 0 {
			return 0, size, true
		}
		h.Version.Patch = b[0]
		b = b[1:]
	}
	if !h.Version.Supported() {
		return RejectVersion, size - len(b), false
	}
	switch len(b) {
	case 0:
		return 0, size, true
	case 1:
		return RejectNoName, size, false
	}
	h.Membership, h.Priority = b[0]&0x01 != 0, b[0]&0xf0 != 0
	length := int(b[1])
	b = b[2:]
	switch {
	case length > MaxPrivateName:
		return RejectIllegalName, size - len(b), false
	case length == 0:
		h.User = ""
		return Accepted, size - len(b), false
	case len(b) == 0:
		return 0, size, true
	}
	name := b[:min(len(b), MaxPrivateName)]
	used = size - len(b) + len(name)
	h.User = string(name)
	if len(name) != length || !allNameBytes(h.User) {
		return RejectIllegalName, used, false
	}
	return Accepted, used, false
}
