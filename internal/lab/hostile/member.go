package hostile

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"wackamole/alloc"
	"wackamole/spreadproto"
)

// Names that stand before and behind those of wackamoles, which are wack and a number, among the members
// of one Spread daemon. With the daemon of the first host and First, a member leads the view.
const (
	First = "$first"
	Last  = "~last"
)

// A Member is a client of a Spread daemon that knows wackamole's messages and keeps none of its rules. By
// itself it only listens: it is silent.
type Member struct {
	group string
	conn  *spreadproto.Conn

	writing sync.Mutex // one frame at a time, those of conn included
	wire    net.Conn

	mu       sync.Mutex
	changed  *sync.Cond // one of the following
	view     View
	views    int // how many have come
	returned int // of its own
	answer   func(View)
	err      error // why nothing comes any more
}

// A View is the group as a membership message tells it.
type View struct {
	ID      alloc.ViewID
	Members []string // private group names
	Index   int      // of the receiver, -1 if it is none of them
}

// Dial opens a session with the Spread daemon that name tells, as the configuration's Spread setting does,
// under a private name of at most 10 characters. The group is not joined yet.
func Dial(ctx context.Context, name, user, group string) (*Member, error) {
	address, err := spreadproto.ParseAddress(name)
	if err != nil {
		return nil, err
	}
	network, at := "unix", fmt.Sprintf("/run/spread/%d", address.Port)
	if address.Remote() {
		network, at = "tcp", net.JoinHostPort(address.Host, fmt.Sprint(address.Port))
	}
	var d net.Dialer
	wire, err := d.DialContext(ctx, network, at)
	if err != nil {
		return nil, fmt.Errorf("reach Spread daemon %s: %w", name, err)
	}
	conn, err := spreadproto.NewConn(ctx, wire, name, spreadproto.Options{User: user, Membership: true})
	if err != nil {
		return nil, err
	}
	m := &Member{group: group, conn: conn, wire: wire, view: View{Index: -1}}
	m.changed = sync.NewCond(&m.mu)
	go m.listen()
	return m, nil
}

// Name is the member's private group.
func (m *Member) Name() string { return m.conn.PrivateGroup() }

// Close ends the session: the group goes on without the member at once.
func (m *Member) Close() error {
	m.writing.Lock()
	defer m.writing.Unlock()
	if err := m.conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil // the daemon was first
}

// Join joins the group. That is all that a silent member does.
func (m *Member) Join() error { return m.request(m.conn.Join) }

// Leave leaves the group and keeps the session.
func (m *Member) Leave() error { return m.request(m.conn.Leave) }

func (m *Member) request(f func(group string) error) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	return f(m.group)
}

// Answer has f called at each view from now on, and at once if there is one already; nil ends that. It is called by
// the goroutine that reads, so that what f sends is on its way before anything else is read.
func (m *Member) Answer(f func(View)) {
	m.mu.Lock()
	m.answer = f
	v := m.view
	m.mu.Unlock()
	if f != nil && v.Index >= 0 {
		f(v)
	}
}

// View is the latest view, and how many there have been.
func (m *Member) View() (View, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view, m.views
}

// Returned is how many of its own messages have come back to the member.
func (m *Member) Returned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.returned
}

// Await waits until what the member has seen is as wanted: the latest view and how many there have been. It
// returns the view.
func (m *Member) Await(ctx context.Context, wanted func(v View, views int) bool) (View, error) {
	err := m.await(ctx, func() bool { return wanted(m.view, m.views) })
	v, _ := m.View()
	if err != nil {
		return v, fmt.Errorf("wait for another view than that of %v: %w", v.Members, err)
	}
	return v, nil
}

// await waits for a condition, which is asked for with the lock held.
func (m *Member) await(ctx context.Context, wanted func() bool) error {
	defer context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.changed.Broadcast()
	})()
	m.mu.Lock()
	defer m.mu.Unlock()
	for !wanted() {
		if err := errors.Join(ctx.Err(), m.err); err != nil {
			return err
		}
		m.changed.Wait()
	}
	return nil
}

// AwaitJoined waits until the member is in a view of so many.
func (m *Member) AwaitJoined(ctx context.Context, members int) (View, error) {
	return m.Await(ctx, func(v View, _ int) bool { return v.Index >= 0 && len(v.Members) == members })
}

// listen reads until the session ends: a client that does not read is cut off.
func (m *Member) listen() {
	for {
		message, err := m.conn.Receive()
		m.mu.Lock()
		var f func(View)
		switch message := message.(type) {
		case *spreadproto.Membership:
			if message.Group == m.group {
				m.view = View{alloc.ViewID(message.ID), slices.Clone(message.Members), message.Index(m.Name())}
				m.views++
				f = m.answer
			}
		case *spreadproto.SelfLeave:
			m.view = View{Index: -1}
		case *spreadproto.Regular:
			if message.Sender == m.Name() {
				m.returned++
			}
		}
		m.err = err
		v := m.view
		m.changed.Broadcast()
		m.mu.Unlock()
		if err != nil {
			return
		}
		if f != nil {
			f(v)
		}
	}
}

// State is the STATE that a well-behaved member of ours without addresses would send, but for the fingerprint of
// the list of virtual interfaces, which is the caller's to set.
func (m *Member) State(v View, address netip.Addr) alloc.StateBody {
	return alloc.StateBody{
		View: v.ID, Address: address, Index: v.Index, Mature: true,
		Trailer: &alloc.Trailer{Abilities: alloc.CanGoOn},
	}
}
