package spreadproto

import "wackamole/internal/fmt"

// A GroupID identifies one view of a group: the daemon that formed the ring of
// daemons, the time of that, and a counter of the group's changes in that ring.
// A group that lost its last member starts to count at 1 again, so that an id
// can return while the ring lasts.
type GroupID [3]uint32

// String returns the three words.
func (id GroupID) String() string {
	return fmt.Sprintf("%08x.%d.%d", id[0], id[1], id[2])
}

const groupIDSize = 12

func (id GroupID) appendBinary(dst []byte, o Order) []byte {
	for _, word := range id {
		dst = o.AppendUint32(dst, word)
	}
	return dst
}

func unmarshalGroupID(b []byte, o Order) GroupID {
	return GroupID{o.Uint32(b), o.Uint32(b[4:]), o.Uint32(b[8:])}
}

// A TransitionBody is the data of a transitional membership: the id of the view
// that ends, 12 bytes.
type TransitionBody struct{ ID GroupID }

// AppendBinary appends t in order o.
func (t TransitionBody) AppendBinary(dst []byte, o Order) []byte {
	return t.ID.appendBinary(dst, o)
}

// Unmarshal decodes b in order o.
func (t *TransitionBody) Unmarshal(b []byte, o Order) error {
	if len(b) < groupIDSize {
		return malformed("transitional membership of %d bytes (%d expected)", len(b), groupIDSize)
	}
	t.ID = unmarshalGroupID(b, o)
	return nil
}

// A MembershipBody is the data of a regular membership message, whose names
// are the new members.
//
// Long form, 4.x and 5.x:
//
//	 0  12  group id
//	12   4  number of sets
//	16   4  offset of the receiver's own set, counted from byte 20
//	20      the sets, each a number c (4 bytes) and c names
//
// Short form, 3.x:
//
//	 0  12  group id
//	12   4  number c
//	16      c names: the receiver's own set
//
// After join, leave and disconnect the one set holds the one member that came
// or went. After a network change each set holds members that came from the same
// earlier view.
type MembershipBody struct {
	ID   GroupID
	Sets [][]string
	Own  int // index of the receiver's own set; -1 if there is none
}

const (
	countSize      = 4
	longSetsStart  = groupIDSize + 8
	shortSetsStart = groupIDSize + countSize
)

// AppendBinary appends m in order o and form f. In the short form it is the set
// Own alone.
func (m MembershipBody) AppendBinary(dst []byte, o Order, f Form) []byte {
	dst = m.ID.appendBinary(dst, o)
	if f == ShortForm {
		var own []string
		if m.Own >= 0 && m.Own < len(m.Sets) {
			own = m.Sets[m.Own]
		}
		return AppendNames(o.AppendUint32(dst, uint32(len(own))), own)
	}
	offset := -1
	for i, at := 0, 0; i < len(m.Sets); i++ {
		if i == m.Own {
			offset = at
		}
		at += countSize + NameSize*len(m.Sets[i])
	}
	dst = o.AppendUint32(dst, uint32(len(m.Sets)))
	dst = o.AppendUint32(dst, uint32(int32(offset)))
	for _, set := range m.Sets {
		dst = AppendNames(o.AppendUint32(dst, uint32(len(set))), set)
	}
	return dst
}

// Unmarshal decodes b in order o and form f. Bytes behind the last set are
// ignored.
func (m *MembershipBody) Unmarshal(b []byte, o Order, f Form) error {
	*m = MembershipBody{Own: -1}
	if f == ShortForm {
		if len(b) < shortSetsStart {
			return malformed("membership of %d bytes (%d at least)", len(b), shortSetsStart)
		}
		set, _, err := unmarshalSet(b[groupIDSize:], o)
		if err != nil {
			return err
		}
		m.ID, m.Sets, m.Own = unmarshalGroupID(b, o), [][]string{set}, 0
		return nil
	}
	if len(b) < longSetsStart {
		return malformed("membership of %d bytes (%d at least)", len(b), longSetsStart)
	}
	m.ID = unmarshalGroupID(b, o)
	count, offset := o.Uint32(b[12:]), int32(o.Uint32(b[16:]))
	rest := b[longSetsStart:]
	size := len(rest)
	if uint64(count)*countSize > uint64(size) {
		return malformed("%d sets of members in %d bytes", count, size)
	}
	m.Sets = make([][]string, 0, count)
	for range count {
		if offset >= 0 && int(offset) == size-len(rest) {
			m.Own = len(m.Sets)
		}
		set, after, err := unmarshalSet(rest, o)
		if err != nil {
			return err
		}
		m.Sets, rest = append(m.Sets, set), after
	}
	return nil
}

// unmarshalSet decodes the number and the names at the start of b.
func unmarshalSet(b []byte, o Order) (set []string, rest []byte, err error) {
	if len(b) < countSize {
		return nil, nil, malformed("set of members of %d bytes", len(b))
	}
	count, b := o.Uint32(b), b[countSize:]
	if uint64(count)*NameSize > uint64(len(b)) {
		return nil, nil, malformed("set of %d members in %d bytes", count, len(b))
	}
	size := int(count) * NameSize
	set, err = UnmarshalNames(b[:size])
	return set, b[size:], err
}
