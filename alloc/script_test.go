package alloc

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata/script")

// TestScripts runs each testdata/script/*.txt: a command a line, below it ----
// and what the machine answered, ended by an empty line. With -update the answers
// are rewritten; commit them only when each line of the difference is understood.
//
// Addresses are shortened to the last number of 10.77.0.N; members are called a,
// b, c and so on and have the real addresses 10.77.0.1, 2, 3; the machine is
// whatever member connected last named. Commands:
//
//	config KEY=VALUE...       a new machine: vifs=101,102+202 prefer=101 address=1 round=1 mature=5s
//	                          interval=4s share=60s group=wack order=little|big
//	reconfigure KEY=VALUE...  change the configuration
//	connected NAME, lost
//	view N NAME...            a view with id N
//	state NAME KEY=VALUE...   a STATE: claims=101:2,102:5 prefer=101 immature view=N index=N address=N
//	                          trailer=none|other|cannot|longer
//	maturing NAME, balance NAME 101=2..., without NAME INDEX..., arpcache NAME 9=02:00:00:00:00:09...
//	message NAME TYPE HEX     any message
//	own                       the oldest message that the machine sent comes back to it
//	fire TIMER
//	status
//
// Every message command takes order=big, group=G,G... and unordered.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			source, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := runScript(t, string(source))
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(source), got); diff != "" {
				t.Errorf("transcript differs (-file +machine):\n%s", diff)
			}
		})
	}
}

