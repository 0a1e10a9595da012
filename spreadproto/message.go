package spreadproto

import "slices"

// A Message is something received: [*Regular], [*Membership], [*Transition],
// [*SelfLeave], [*Rejected] or [*Oversized].
type Message interface{ message() }

// Regular is data that somebody sent to groups. Senders need not be members.
type Regular struct {
	Service   Service
	Sender    string   // private group of the sender; the daemon guarantees it
	Groups    []string // all destinations, as sent
	Type      int16    // what the sender called it
	Body      []byte   // owned by the receiver of the message
	BigEndian bool     // the sender writes numbers big-endian, in Body too
}

// Membership is a new view of a group.
type Membership struct {
	Group   string
	Members []string // private groups, in the same order for all members
	ID      GroupID
	Cause   Cause
	// Changed is the member that joined, left or was disconnected. It is empty
	// where the cause is the network.
	Changed string
	// Sets, where the cause is the network, are the members by the view that
	// they came from; OwnSet is the index of the receiver's (-1 if the daemon
	// named none). 3.x daemons tell the own set only.
	Sets   [][]string
	OwnSet int
}

// Index returns the place of a private group among the members, -1 if it is
// none.
func (m *Membership) Index(member string) int {
	return slices.Index(m.Members, member)
}

// Transition announces that the view of that id ends because the network
// changed. A membership follows; data until then may not have reached all
// members of the old view.
type Transition struct {
	Group string
	ID    GroupID // the view that ends
}

// SelfLeave confirms that the receiver left the group.
type SelfLeave struct{ Group string }

// Rejected is a request of ours that a policy of the daemon refused.
type Rejected struct {
	// Request is the type word of the request. A refused join or leave shows
	// as [CauseJoin] or [CauseLeave].
	Request   uint32
	Groups    []string // the destinations, and the receiver's private group
	Type      int16
	Body      []byte
	BigEndian bool
}

// Oversized stands for a message whose body was larger than this package takes.
// The body was read and dropped.
type Oversized struct {
	Service   Service // 0 if it was no regular message
	Sender    string  // or the group, if it was no regular message
	Groups    []string
	Type      int16
	Length    int // of the body, in bytes
	BigEndian bool
}

func (*Regular) message()    {}
func (*Membership) message() {}
func (*Transition) message() {}
func (*SelfLeave) message()  {}
func (*Rejected) message()   {}
func (*Oversized) message()  {}

// bodyLimit returns how large a body is taken for a message with this header.
// A membership names each member once, in sets of one at worst, and perhaps one
// that went.
func (h *Header) bodyLimit() int {
	if h.Kind() == KindMembership {
		return max(MaxBody, longSetsStart+(h.Names+1)*(countSize+NameSize))
	}
	return MaxBody
}

// oversized returns the replacement of a message that is too large.
func (h *Header) oversized(names []string) *Oversized {
	return &Oversized{
		Service:   h.service(),
		Sender:    h.Name,
		Groups:    names,
		Type:      h.Hint.MessageType(),
		Length:    h.Length,
		BigEndian: h.Hint.Order().IsBig(),
	}
}

func (h *Header) service() Service {
	return Service(h.Type) & (serviceMask | SelfDiscard)
}

// decode assembles a message from its parts. request is the word that only
// rejects have. The message is nil if it is of no known kind.
func (h *Header) decode(request uint32, names []string, body []byte, form Form) (Message, error) {
	switch h.Kind() {
	case KindRegular:
		return &Regular{
			Service:   h.service(),
			Sender:    h.Name,
			Groups:    names,
			Type:      h.Hint.MessageType(),
			Body:      body,
			BigEndian: h.Hint.Order().IsBig(),
		}, nil
	case KindRejected:
		return &Rejected{
			Request:   request,
			Groups:    names,
			Type:      h.Hint.MessageType(),
			Body:      body,
			BigEndian: h.Hint.Order().IsBig(),
		}, nil
	case KindMembership:
		return h.decodeMembership(names, body, form)
	case KindTransition:
		var t TransitionBody
		if err := t.Unmarshal(body, h.Order); err != nil {
			return nil, err
		}
		return &Transition{Group: h.Name, ID: t.ID}, nil
	case KindSelfLeave:
		return &SelfLeave{Group: h.Name}, nil
	}
	return nil, nil
}

func (h *Header) decodeMembership(names []string, body []byte, form Form) (Message, error) {
	var b MembershipBody
	if err := b.Unmarshal(body, h.Order, form); err != nil {
		return nil, err
	}
	m := &Membership{
		Group:   h.Name,
		Members: names,
		ID:      b.ID,
		Cause:   Cause(h.Type) & causeMask,
		OwnSet:  -1,
	}
	switch m.Cause {
	case CauseNetwork:
		m.Sets, m.OwnSet = b.Sets, b.Own
	case CauseJoin, CauseLeave, CauseDisconnect:
		if len(b.Sets) != 1 || len(b.Sets[0]) != 1 {
			return nil, malformed("membership of %q by %v does not name the one member", m.Group, m.Cause)
		}
		m.Changed = b.Sets[0][0]
	default:
		return nil, malformed("membership of %q with causes %#x", m.Group, uint32(m.Cause))
	}
	return m, nil
}
