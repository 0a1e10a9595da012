package spreadproto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wackamole/spreadproto/internal/recording"
)

const recordings = "testdata/recordings"

// TestReplay has our client live through each connection of each recording. A
// fake daemon says what the daemon said, and checks that our client says what
// the recorded one said, byte for byte. What our client reports must be what
// the annotations tell.
func TestReplay(t *testing.T) {
	for _, r := range recording.Load(t, recordings) {
		for _, conn := range r.Conns() {
			for _, bytewise := range []bool{false, true} {
				if bytewise && r.Scenario() == "14" {
					continue // 100,000 hand-overs of one byte show nothing that shorter ones don't
				}
				t.Run(fmt.Sprintf("%s/%s/bytewise=%v", r.Name, conn, bytewise), func(t *testing.T) {
					replay(t, r, conn, bytewise)
				})
			}
		}
	}
}

// replay is one connection of a recording.
func replay(t *testing.T, r *recording.Recording, conn string, bytewise bool) {
	units := r.Of(conn)
	hello, start := recordedHello(t, units)
	if !hello.Version.Authenticates() || CheckPrivateName(hello.User) != nil || !bytes.Equal(units[0].Bytes, hello.AppendBinary(nil)) {
		replayRefusal(t, units)
		return
	}
	o := Options{User: hello.User, Membership: hello.Membership, Priority: hello.Priority, Order: recordedOrder(units[start:])}
	here, there := net.Pipe()
	defer here.Close()
	daemon := &fakeDaemon{conn: there, units: units, bytewise: bytewise, hello: Hello{
		Version: libraryVersion, Membership: o.Membership, Priority: o.Priority, User: o.User,
	}}
	done := daemon.run()
	c, err := NewConn(context.Background(), here, "replay", o)
	if err != nil {
		checkRefusal(t, units, r, conn, err)
		here.Close()
		<-done
		return
	}
	defer c.nc.Close()
	checkSession(t, c, units[start:])
	here.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// recordedHello returns the first unit's hello, and the index of the first unit
// behind the handshake (the number of units if there was no session).
func recordedHello(t *testing.T, units []recording.Unit) (Hello, int) {
	t.Helper()
	var h Hello
	h.Unmarshal(units[0].Bytes)
	for i, u := range units {
		if u.Noted(": private group name") && !u.Noted("length") {
			return h, i + 1
		}
	}
	return h, len(units)
}

func recordedOrder(units []recording.Unit) Order {
	for _, u := range units {
		if u.ToServer && len(u.Bytes) >= HeaderSize {
			o, _ := markedOrder(u.Bytes)
			return o
		}
	}
	return LittleEndian
}

// replayRefusal checks that our client understands the refusal of a hello that
// it would not send itself.
func replayRefusal(t *testing.T, units []recording.Unit) {
	for _, u := range units {
		if u.ToServer || len(u.Bytes) != 1 || int8(u.Bytes[0]) >= 0 {
			continue
		}
		_, err := handshakeWith(Options{}, u.Bytes)
		var reject *RejectError
		if !errors.As(err, &reject) || reject.Code != RejectCode(int8(u.Bytes[0])) {
			t.Errorf("%v: got error %v", u, err)
		}
	}
}

// handshakeWith runs the handshake against a daemon that says just that.
func handshakeWith(o Options, answer []byte) (*Conn, error) {
	here, there := net.Pipe()
	go func() {
		b := make([]byte, 256)
		there.Read(b)
		go io.Copy(io.Discard, there)
		there.Write(answer)
		there.Close()
	}()
	c, err := NewConn(context.Background(), here, "fake", o)
	if err != nil {
		here.Close()
	}
	return c, err
}

// checkRefusal compares the error of the handshake with what the recorded
// client got, or with what ours must say because it knows NULL only.
func checkRefusal(t *testing.T, units []recording.Unit, r *recording.Recording, conn string, err error) {
	t.Helper()
	var code RejectCode
	var list []byte
	var password bool
	for _, u := range units {
		switch {
		case u.Noted("auth-list, space separated"):
			list = u.Bytes
		case u.ToServer && isChoice(u) && !sendable(u):
			password = true // the fake daemon stops here
		case !u.ToServer && len(u.Bytes) == 1 && int8(u.Bytes[0]) < 0:
			code = RejectCode(int8(u.Bytes[0]))
		}
	}
	listed := len(units) > 1 && len(units[1].Bytes) == 1 && int8(units[1].Bytes[0]) >= 0
	var auth *AuthError
	var reject *RejectError
	switch {
	case listed && !bytes.Contains(list, []byte("NULL ")):
		if !errors.As(err, &auth) || strings.Join(auth.Offered, " ") != strings.TrimSpace(string(list)) {
			t.Errorf("daemon offers %q: got error %v", list, err)
		}
	case code != 0 && !password:
		if !errors.As(err, &reject) || reject.Code != code {
			t.Errorf("daemon says %v: got error %v", code, err)
		}
	case password:
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("daemon closed the connection: got error %v", err)
		}
	default:
		t.Errorf("no session: %v", err)
	}
}