// runScript returns the script with the answers that the machine gives now.
func runScript(t *testing.T, source string) string {
	var out strings.Builder
	s := &script{config: scriptConfig()}
	lines := strings.Split(strings.TrimRight(source, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if line == "" || strings.HasPrefix(line, "#") {
			out.WriteString(line + "\n")
			continue
		}
		answer, err := s.command(strings.Fields(line))
		if err != nil {
			t.Fatalf("line %d: %s: %v", i+1, line, err)
		}
		out.WriteString(line + "\n----\n" + answer)
		if i+1 < len(lines) && lines[i+1] == "----" {
			for i+1 < len(lines) && lines[i+1] != "" {
				i++
			}
		}
		if i+1 < len(lines) && lines[i+1] != "" {
			out.WriteString("\n")
		}
	}
	return strings.TrimRight(out.String(), "\n") + "\n"
}

func scriptConfig() Config {
	c := Config{
		Group: "wack", Address: short("1"), Mature: 5 * time.Second, PerRound: 1, Interval: 4 * time.Second,
	}
	c.Interfaces = parseInterfaces("101,102,103")
	return c
}

type script struct {
	m      *Machine
	config Config
	view   View
	order  ByteOrder
	sent   []Message
}

func (s *script) command(words []string) (string, error) {
	positional, options := []string{}, map[string]string{}
	for _, w := range words[1:] {
		k, v, ok := strings.Cut(w, "=")
		if ok && !(words[0] == "balance" && k != "order") && words[0] != "arpcache" {
			options[k] = v
		} else if w == "immature" || w == "unordered" {
			options[w] = "yes"
		} else {
			positional = append(positional, w)
		}
	}
	switch words[0] {
	case "config", "reconfigure":
		if err := s.configure(options); err != nil {
			return "", err
		}
		if words[0] == "reconfigure" {
			return s.step(Reconfigured{s.config}), nil
		}
		s.m, s.sent = New(s.config, s.order), nil
		return "ok\n", nil
	case "connected":
		s.sent = nil
		return s.step(Connected{positional[0]}), nil
	case "lost":
		return s.step(Lost{"the script says so"}), nil
	case "view":
		n, err := strconv.Atoi(positional[0])
		if err != nil {
			return "", err
		}
		s.view = View{scriptView(n), positional[1:]}
		return s.step(s.view), nil
	case "own":
		if len(s.sent) == 0 {
			return "", fmt.Errorf("nothing was sent")
		}
		e := s.sent[0]
		s.sent = s.sent[1:]
		return s.step(e), nil
	case "fire":
		for t := range Timers {
			if t.String() == positional[0] {
				return s.step(TimerFired{t}), nil
			}
		}
		return "", fmt.Errorf("no such timer")
	case "status":
		return formatStatus(s.m.Status()), nil
	}
	e, err := s.message(words[0], positional, options)
	if err != nil {
		return "", err
	}
	return s.step(e), nil
}

func (s *script) configure(options map[string]string) (err error) {
	c := &s.config
	if s.order == nil {
		s.order = binary.LittleEndian
	}
	for k, v := range options {
		switch k {
		case "vifs":
			c.Interfaces = parseInterfaces(v)
		case "prefer":
			c.Prefer = shorts(v)
		case "address":
			c.Address = short(v)
		case "round":
			c.PerRound, err = strconv.Atoi(v)
		case "interval":
			c.Interval, err = time.ParseDuration(v)
		case "mature":
			c.Mature, err = time.ParseDuration(v)
		case "share":
			c.Share, err = time.ParseDuration(v)
		case "group":
			c.Group = v
		case "order":
			s.order = orderNamed(v)
		default:
			err = fmt.Errorf("no setting %s", k)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *script) message(kind string, positional []string, options map[string]string) (Message, error) {
	e := Message{Sender: positional[0], Groups: []string{s.config.Group}, Ordered: kind != "arpcache", Order: binary.LittleEndian}
	if o, ok := options["order"]; ok {
		e.Order = orderNamed(o)
	}
	if g, ok := options["group"]; ok {
		e.Groups = strings.Split(g, ",")
	}
	if options["unordered"] != "" {
		e.Ordered = false
	}
	switch kind {
	case "state":
		e.Type = StateMessage
		b, err := s.stateBody(e.Sender, options)
		if err != nil {
			return e, err
		}
		e.Body = b.Append(nil, e.Order.(ByteOrder))
		if options["trailer"] == "longer" {
			e.Body[len(e.Body)-11] += 4 // length of the trailer, low byte
			e.Body = append(e.Body, 1, 2, 3, 4)
		}
	case "maturing":
		e.Type = MaturingMessage
	case "balance":
		e.Type = BalanceMessage
		var moves []Move
		for _, p := range positional[1:] {
			k, v, _ := strings.Cut(p, "=")
			moves = append(moves, Move{Owner: short(v), Key: short(k)})
		}
		e.Body = AppendBalance(nil, e.Order.(ByteOrder), moves)
	case "without":
		e.Type = WithoutMessage
		w := WithoutBody{View: s.view.ID}
		if n, err := strconv.Atoi(options["view"]); err == nil {
			w.View = scriptView(n)
		}
		for _, p := range positional[1:] {
			n, err := strconv.Atoi(p)
			if err != nil {
				return e, err
			}
			w.Silent = append(w.Silent, n)
		}
		e.Body = w.Append(nil)
	case "arpcache":
		e.Type = ARPCacheMessage
		var list []Neighbour
		for _, p := range positional[1:] {
			k, v, _ := strings.Cut(p, "=")
			mac, err := hex.DecodeString(strings.ReplaceAll(v, ":", ""))
			if err != nil || len(mac) != 6 {
				return e, fmt.Errorf("%s is no link-layer address", v)
			}
			list = append(list, Neighbour{short(k), [6]byte(mac)})
		}
		e.Body = AppendNeighbours(nil, list)
	case "message":
		n, err := strconv.Atoi(positional[1])
		if err != nil {
			return e, err
		}
		e.Type = MessageType(n)
		if len(positional) > 2 {
			if e.Body, err = hex.DecodeString(positional[2]); err != nil {
				return e, err
			}
		}
	default:
		return e, fmt.Errorf("no such command")
	}
	return e, nil
}

func (s *script) stateBody(sender string, options map[string]string) (*StateBody, error) {
	b := &StateBody{
		View: s.view.ID, Address: short(strconv.Itoa(int(sender[0]-'a') + 1)), Mature: options["immature"] == "",
		Trailer: &Trailer{CanGoOn, Fingerprint(s.config.Interfaces)},
	}
	for i, name := range s.view.Members {
		if name == sender {
			b.Index = i
		}
	}
	for k, v := range options {
		switch k {
		case "view":
			n, err := strconv.Atoi(v)
			if err != nil {
				return nil, err
			}
			b.View = scriptView(n)
		case "index":
			n, err := strconv.Atoi(v)
			if err != nil {
				return nil, err
			}
			b.Index = n
		case "address":
			b.Address = short(v)
		case "prefer":
			b.Prefers = shorts(v)
		case "claims":
			for _, p := range strings.Split(v, ",") {
				key, q, _ := strings.Cut(p, ":")
				n, err := strconv.Atoi(q)
				if err != nil {
					return nil, err
				}
				b.Claims = append(b.Claims, ClaimOf{short(key), Claim(n)})
			}
		case "trailer":
			switch v {
			case "none":
				b.Trailer = nil
			case "other":
				b.Trailer.Fingerprint++
			case "cannot":
				b.Trailer.Abilities = 0
			}
		}
	}
	return b, nil
}

// step gives the machine an event and formats its actions, messages decoded.
func (s *script) step(e Event) string {
	var b strings.Builder
	for _, a := range s.m.Step(e) {
		if c, ok := a.(Multicast); ok {
			s.sent = append(s.sent, Message{
				Sender: s.m.self, Groups: []string{s.config.Group}, Ordered: c.Type.Ordered(),
				Type: c.Type, Order: s.order, Body: c.Body,
			})
			b.WriteString("multicast " + formatMessage(c.Type, c.Body, s.order) + "\n")
			continue
		}
		b.WriteString(a.String() + "\n")
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return strings.ReplaceAll(b.String(), "10.77.0.", ".")
}

func formatMessage(t MessageType, body []byte, o ByteOrder) string {
	var b strings.Builder
	fmt.Fprint(&b, t)
	switch t {
	case StateMessage:
		s, err := ParseState(body, o)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, " for view %d: %v, index %d, mature %v", s.View[1], s.Address, s.Index, s.Mature)
		if len(s.Claims) > 0 {
			b.WriteString(", holds")
		}
		for _, c := range s.Claims {
			fmt.Fprintf(&b, " %v:%d", c.Key, c.Claim)
		}
		if len(s.Prefers) > 0 {
			b.WriteString(", prefers " + addrs(s.Prefers))
		}
		if s.Trailer == nil {
			b.WriteString(", no trailer")
		}
	case BalanceMessage:
		moves, err := ParseBalance(body, o)
		if err != nil {
			return err.Error()
		}
		for _, v := range moves {
			fmt.Fprintf(&b, " %v to %v;", v.Key, v.Owner)
		}
	case WithoutMessage:
		w, err := ParseWithout(body)
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, " for view %d: %v", w.View[1], w.Silent)
	}
	return b.String()
}

func formatStatus(s Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v", s.State)
	if s.Mature {
		b.WriteString(", mature")
	}
	b.WriteByte('\n')
	for _, x := range s.Members {
		fmt.Fprintf(&b, "member %s", x.Name)
		if x.Answered {
			fmt.Fprintf(&b, " %v", x.Address)
		}
		if x.Silent {
			b.WriteString(" silent")
		}
		if x.Original {
			b.WriteString(" original")
		}
		b.WriteByte('\n')
	}
	for _, r := range s.Rows {
		owner := "nobody"
		if r.Owner.IsValid() {
			owner = r.Owner.String()
		}
		fmt.Fprintf(&b, "%v of %s, %d", r.Key, owner, r.Claim)
		if r.Held {
			b.WriteString(", held")
		}
		b.WriteByte('\n')
	}
	return strings.ReplaceAll(b.String(), "10.77.0.", ".")
}

func scriptView(n int) ViewID { return ViewID{0x0a4d0001, uint32(n), 1} }

func orderNamed(s string) ByteOrder {
	if s == "big" {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// short is the address 10.77.0.N; 0 stands for 0.0.0.0 (Prefer None).
func short(s string) netip.Addr {
	if s == "0" {
		return netip.IPv4Unspecified()
	}
	return netip.MustParseAddr("10.77.0." + s)
}

func shorts(list string) (a []netip.Addr) {
	for _, s := range strings.Split(list, ",") {
		if s != "" {
			a = append(a, short(s))
		}
	}
	return a
}

func parseInterfaces(list string) (v []VirtualInterface) {
	for _, s := range strings.Split(list, ",") {
		if s != "" {
			v = append(v, VirtualInterface{shorts(strings.ReplaceAll(s, "+", ","))})
		}
	}
	return v
}
