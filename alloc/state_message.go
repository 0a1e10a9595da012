package alloc

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"

	"wackamole/internal/fmt"
)

// StateBody is the body of STATE: what one member holds and prefers in a view.
//
//	offset  size
//	0       12    view id, three integers
//	12       4    sender's real address
//	16       4    integer: sender's index in the view
//	20       4    integer: 1 if the sender is mature
//	24       4    integer n
//	28       8n   n claims: key (4), integer priority (4)
//	28+8n    4    integer p
//	32+8n    4p   p keys that the sender prefers
//	32+8n+4p      trailer, see Trailer; originals send none and ignore it
type StateBody struct {
	View    ViewID
	Address netip.Addr
	Index   int
	Mature  bool
	Claims  []ClaimOf
	Prefers []netip.Addr
	Trailer *Trailer // nil: sent by an original
}

// ClaimOf is one virtual interface that the sender of a STATE holds.
type ClaimOf struct {
	Key   netip.Addr
	Claim Claim
}

// Trailer follows the original's part of a STATE. All its integers are
// big-endian, whatever the sender's own order.
//
//	0  4  "WKm1"
//	4  2  length of what follows; what a reader does not know it ignores
//	6  2  abilities
//	8  8  fingerprint of the list of virtual interfaces
type Trailer struct {
	Abilities   uint16
	Fingerprint uint64
}

// CanGoOn is the ability to go on without silent members.
const CanGoOn uint16 = 1 << 0

const (
	trailerMagic = "WKm1"
	trailerSize  = 6 + trailerRest
	trailerRest  = 10 // abilities and fingerprint
)

// StateSize returns the length in bytes of a STATE with so many claims and
// preferences.
func StateSize(claims, prefers int) int { return 28 + 8*claims + 4 + 4*prefers + trailerSize }

// Append appends the body with its integers in the given byte order.
func (s *StateBody) Append(b []byte, o binary.AppendByteOrder) []byte {
	for _, w := range s.View {
		b = o.AppendUint32(b, w)
	}
	b = appendAddr(b, s.Address)
	b = o.AppendUint32(b, uint32(s.Index))
	var mature uint32
	if s.Mature {
		mature = 1
	}
	b = o.AppendUint32(b, mature)
	b = o.AppendUint32(b, uint32(len(s.Claims)))
	for _, c := range s.Claims {
		b = appendAddr(b, c.Key)
		b = o.AppendUint32(b, uint32(c.Claim))
	}
	b = o.AppendUint32(b, uint32(len(s.Prefers)))
	for _, p := range s.Prefers {
		b = appendAddr(b, p)
	}
	if t := s.Trailer; t != nil {
		b = append(b, trailerMagic...)
		b = binary.BigEndian.AppendUint16(b, trailerRest)
		b = binary.BigEndian.AppendUint16(b, t.Abilities)
		b = binary.BigEndian.AppendUint64(b, t.Fingerprint)
	}
	return b
}

// readView reads only the view id, so that a STATE of another view costs nothing.
func readView(b []byte, o binary.ByteOrder) (id ViewID, err error) {
	if len(b) < 12 {
		return id, fmt.Errorf("%w: %d bytes are no STATE", ErrMalformed, len(b))
	}
	for i := range id {
		id[i] = o.Uint32(b[4*i:])
	}
	return id, nil
}

// ParseState decodes a body whose integers are in the given byte order. It
// allocates no more than the body's length calls for. A claim of unknown
// priority is an error, as are an address of zero and a count beyond the body.
func ParseState(b []byte, o binary.ByteOrder) (*StateBody, error) {
	view, err := readView(b, o)
	if err != nil {
		return nil, err
	}
	n, err := count(o, b, 24, 8)
	if err != nil {
		return nil, err
	}
	p, err := count(o, b, 28+8*n, 4)
	if err != nil {
		return nil, err
	}
	s := &StateBody{
		View:    view,
		Address: readAddr(b[12:16]),
		Index:   int(int32(o.Uint32(b[16:]))),
		Mature:  o.Uint32(b[20:]) != 0,
		Claims:  make([]ClaimOf, n),
		Prefers: make([]netip.Addr, p),
	}
	if s.Address.IsUnspecified() {
		return nil, fmt.Errorf("%w: the sender's real address is 0.0.0.0", ErrMalformed)
	}
	at := 28
	for i := range s.Claims {
		c := o.Uint32(b[at+4:])
		if c != uint32(Claimed) && c != uint32(PreferredClaimed) {
			return nil, fmt.Errorf("%w: claim priority %d", ErrMalformed, c)
		}
		s.Claims[i] = ClaimOf{readAddr(b[at : at+4]), Claim(c)}
		at += 8
	}
	at += 4
	for i := range s.Prefers {
		s.Prefers[i] = readAddr(b[at : at+4])
		at += 4
	}
	s.Trailer = parseTrailer(b[at:])
	return s, nil
}

// parseTrailer returns nil where there is no trailer that makes sense: a member
// that sends none is an original.
func parseTrailer(b []byte) *Trailer {
	if len(b) < trailerSize || string(b[:4]) != trailerMagic {
		return nil
	}
	if n := int(binary.BigEndian.Uint16(b[4:])); n < trailerRest || n > len(b)-6 {
		return nil
	}
	return &Trailer{binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint64(b[8:])}
}

// Fingerprint is FNV-1a 64 over the list of virtual interfaces: the addresses of
// each joined by one blank and ended by a newline, in configuration order. Two
// members with different lists cannot agree.
func Fingerprint(list []VirtualInterface) uint64 {
	h := fnv.New64a()
	var line []byte
	for _, v := range list {
		line = line[:0]
		for i, a := range v.Addresses {
			if i > 0 {
				line = append(line, ' ')
			}
			line = a.AppendTo(line)
		}
		h.Write(append(line, '\n'))
	}
	return h.Sum64()
}
