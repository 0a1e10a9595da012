package lab

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ms = time.Millisecond

var (
	vip1 = netip.MustParseAddr("10.77.0.101")
	vip2 = netip.MustParseAddr("10.77.0.102")
)

// script feeds a judge rounds 10 ms apart. Each round names who answers for each address.
type script struct {
	*judge
	topology *Topology
	at       time.Duration
}

func newScript(addresses ...netip.Addr) *script {
	return &script{judge: newJudge(addresses), topology: wiring{all: PortSet(1, 2, 3)}.topology()}
}

func (s *script) round(answers ...Ports) {
	r := &round{act: s.act, topology: s.topology, component: s.topology.Components(), answers: answers}
	for range answers {
		r.sent = append(r.sent, s.at)
	}
	s.add(r)
	s.at += 10 * ms
}

func (s *script) split(components ...Ports) {
	s.topology = wiring{all: PortSet(1, 2, 3), split: components}.topology()
}

func TestJudgeOutcomes(t *testing.T) {
	one, two, three, all := PortSet(1), PortSet(2), PortSet(3), PortSet(1, 2, 3)
	tests := []struct {
		name   string
		rounds func(s *script)
		want   []Outcome
		steady time.Duration
	}{
		{
			name:   "nothing happens",
			rounds: func(s *script) { s.round(one, two); s.round(one, two); s.round(one, two) },
			want: []Outcome{
				{Address: vip1, Component: all, First: one, Last: one},
				{Address: vip2, Component: all, First: two, Last: two},
			},
			steady: 20 * ms,
		},
		{
			name: "one address is taken over",
			rounds: func(s *script) {
				s.round(one, two)
				s.round(0, two)
				s.round(0, two)
				s.round(three, two)
				s.round(three, two)
			},
			want: []Outcome{
				{Address: vip1, Component: all, Unanswered: 20 * ms, Longest: 20 * ms, First: one, Last: three},
				{Address: vip2, Component: all, First: two, Last: two},
			},
			steady: 10 * ms,
		},
		{
			name: "the longest of two silences",
			rounds: func(s *script) {
				s.round(0, two)
				s.round(one, two)
				s.round(0, two)
				s.round(0, two)
				s.round(one, two)
			},
			want: []Outcome{
				{Address: vip1, Component: all, Unanswered: 30 * ms, Longest: 20 * ms, Last: one},
				{Address: vip2, Component: all, First: two, Last: two},
			},
		},
		{
			name: "two answer",
			rounds: func(s *script) {
				s.round(one, two)
				s.round(one|two, two)
				s.round(two, two)
			},
			want: []Outcome{
				{Address: vip1, Component: all, Twice: 10 * ms, First: one, Last: two},
				{Address: vip2, Component: all, First: two, Last: two},
			},
		},
		{
			name: "two answer and one stays",
			rounds: func(s *script) {
				s.round(one|two, two)
				s.round(one|two, two)
			},
			want: []Outcome{
				{Address: vip1, Component: all, Twice: 10 * ms, First: one | two, Last: one | two},
				{Address: vip2, Component: all, First: two, Last: two},
			},
		},
		{
			name: "each side of a split is judged by itself",
			rounds: func(s *script) {
				s.round(one, three)
				s.split(one|two, three)
				s.round(one, three)
				s.round(one, two|three)
				s.round(one|three, two|three)
				s.round(one|three, two|three)
			},
			want: []Outcome{
				{Address: vip1, Component: one | two, First: one, Last: one},
				{Address: vip1, Component: three, Unanswered: 20 * ms, Longest: 20 * ms, Last: three},
				{Address: vip1, Component: all, First: one, Last: one},
				{Address: vip2, Component: one | two, Unanswered: 10 * ms, Longest: 10 * ms, Last: two},
				{Address: vip2, Component: three, First: three, Last: three},
				{Address: vip2, Component: all, First: three, Last: three},
			},
			steady: 10 * ms,
		},
		{
			name: "another act forgets the one before",
			rounds: func(s *script) {
				s.round(0, two)
				s.round(one|three, 0)
				s.begin(1)
				s.round(one, two)
				s.round(one, two)
			},
			want: []Outcome{
				{Address: vip1, Component: all, First: one, Last: one},
				{Address: vip2, Component: all, First: two, Last: two},
			},
			steady: 10 * ms,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(vip1, vip2)
			tt.rounds(s)
			if diff := cmp.Diff(tt.want, s.outcomes(), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
			if got := s.steadyFor(); got != tt.steady {
				t.Errorf("steady for %v, want %v", got, tt.steady)
			}
		})
	}
}

