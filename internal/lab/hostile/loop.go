package hostile

import (
	"context"
	"fmt"
	"time"

	"wackamole/spreadproto"
)

// JoinLeave joins the group and leaves it again so many times, each time as soon as it has its view, and with a
// pause after each turn. It makes two views a turn. A member that answers (see Answer) answers in each.
//
// Three real daemons of version 4.4 on one machine make some 350 views a second of it without pause. The one in
// package spreadd makes 20,000.
func JoinLeave(ctx context.Context, m *Member, turns int, pause time.Duration) error {
	for range turns {
		if err := m.Join(); err != nil {
			return err
		}
		if _, err := m.Await(ctx, func(v View, _ int) bool { return v.Index >= 0 }); err != nil {
			return err
		}
		if err := m.Leave(); err != nil {
			return err
		}
		if _, err := m.Await(ctx, func(v View, _ int) bool { return v.Index < 0 }); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

// Crowd joins the group with many sessions at once, under names that begin with user, one view each. Close
// them with Disperse.
func Crowd(ctx context.Context, name, user, group string, sessions int) (crowd []*Member, err error) {
	for i := range sessions {
		m, err := Dial(ctx, name, fmt.Sprintf("%s%d", user, i), group)
		if err == nil {
			crowd = append(crowd, m)
			err = m.Join()
		}
		if err != nil {
			Disperse(crowd)
			return nil, err
		}
	}
	return crowd, nil
}

// Disperse ends the sessions of a crowd.
func Disperse(crowd []*Member) {
	for _, m := range crowd {
		m.Close()
	}
}

// ForgeView sends messages that look like membership messages of the Spread daemon, in which the others are
// no members any more: by the bits of their type words, in a body as the daemon's. A daemon hands on what its
// client says, with the sender's name.
func ForgeView(m *Member, v View) []Frame {
	alone := []string{m.Name()}
	body := spreadproto.MembershipBody{ID: spreadproto.GroupID(v.ID), Sets: [][]string{alone}}.
		AppendBinary(nil, spreadproto.HostOrder, spreadproto.Version{Major: 4, Minor: 4}.MembershipForm())
	var frames []Frame
	for _, bits := range []uint32{
		spreadproto.TypeMembership | uint32(spreadproto.CauseNetwork),
		spreadproto.TypeMembership | uint32(spreadproto.CauseLeave),
		spreadproto.TypeTransition,
		uint32(spreadproto.CauseLeave),
	} {
		frames = append(frames, Frame{Type: 0, Service: spreadproto.Agreed, Body: body, Bits: bits})
	}
	return frames
}
