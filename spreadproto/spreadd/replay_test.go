package spreadd

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"wackamole/spreadproto"
	"wackamole/spreadproto/internal/recording"
)

// TestReplay feeds to a server what the clients of each recording sent, in the
// order of the recording, and compares what comes back byte for byte. Only the
// ring's words of group ids and invented names may differ, the former always in
// the same way.
func TestReplay(t *testing.T) {
	for _, r := range recording.Load(t, "../testdata/recordings") {
		t.Run(r.Name, func(t *testing.T) { newReplay(t, r).run() })
		if r.Scenario() == "14" || r.Scenario() == "17" {
			continue // 100,000 bytes one by one, and sessions that end within a message
		}
		t.Run(r.Name+"/bytewise", func(t *testing.T) {
			p := newReplay(t, r)
			p.bytewise = true
			p.run()
		})
	}
}

// A replay is one recording on one server.
type replay struct {
	t         *testing.T
	recording *recording.Recording
	server    *Server
	bytewise  bool                // messages of clients arrive in pieces of one byte
	addresses map[string]net.Addr // by daemon
	conns     map[string]net.Conn
	seen      map[string]bool   // connections that have started
	invented  int               // length of the name that ours made up
	rings     map[string]string // words of group ids: of the recording and of ours
}

func newReplay(t *testing.T, r *recording.Recording) *replay {
	p := &replay{
		t: t, recording: r, addresses: map[string]net.Addr{}, conns: map[string]net.Conn{},
		seen: map[string]bool{}, rings: map[string]string{},
	}
	p.server = New(optionsOf(r))
	network, address := "tcp", "127.0.0.1:0"
	if r.Scenario() == "23" {
		network, address = "unix", filepath.Join(t.TempDir(), "4803")
	}
	daemons := []string{"d1"}
	if r.Scenario() == "30" {
		daemons = append(daemons, "d2")
	}
	for _, name := range daemons {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		p.addresses[name] = l.Addr()
		go p.server.Serve(From(l), name)
	}
	t.Cleanup(p.server.Close)
	return p
}

// optionsOf makes a server like the daemon of the recording.
func optionsOf(r *recording.Recording) Options {
	versions := map[string]spreadproto.Version{
		"3.17.3": {Major: 3, Minor: 17, Patch: 3}, "4.0.0": {Major: 4}, "4.4.0": {Major: 4, Minor: 4}, "5.0.1": {Major: 5, Patch: 1},
	}
	o := Options{Version: versions[r.Version()], Order: spreadproto.LittleEndian, Daemons: []string{"d1", "d2"}}
	switch r.Scenario() {
	case "19b":
		o.MaxSessions = 1
	case "20", "21b":
		for _, u := range r.Units {
			if u.Noted("auth-list, space separated") {
				o.Methods, _ = spreadproto.UnmarshalAuthList(u.Bytes)
			}
		}
	case "21":
		o.RefuseAddresses = true
	case "22":
		o.Methods = []string{}
	}
	return o
}

func (p *replay) run() {
	if p.recording.Scenario() == "19b" {
		p.connect("other") // takes the only place
	}
	for _, u := range p.recording.Units {
		switch {
		case u.Noted("daemon d2 is frozen"):
			p.server.Pause("d2")
			p.server.Partition([]string{"d1"}, []string{"d2"})
		case u.Noted("daemon d2 resumes"):
			p.server.Merge()
			p.server.Resume()
		}
		p.step(u)
		if p.t.Failed() {
			return
		}
	}
}

func (p *replay) step(u recording.Unit) {
	if !p.seen[u.Conn] {
		p.seen[u.Conn] = true
		p.connect(u.Conn)
	}
	conn := p.conns[u.Conn]
	switch {
	case conn == nil: // given up, see below
	case u.ToServer && u.Noted("auth choice") && bytes.Contains(u.Bytes, []byte("PWORD")):
		p.refusesPasswords(conn, u)
		p.conns[u.Conn] = nil
	case u.ToServer && u.Bytes == nil:
		conn.Close()
	case u.ToServer && p.bytewise && len(u.Bytes) >= spreadproto.HeaderSize && !u.Noted("auth choice"):
		for i := range u.Bytes {
			if _, err := conn.Write(u.Bytes[i : i+1]); err != nil {
				p.t.Errorf("%v: %v", u, err)
			}
		}
	case u.ToServer:
		if _, err := conn.Write(u.Bytes); err != nil {
			p.t.Errorf("%v: %v", u, err)
		}
	case u.Bytes == nil:
		if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			p.t.Errorf("%v: read %d bytes and %v", u, n, err)
		}
	default:
		got := make([]byte, len(u.Bytes))
		if p.isInvented(u) && len(got) > 1 {
			got = make([]byte, p.invented)
		}
		if _, err := io.ReadFull(conn, got); err != nil {
			p.t.Errorf("%v: %v", u, err)
		} else {
			p.compare(u, got)
		}
	}
}

// refusesPasswords checks that the one method that the server does not have is
// refused.
func (p *replay) refusesPasswords(conn net.Conn, u recording.Unit) {
	conn.Write(u.Bytes)
	got, err := io.ReadAll(conn)
	if want := []byte{0xf7}; !bytes.Equal(got, want) || err != nil {
		p.t.Errorf("%v: read %x and %v, want %x", u, got, err, want)
	}
}

func (p *replay) connect(name string) {
	daemon := "d1"
	if name == "B" && p.addresses["d2"] != nil {
		daemon = "d2"
	}
	a := p.addresses[daemon]
	conn, err := net.Dial(a.Network(), a.String())
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	p.conns[name] = conn
}

// isInvented reports whether u is the length or the text of a name that the
// daemon made up.
func (p *replay) isInvented(u recording.Unit) bool {
	return p.recording.Scenario() == "01c" && u.Noted(": private group name")
}

func (p *replay) compare(u recording.Unit, got []byte) {
	want := bytes.Clone(u.Bytes)
	switch {
	case p.isInvented(u) && len(want) == 1:
		p.invented = int(got[0])
		return
	case p.isInvented(u):
		if !strings.HasPrefix(string(got), "#r") || !strings.HasSuffix(string(got), "#d1") {
			p.t.Errorf("%v: invented %q", u, got)
		}
		return
	case len(want) >= spreadproto.HeaderSize:
		p.compareRing(u, want, got)
	}
	if !bytes.Equal(got, want) {
		p.t.Errorf("%v:\n got %x\nwant %x", u, got, want)
	}
}

// compareRing replaces the ring's words of a group id by ours, after it has
// checked that they differ from the recorded ones as before.
func (p *replay) compareRing(u recording.Unit, want, got []byte) {
	var h spreadproto.Header
	if err := h.Unmarshal(want); err != nil {
		p.t.Fatalf("%v: %v", u, err)
	}
	if k := h.Kind(); k != spreadproto.KindMembership && k != spreadproto.KindTransition {
		return
	}
	at := spreadproto.HeaderSize + spreadproto.NameSize*h.Names
	theirs, ours := string(want[at:at+8]), string(got[at:at+8])
	for t, o := range p.rings {
		if (t == theirs) != (o == ours) {
			p.t.Errorf("%v: ring %x stands for %x, and now ring %x for %x", u, o, t, ours, theirs)
		}
	}
	p.rings[theirs] = ours
	copy(want[at:], ours)
}