func TestJudgeCountsRounds(t *testing.T) {
	s := newScript(vip1)
	s.round(PortSet(1))
	s.begin(1)
	if got := s.rounds; got != (Rounds{}) || got.Mean() != 0 {
		t.Errorf("rounds of an act without any: %+v", got)
	}
	s.round(PortSet(1))
	s.round(PortSet(1))
	s.at += 40 * ms
	s.round(PortSet(1))
	if want := (Rounds{Count: 2, Total: 60 * ms, Longest: 50 * ms}); s.rounds != want || s.rounds.Mean() != 30*ms {
		t.Errorf("rounds %+v, want %+v", s.rounds, want)
	}
}

func TestTopology(t *testing.T) {
	all := PortSet(1, 2, 3, 4)
	tests := []struct {
		name string
		w    wiring
		want []Ports
	}{
		{"whole", wiring{all: all}, []Ports{all}},
		{"cut", wiring{all: all, cut: PortSet(2)}, []Ports{PortSet(1, 3, 4)}},
		{"split", wiring{all: all, split: []Ports{PortSet(3), PortSet(1, 2, 4)}}, []Ports{PortSet(1, 2, 4), PortSet(3)}},
		{"the rest of a split", wiring{all: all, split: []Ports{PortSet(2, 3)}}, []Ports{PortSet(1, 4), PortSet(2, 3)}},
		{"named twice", wiring{all: all, split: []Ports{PortSet(1, 2), PortSet(2, 3)}}, []Ports{PortSet(1, 2), PortSet(3), PortSet(4)}},
		{"split and cut", wiring{all: all, split: []Ports{PortSet(1), PortSet(2, 3)}, cut: PortSet(1, 3)}, []Ports{PortSet(2), PortSet(4)}},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, tt.w.topology().Components()); diff != "" {
			t.Errorf("%s: components (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := (wiring{all: all, cut: PortSet(2)}).topology().Component(2); got != 0 {
		t.Errorf("component of a port that is cut off: %v, want none", got)
	}
}

func TestPortsString(t *testing.T) {
	if got := PortSet(3, 1, 12).String(); got != "1+3+12" {
		t.Errorf("String() = %q, want 1+3+12", got)
	}
	if got := Ports(0).String(); got != "-" {
		t.Errorf("String() of the empty set = %q, want -", got)
	}
}

func FuzzParseAnswer(f *testing.F) {
	good := probeRequest()[offloadHeader:]
	good[arpOperation+1] = 2
	copy(good, proberMAC+"\x00\x01\x02\x03")
	copy(good[arpSenderIP:], vip1.AsSlice())
	f.Add(good)
	f.Add(good[:arpEnd-1])
	f.Fuzz(func(t *testing.T, frame []byte) {
		number, address, ok := parseAnswer(frame)
		if ok && (!address.Is4() || len(frame) < arpEnd || string(frame[2:6]) != string([]byte{byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)})) {
			t.Errorf("parseAnswer(%x) = %d, %v", frame, number, address)
		}
	})
}

// A round that took long and in which somebody did not answer is no time of rest.
func TestLongRoundIsNotSteady(t *testing.T) {
	s := newScript(vip1, vip2)
	s.round(PortSet(1), PortSet(2))
	r := &round{act: s.act, topology: s.topology, component: s.topology.Components(),
		answers: []Ports{PortSet(1), 0}, sent: []time.Duration{10 * ms, 5000 * ms}}
	s.add(r)
	if got := s.steadyFor(); got != 0 {
		t.Errorf("steady for %v", got)
	}
}