// A fakeDaemon plays the daemon's side of one connection.
type fakeDaemon struct {
	conn     net.Conn
	units    []recording.Unit
	bytewise bool
	hello    Hello // of our client, which always claims one version
}

// run plays all units and reports the first difference. It stops in front of a
// unit that our client never sends.
func (d *fakeDaemon) run() <-chan error {
	done := make(chan error, 1)
	go func() {
		defer d.conn.Close()
		done <- d.play()
	}()
	return done
}

func (d *fakeDaemon) play() error {
	d.conn.SetDeadline(time.Now().Add(time.Minute))
	for i, u := range d.units {
		switch {
		case u.Bytes == nil || u.ToServer && !sendable(u):
			return nil
		case u.ToServer:
			want := u.Bytes
			switch {
			case i == 0:
				want = d.hello.AppendBinary(nil)
			case isChoice(u):
				want = AuthChoice{MethodNULL}.AppendBinary(nil)
			}
			got := make([]byte, len(want))
			if _, err := io.ReadFull(d.conn, got); err != nil {
				return fmt.Errorf("%v: %w", u, err)
			}
			if !bytes.Equal(got, want) {
				return fmt.Errorf("%v: our client says %x, the recorded one %x", u, got, want)
			}
		case d.bytewise:
			for i := range u.Bytes {
				if _, err := d.conn.Write(u.Bytes[i : i+1]); err != nil {
					return fmt.Errorf("%v: %w", u, err)
				}
			}
		default:
			if _, err := d.conn.Write(u.Bytes); err != nil {
				return fmt.Errorf("%v: %w", u, err)
			}
		}
	}
	return nil
}

// sendable reports whether our client would send what the recorded one sent:
// no choice but NULL, no password, no illegal header.
func sendable(u recording.Unit) bool {
	switch {
	case isChoice(u):
		return !bytes.Contains(u.Bytes, []byte("PWORD"))
	case u.Noted("PWORD: 32 byte user"):
		return false
	case len(u.Bytes) < HeaderSize:
		return true // a hello
	}
	var h Header
	if h.Unmarshal(u.Bytes) != nil || !h.Hint.Valid() || h.Names > MaxDestinations || u.Noted("someone else as sender") {
		return false
	}
	bits := h.Type & RequestMask
	return bits != 0 && bits&(bits-1) == 0
}

func isChoice(u recording.Unit) bool {
	return len(u.Bytes) == AuthChoiceSize && u.Noted("auth choice")
}

// checkSession does what the recorded client did, and compares what comes.
func checkSession(t *testing.T, c *Conn, units []recording.Unit) {
	for _, u := range units {
		switch {
		case u.ToServer && u.Bytes == nil:
			c.nc.Close()
			return
		case u.ToServer && !sendable(u):
			if m, err := c.Receive(); err == nil {
				t.Fatalf("%v: received %+v of a closed connection", u, m)
			}
			return
		case u.ToServer:
			ended, err := act(c, u.Bytes)
			if err != nil {
				t.Fatalf("%v: %v", u, err)
			}
			if ended {
				return
			}
		case u.Bytes == nil:
			if _, err := c.Receive(); !errors.Is(err, io.EOF) {
				t.Fatalf("%v: received %v instead of the end", u, err)
			}
			return
		default:
			m, err := c.Receive()
			if err != nil {
				t.Fatalf("%v: %v", u, err)
			}
			if diff := cmp.Diff(annotated(t, u), described(c, m)); diff != "" {
				t.Fatalf("%v (-annotated +received):\n%s", u, diff)
			}
		}
	}
}

// act calls the method that sends such a message.
func act(c *Conn, frame []byte) (ended bool, err error) {
	var h Header
	if err := h.Unmarshal(frame); err != nil {
		return false, err
	}
	names, err := UnmarshalNames(frame[HeaderSize:][:NameSize*h.Names])
	if err != nil {
		return false, err
	}
	body := frame[HeaderSize+NameSize*h.Names:]
	switch {
	case h.Type&TypeJoin != 0:
		return false, c.Join(names[0])
	case h.Type&TypeLeave != 0:
		return false, c.Leave(names[0])
	case h.Type&TypeKill != 0:
		return true, c.Close()
	}
	return false, c.Multicast(Service(h.Type), h.Hint.MessageType(), body, names...)
}

