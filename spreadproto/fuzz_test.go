package spreadproto

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wackamole/spreadproto/internal/recording"
)

// addRecorded adds to the corpus what daemons or clients said in the recordings,
// as far as it is in one unit of the protocol and not huge.
func addRecorded(f *testing.F, toServer bool, add func([]byte)) {
	for _, r := range recording.Load(f, recordings) {
		for _, u := range r.Units {
			if u.ToServer == toServer && len(u.Bytes) < 4<<10 {
				add(u.Bytes)
			}
		}
	}
}

func FuzzHello(f *testing.F) {
	addRecorded(f, true, func(b []byte) {
		if len(b) < HeaderSize {
			f.Add(b)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Hello
		code, used, silent := h.Unmarshal(b)
		if used > len(b) {
			t.Fatalf("used %d of %d bytes", used, len(b))
		}
		if silent || code != Accepted {
			return
		}
		var again Hello
		encoded := h.AppendBinary(nil)
		if code, used, silent := again.Unmarshal(encoded); again != h || code != Accepted || used != len(encoded) || silent {
			t.Errorf("%+v becomes %x, which is %+v, %v", h, encoded, again, code)
		}
	})
}

func FuzzAuth(f *testing.F) {
	f.Add([]byte("NULL "))
	f.Add([]byte("NULL PWORD "))
	f.Add(AuthChoice{MethodNULL, "IP"}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if methods, err := UnmarshalAuthList(b); err == nil {
			encoded := AppendAuthList(nil, methods)
			if again, err := UnmarshalAuthList(encoded[1:]); err != nil || int(encoded[0]) != len(encoded)-1 ||
				len(again) > len(methods) || !cmp.Equal(again, methods[:len(again)]) {
				t.Errorf("%q becomes %q, %v", methods, again, err)
			}
		}
		var c, again AuthChoice
		if c.Unmarshal(b) == nil {
			if err := again.Unmarshal(c.AppendBinary(nil)); err != nil || !cmp.Equal(again, c) {
				t.Errorf("%q becomes %q, %v", c, again, err)
			}
		}
	})
}

func FuzzAccept(f *testing.F) {
	f.Add(welcome(daemon44)[6:])
	f.Add([]byte{0xfa})
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again Accept
		need, err := a.Unmarshal(b)
		if err != nil || need > len(b) {
			return
		}
		encoded := a.AppendBinary(nil, libraryVersion)
		if !bytes.Equal(encoded, b[:need]) {
			t.Errorf("%x is %+v, which is %x", b[:need], a, encoded)
		}
		if n, err := again.Unmarshal(encoded); n != need || err != nil || again != a {
			t.Errorf("%+v becomes %+v, %v", a, again, err)
		}
	})
}

func FuzzHeader(f *testing.F) {
	for _, toServer := range []bool{true, false} {
		addRecorded(f, toServer, func(b []byte) {
			if len(b) >= HeaderSize {
				f.Add(b[:HeaderSize])
			}
		})
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again Header
		if h.Unmarshal(b) != nil {
			return
		}
		if h.Names < 0 || h.Length < 0 || len(h.Name) > MaxGroupName {
			t.Errorf("%+v", h)
		}
		encoded := h.AppendBinary(nil)
		if err := again.Unmarshal(encoded); err != nil || again != h {
			t.Errorf("%+v becomes %+v, %v", h, again, err)
		}
		if !bytes.Equal(encoded[:4], b[:4]) || !bytes.Equal(encoded[36:], b[36:HeaderSize]) {
			t.Errorf("%x is encoded as %x", b[:HeaderSize], encoded)
		}
	})
}

func FuzzNames(f *testing.F) {
	f.Add(AppendNames(nil, []string{"room", "#alice#d1"}))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, err := UnmarshalNames(b)
		if err != nil {
			return
		}
		if again, err := UnmarshalNames(AppendNames(nil, names)); err != nil || !cmp.Equal(again, names) || len(names) != len(b)/NameSize {
			t.Errorf("%q becomes %q, %v", names, again, err)
		}
	})
}

func FuzzMembershipBody(f *testing.F) {
	body := MembershipBody{ID: GroupID{1, 2, 3}, Sets: [][]string{{"#a#d1", "#b#d1"}, {}, {"#c#d2"}}, Own: 2}
	for _, form := range []Form{LongForm, ShortForm} {
		for _, o := range []Order{LittleEndian, BigEndian} {
			f.Add(body.AppendBinary(nil, o, form), o.IsBig(), form == ShortForm)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, big, short bool) {
		order, form := LittleEndian, LongForm
		if big {
			order = BigEndian
		}
		if short {
			form = ShortForm
		}
		var m, again MembershipBody
		if m.Unmarshal(b, order, form) != nil {
			return
		}
		size := 0
		for _, set := range m.Sets {
			size += countSize + NameSize*len(set)
		}
		if size > len(b) || m.Own >= len(m.Sets) || m.Own < -1 {
			t.Errorf("%d bytes of sets in %d, own %d of %d", size, len(b), m.Own, len(m.Sets))
		}
		if err := again.Unmarshal(m.AppendBinary(nil, order, form), order, form); err != nil || !cmp.Equal(again, m) {
			t.Errorf("%+v becomes %+v, %v", m, again, err)
		}
	})
}

// FuzzHandshake has a hostile daemon answer a client.
func FuzzHandshake(f *testing.F) {
	f.Add(welcome(daemon44))
	f.Add([]byte{0xfa})
	f.Add([]byte{0, 0xf7})
	f.Fuzz(func(t *testing.T, answer []byte) {
		c, err := handshakeWith(Options{User: "me"}, answer)
		if err != nil {
			return
		}
		c.nc.Close()
		if _, _, ok := SplitPrivateGroup(c.PrivateGroup()); !ok || !c.DaemonVersion().Supported() {
			t.Errorf("opened session %q with version %v", c.PrivateGroup(), c.DaemonVersion())
		}
	})
}

// FuzzReceive has a hostile daemon send messages.
func FuzzReceive(f *testing.F) {
	addRecorded(f, false, func(b []byte) {
		if len(b) >= HeaderSize {
			f.Add(b, false)
		}
	})
	for _, v := range []Version{daemon44, daemon317} {
		for _, o := range []Order{LittleEndian, BigEndian} {
			stream, _ := sample(o, v)
			f.Add(stream, v == daemon317)
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, old bool) {
		v := daemon44
		if old {
			v = daemon317
		}
		all, err := receiveAll(streamOf(t, v, stream))
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrMalformed) {
			t.Errorf("ended with %v", err)
		}
		size := 0
		for _, m := range all {
			size += HeaderSize
			switch m := m.(type) {
			case *Regular:
				size += len(m.Body) + NameSize*len(m.Groups)
			case *Membership:
				size += NameSize * len(m.Members)
				if m.OwnSet < -1 || m.OwnSet >= max(1, len(m.Sets)) {
					t.Errorf("own set %d of %d", m.OwnSet, len(m.Sets))
				}
			}
		}
		if size > len(stream) {
			t.Errorf("%d bytes of messages in a stream of %d", size, len(stream))
		}
	})
}

func FuzzPasswd(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/sh\nspread:x:12:1:::\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if uids := usersCalled(bytes.NewReader(b), "spread"); len(uids) > bytes.Count(b, []byte("spread:")) {
			t.Errorf("%d users in %q", len(uids), b)
		}
	})
}
