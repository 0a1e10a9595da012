package hostile

import (
	"encoding/binary"
	"fmt"

	"wackamole/alloc"
	"wackamole/spreadproto"
)

// order is the byte order in which a member writes integers: the machine's own, as originals do.
var order = binary.NativeEndian

// otherOrder is the one that it does not have.
var otherOrder = map[bool]spreadproto.Order{true: spreadproto.BigEndian, false: spreadproto.LittleEndian}[!spreadproto.HostOrder.IsBig()]

// A Frame is a message, well made or not, and how to send it.
type Frame struct {
	Type    alloc.MessageType
	Body    []byte
	Service spreadproto.Service // 0: as it should be for the type
	Groups  []string            // nil: the group
	// Swapped marks the body as written in the other byte order than it is.
	Swapped bool
	// Bits are further bits of the type word in the header, such as those of a membership message.
	Bits uint32
}

// Send sends a frame. Nothing checks it on this side.
func (m *Member) Send(f Frame) error { return m.write(m.append(nil, f)) }

// SendState sends a STATE.
func (m *Member) SendState(s alloc.StateBody) error {
	return m.Send(Frame{Type: alloc.StateMessage, Body: s.Append(nil, order)})
}

// append appends a frame as it travels.
func (m *Member) append(dst []byte, f Frame) []byte {
	if f.Service == 0 {
		f.Service = spreadproto.Reliable
		if f.Type.Ordered() {
			f.Service = spreadproto.Agreed
		}
	}
	if f.Groups == nil {
		f.Groups = []string{m.group}
	}
	hint := spreadproto.HostOrder
	if f.Swapped {
		hint = otherOrder
	}
	h := spreadproto.Header{
		Type: uint32(f.Service) | f.Bits, Name: m.Name(), Names: len(f.Groups),
		Hint: spreadproto.NewHint(int16(f.Type), hint), Length: len(f.Body),
	}
	return append(spreadproto.AppendNames(h.AppendBinary(dst), f.Groups), f.Body...)
}

func (m *Member) write(frames []byte) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if _, err := m.wire.Write(frames); err != nil {
		return fmt.Errorf("write to Spread: %w", err)
	}
	return nil
}
