package control

import (
	"net/netip"
	"strconv"
	"time"

	"wackamole/internal/jsontext"
)

// An answer gives its parts one after the other, each valid until the next. It gives the same ones
// every time that it is asked: the server asks twice, first to count.
type answer func(yield func(part []byte) bool)

// jsonAnswer is the State as JSON, see there. The parts are small however many virtual interfaces
// there are, so that a client costs a small buffer and not a copy of all.
func (s *State) jsonAnswer(yield func([]byte) bool) {
	b := s.appendHead(make([]byte, 0, 1024))
	for i := range s.Interfaces {
		b = comma(b, i)
		b = s.appendInterface(b, &s.Interfaces[i])
		if !yield(b) {
			return
		}
		b = b[:0]
	}
	b = append(b, `],"counters":`...)
	b = s.Counters.appendJSON(b)
	b = append(b, `,"reason":`...)
	if s.Reason == "" {
		b = append(b, "null"...)
	} else {
		b = jsontext.AppendString(b, s.Reason)
	}
	yield(append(b, "}\n"...))
}

// appendHead appends all that comes before the first virtual interface.
func (s *State) appendHead(b []byte) []byte {
	b = append(b, `{"program":`...)
	b = jsontext.AppendString(b, s.Program)
	b = append(b, `,"state":"`...)
	b = append(b, s.Phase.String()...)
	b = append(b, `","mature":`...)
	b = strconv.AppendBool(b, s.Mature)
	b = append(b, `,"group":`...)
	b = jsontext.AppendString(b, s.Group)
	b = append(b, `,"self":{"name":`...)
	if s.Name == "" {
		b = append(b, "null"...)
	} else {
		b = jsontext.AppendString(b, s.Name)
	}
	b = append(b, `,"address":`...)
	b = appendAddr(b, s.Address)
	b = append(b, `,"index":`...)
	b = strconv.AppendInt(b, int64(s.Index), 10)
	b = append(b, `},"view":`...)
	b = s.View.appendJSON(b)
	return append(b, `,"interfaces":[`...)
}

func (v *View) appendJSON(b []byte) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"id":[`...)
	for i, n := range v.ID {
		b = comma(b, i)
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	b = append(b, `],"members":[`...)
	for i, m := range v.Members {
		b = comma(b, i)
		b = append(b, `{"name":`...)
		b = jsontext.AppendString(b, m.Name)
		b = append(b, `,"address":`...)
		b = appendAddr(b, m.Address)
		b = append(b, `,"index":`...)
		b = strconv.AppendInt(b, int64(i), 10)
		b = append(b, `,"kind":"`...)
		b = append(b, m.Kind.String()...)
		b = append(b, `"}`...)
	}
	return append(b, "]}"...)
}

func (s *State) appendInterface(b []byte, v *VirtualInterface) []byte {
	b = append(b, `{"addresses":[`...)
	for i, a := range v.Addresses {
		b = comma(b, i)
		b = append(b, `{"interface":`...)
		b = jsontext.AppendString(b, a.Interface)
		b = append(b, `,"ip":`...)
		b = appendAddr(b, a.Addr())
		b = append(b, `,"prefix":`...)
		b = strconv.AppendInt(b, int64(a.Prefix.Bits()), 10)
		b = append(b, `,"broadcast":`...)
		b = appendAddr(b, a.Broadcast())
		b = append(b, '}')
	}
	b = append(b, `],"owner":`...)
	b = appendAddr(b, v.Owner)
	b = append(b, `,"mine":`...)
	b = strconv.AppendBool(b, s.mine(v))
	b = append(b, `,"claim":`...)
	b = strconv.AppendInt(b, int64(v.Claim), 10)
	b = append(b, `,"held":`...)
	b = strconv.AppendBool(b, v.Held)
	return append(b, '}')
}

func (s *State) mine(v *VirtualInterface) bool {
	return v.Owner.IsValid() && v.Owner == s.Address
}

func (c *Counters) appendJSON(b []byte) []byte {
	b = append(b, '{')
	for i, n := range c.numbers() {
		b = comma(b, i)
		b = append(b, '"')
		b = append(b, n.name...)
		b = append(b, `":`...)
		b = strconv.AppendUint(b, n.value, 10)
	}
	b = append(b, `,"last_take_over_seconds":`...)
	b = appendSeconds(b, c.LastTakeOver)
	b = append(b, `,"rejected":{`...)
	for i, r := range c.Rejected {
		b = comma(b, i)
		b = jsontext.AppendString(b, r.Kind)
		b = append(b, ':')
		b = strconv.AppendUint(b, r.Count, 10)
	}
	b = append(b, `},"state_seconds":{`...)
	for p := range PhaseCount {
		b = comma(b, int(p))
		b = append(b, '"')
		b = append(b, p.String()...)
		b = append(b, `":`...)
		b = appendSeconds(b, c.InPhase[p])
	}
	return append(b, "}}"...)
}

// comma separates the i-th element from the one before it.
func comma(b []byte, i int) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return b
}

// appendAddr appends an address as a string, null for an invalid one.
func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	b = a.AppendTo(b)
	return append(b, '"')
}

// appendSeconds appends a duration with the microseconds that mean something.
func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, d.Seconds(), 'f', 6, 64)
}
