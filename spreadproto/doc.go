// Package spreadproto is a client of the Spread group communication system:
// the protocol that a program speaks with the Spread daemon of its host or of
// another one. It works with daemons of the lines 3.17, 4.x and 5.x.
//
// The model: a client opens a session with one daemon and gets a private
// group name such as "#wack1234#node1", which is its identity. It joins groups
// and sends messages to groups; a group needs no creation. Everything that a
// session receives comes over one stream in the agreed order of the group:
// data of members and non-members ([Regular]), each change of the membership
// ([Membership]: a view, with the reason for it), the warning that a view is
// about to be replaced because daemons lost each other ([Transition]), and the
// confirmation of a leave ([SelfLeave]). Nothing is acknowledged, and there is
// no keepalive in the protocol: see [Liveness].
//
// The package has two layers. The codecs ([Hello], [AuthChoice], [Accept],
// [Header], [MembershipBody] and so on) are pure: bytes in, values out, length
// checked before use. They serve the client as well as the daemon in package
// spreadd. [Conn] is the client on top of them.
//
// Byte order is a property of each message, and of the header and the payload
// separately: the daemon writes headers in its own order, while the hint word
// keeps telling the order of the sender. The package converts the former and
// reports the latter.
//
// What comes from the daemon is not trusted: every count is bounded, memory
// grows only as bytes really arrive, and a stream that does not make sense is
// closed, since nothing in it marks the start of the next message.
package spreadproto

// Limits of the protocol.
const (
	// DefaultPort is the port of a Spread daemon, TCP and unix socket alike.
	DefaultPort = 4803
	// MaxPrivateName is the longest private name, in bytes. Libraries cut
	// longer ones.
	MaxPrivateName = 10
	// MaxGroupName is the longest group name, in bytes, private group names
	// included. On the wire it fills a field of 32 bytes with at least one NUL.
	MaxGroupName = 31
	// MaxDestinations is the largest number of groups that one multicast
	// really reaches. Daemons accept up to 100, and deliver a message for more
	// than 43 to nobody, because the list outgrows their first buffer.
	MaxDestinations = 43
	// DefaultMaxMessage bounds a message that is sent: header (48 bytes),
	// destinations (32 each) and body together. Daemons claim to take 144,000
	// bytes but abort, for all their clients, a little below that.
	DefaultMaxMessage = 140_000
	// MaxBody is the largest body of a regular message that [Conn.Receive]
	// returns. Daemons with raised limits exist; see [Oversized].
	MaxBody = 256 << 10
	// MaxMembers is the largest number of groups or members in one message
	// that is believed.
	MaxMembers = 100_000
	// NameSize is the size of the field of a name in messages, in bytes.
	NameSize = 32
)
