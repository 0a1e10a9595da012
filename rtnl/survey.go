package rtnl

import "golang.org/x/sys/unix"

// What a survey finds out about a key.
const (
	isThere     = 1 << iota // there, with this prefix
	isPrimary               // and secondaries may hang on it
	isElse                  // there, with another prefix
	isDuplicate             // the same as an earlier key
	otherwise   = 0xff      // in place of Key.Bits: any prefix
)

// An orphan is an address that is not to be removed and hangs on one that is.
type orphan struct {
	key      Key
	subnet   Key
	from, to int // its message body in survey.raw
}

// A survey compares the addresses to be removed with those that are there. It
// is pure: the listing is fed to it.
type survey struct {
	keys    []Key
	named   map[Key]int32 // by exact key, and by key with Bits = otherwise
	subnets map[Key]bool  // those that keys are in, /32 left out
	found   []uint8
	orphans []orphan
	raw     []byte
}

func newSurvey(keys []Key) *survey {
	s := &survey{
		keys:    keys,
		named:   make(map[Key]int32, 2*len(keys)),
		subnets: make(map[Key]bool),
		found:   make([]uint8, len(keys)),
	}
	for i, k := range keys {
		if _, twice := s.named[k]; !twice {
			s.named[k] = int32(i)
			s.named[Key{k.Index, k.Addr, otherwise}] = int32(i)
		}
		if k.Bits < 32 {
			s.subnets[k.subnet()] = true
		}
	}
	s.reset()
	return s
}

// reset forgets what was seen.
func (s *survey) reset() {
	for i, k := range s.keys {
		s.found[i] = 0
		if s.named[k] != int32(i) {
			s.found[i] = isDuplicate
		}
	}
	s.orphans, s.raw = s.orphans[:0], s.raw[:0]
}

// see takes in one address of the listing.
func (s *survey) see(a *addressMessage, body []byte) {
	secondary := a.flags&unix.IFA_F_SECONDARY != 0
	if i, ok := s.named[a.key]; ok && a.peer == a.key.Addr {
		s.found[i] |= isThere
		if !secondary {
			s.found[i] |= isPrimary
		}
		return
	}
	if i, ok := s.named[Key{a.key.Index, a.key.Addr, otherwise}]; ok {
		s.found[i] |= isElse
	}
	if secondary && s.subnets[a.subnet()] {
		from := len(s.raw)
		s.raw = append(s.raw, body...)
		s.orphans = append(s.orphans, orphan{a.key, a.subnet(), from, len(s.raw)})
	}
}

// steps returns the messages to send, in order: secondaries before primaries,
// and after a primary the addresses to put back. promote is asked once for each
// interface where any would go with their primary; where it says true, they will
// not.
func (s *survey) steps(promote func(index uint32, hanging []orphan) bool) []step {
	hanging := s.hanging()
	promoted := make(map[uint32]bool)
	for _, list := range hanging {
		index := list[0].key.Index
		if _, asked := promoted[index]; !asked {
			promoted[index] = promote(index, list)
		}
	}
	steps := make([]step, 0, len(s.keys))
	for _, primaries := range []bool{false, true} {
		for i, f := range s.found {
			if f&isThere == 0 || (f&isPrimary != 0) != primaries {
				continue
			}
			steps = append(steps, step{key: int32(i)})
			if list := hanging[int32(i)]; primaries && !promoted[s.keys[i].Index] {
				for _, o := range list {
					steps = append(steps, step{key: -1, orphan: o})
				}
			}
		}
	}
	return steps
}

// hanging returns the orphans of each named primary.
func (s *survey) hanging() map[int32][]orphan {
	if len(s.orphans) == 0 {
		return nil
	}
	primary := make(map[Key]int32)
	for i, f := range s.found {
		if f&isPrimary != 0 && s.keys[i].Bits < 32 {
			primary[s.keys[i].subnet()] = int32(i)
		}
	}
	hanging := make(map[int32][]orphan)
	for _, o := range s.orphans {
		if i, ok := primary[o.subnet]; ok {
			hanging[i] = append(hanging[i], o)
		}
	}
	return hanging
}