// A description is what annotations tell of a message.
type description struct {
	Kind, Sender string
	Groups       []string
	Type, Index  string
	Mismatch     string
	ID           string
	Sets         string
	Own          string
}

var (
	recvLine   = regexp.MustCompile(`recv (\S+) sender=(\S+) groups=(\[.*?\]) (?:mess_type|my_index)=(\S+) len=(\d+) hdr_mismatch=\S+ body_mismatch=(\S+)`)
	gidLine    = regexp.MustCompile(`^gid=\((\S+), (\d+), (\d+)\)(.*)`)
	ownSet     = regexp.MustCompile(`\(set #(\d+)\)`)
	quotedName = regexp.MustCompile(`'([^']*)'`)
)

// annotated returns what the annotations of u say.
func annotated(t *testing.T, u recording.Unit) description {
	t.Helper()
	var d description
	for _, note := range u.Notes {
		if f := recvLine.FindStringSubmatch(note); f != nil {
			d.Kind, d.Sender, d.Groups, d.Type, d.Mismatch = f[1], f[2], namesIn(f[3]), f[4], f[6]
			if strings.Contains(d.Kind, "REG_MEMB") {
				d.Index, d.Type, d.Own = d.Type, "", "0"
			}
		}
		if f := gidLine.FindStringSubmatch(note); f != nil {
			first, err := strconv.ParseUint(f[1], 0, 32)
			if err != nil {
				t.Fatalf("%v: %v", u, err)
			}
			d.ID = fmt.Sprintf("%08x.%s.%s", first, f[2], f[3])
			if own := ownSet.FindStringSubmatch(f[4]); own != nil {
				d.Own = own[1]
			}
			if _, sets, ok := strings.Cut(f[4], "s=["); ok {
				sets = "[" + sets
				if !strings.HasPrefix(sets, "[[") {
					sets = "[" + sets + "]"
				}
				d.Sets = sets
			}
		}
	}
	if d.Kind == "" {
		t.Fatalf("%v: not annotated", u)
	}
	if !strings.HasPrefix(d.Sender, "#") {
		d.Type, d.Mismatch = "", ""
	}
	return d
}

func namesIn(list string) []string {
	var names []string
	for _, f := range quotedName.FindAllStringSubmatch(list, -1) {
		names = append(names, f[1])
	}
	return names
}

// described returns the same about a message that was received.
func described(c *Conn, m Message) description {
	switch m := m.(type) {
	case *Regular:
		return description{
			Kind: serviceName(m.Service), Sender: m.Sender, Groups: m.Groups, Type: fmt.Sprint(m.Type),
			Mismatch: map[bool]string{true: "True", false: "False"}[m.BigEndian != c.options.Order.IsBig()],
		}
	case *Membership:
		sets, own := m.Sets, m.OwnSet
		if m.Cause != CauseNetwork {
			sets, own = [][]string{{m.Changed}}, 0
		}
		return description{
			Kind: "BY_" + strings.ToUpper(m.Cause.String()) + "|REG_MEMB", Sender: m.Group, Groups: m.Members,
			Index: fmt.Sprint(m.Index(c.PrivateGroup())), ID: m.ID.String(), Sets: pythonSets(sets), Own: fmt.Sprint(own),
		}
	case *Transition:
		return description{Kind: "TRANSITION", Sender: m.Group, ID: m.ID.String()}
	case *SelfLeave:
		return description{Kind: "BY_LEAVE", Sender: m.Group}
	}
	return description{Kind: fmt.Sprintf("%T", m)}
}

func serviceName(s Service) string {
	names := map[Service]string{
		Unreliable: "UNRELIABLE", Reliable: "RELIABLE", FIFO: "FIFO", Causal: "CAUSAL", Agreed: "AGREED", Safe: "SAFE",
	}
	name := names[s&^SelfDiscard]
	if s&SelfDiscard != 0 {
		name += "|SELF_DISCARD"
	}
	return name
}

func pythonSets(sets [][]string) string {
	all := make([]string, 0, len(sets))
	for _, set := range sets {
		quoted := slices.Clone(set)
		for i := range quoted {
			quoted[i] = "'" + quoted[i] + "'"
		}
		all = append(all, "["+strings.Join(quoted, ", ")+"]")
	}
	return "[" + strings.Join(all, ", ") + "]"
}
