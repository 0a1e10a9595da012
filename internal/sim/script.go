package sim

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Script is a world and all that happens in it.
type Script struct {
	Hosts      int
	Interfaces int           // virtual interfaces
	Sets       bool          // some have several addresses
	PerRound   int           // of balancing; 0: all
	Interval   time.Duration // of balancing
	Prefer     int           // one process in so many prefers something; 0: none
	Faulty     int           // address operations fail in one event of so many; 0: never
	Events     []Event
}

// Event is something that happens. Choice stands for all that is left to chance.
type Event struct {
	Kind   Kind
	Choice uint32
}

// Kind is what can happen.
type Kind int

// The kinds.
const (
	Deliver     Kind = iota // a member receives what is next for it, a few times
	Order                   // messages are put into the order of a component
	Timer                   // time goes by to the next timer
	Retry                   // a host tries again what its kernel refused
	Start                   // a process starts on a host that has none
	Kill                    // a process dies, and its guard releases
	Lose                    // a process loses its session and opens another
	Away                    // a process is told to stay away, or to come back
	Stall                   // a process stops receiving, or goes on
	Mute                    // a process that says nothing joins
	Visit                   // a process joins and leaves
	Split                   // a component falls into two
	Merge                   // two components become one
	Reconfigure             // the newest configuration changes
	Reload                  // a process reloads its configuration
	Heal                    // all components become one
	Quiet                   // nothing more happens until all is at rest, and is checked
	kinds
)

var kindNames = [kinds]string{
	"deliver", "order", "timer", "retry", "start", "kill", "lose", "away", "stall", "mute", "visit",
	"split", "merge", "reconfigure", "reload", "heal", "quiet",
}

func (k Kind) String() string { return kindNames[k] }

// weights say how often each kind happens, between quiet events.
var weights = [kinds]int{
	Deliver: 520, Order: 280, Timer: 50, Retry: 10, Start: 20, Kill: 8, Lose: 6, Away: 6, Stall: 8, Mute: 1, Visit: 4,
	Split: 10, Merge: 12, Reconfigure: 1, Reload: 4, Heal: 2, Quiet: 1,
}

// Generate makes a script from a seed.
func Generate(seed uint64) *Script {
	r := rand.New(rand.NewPCG(seed, 0))
	one := func(of ...int) int { return of[r.IntN(len(of))] }
	s := &Script{
		Hosts:      1 + r.IntN(one(2, 3, 4, 5, 8, 24)),
		Interfaces: r.IntN(one(2, 4, 8, 12, 40, 301)),
		Sets:       r.IntN(3) == 0,
		PerRound:   one(0, 0, 1, 1, 2, 5),
		Interval:   time.Duration(r.IntN(5)) * time.Second,
		Prefer:     one(0, 0, 0, 2, 5),
		Faulty:     one(0, 0, 2, 5),
	}
	add := func(k Kind) { s.Events = append(s.Events, Event{k, r.Uint32()}) }
	// Most worlds begin with a cluster that runs.
	if r.IntN(4) > 0 {
		for range s.Hosts {
			add(Start)
		}
		add(Quiet)
	}
	total := 0
	for _, n := range weights {
		total += n
	}
	for range one(50, 200, 600) {
		n := r.IntN(total)
		for k := range kinds {
			if n -= weights[k]; n < 0 {
				if k == Reconfigure && r.IntN(3) > 0 {
					k = Deliver // most worlds have one list
				}
				add(k)
				break
			}
		}
	}
	add(Quiet)
	add(Heal)
	add(Quiet)
	return s
}

// String writes a script as text that ParseScript reads.
func (s *Script) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "world hosts=%d interfaces=%d sets=%t perround=%d interval=%v prefer=%d faulty=%d\n",
		s.Hosts, s.Interfaces, s.Sets, s.PerRound, s.Interval, s.Prefer, s.Faulty)
	for _, e := range s.Events {
		fmt.Fprintf(&b, "%v %d\n", e.Kind, e.Choice)
	}
	return b.String()
}

// ParseScript reads a script: a line of settings, then an event a line. Empty lines
// and those that begin with # are comments.
func ParseScript(text string) (*Script, error) {
	s := &Script{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if err := s.line(words); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return s, lines.Err()
}

func (s *Script) line(words []string) error {
	if words[0] == "world" {
		for _, w := range words[1:] {
			key, value, _ := strings.Cut(w, "=")
			if err := s.set(key, value); err != nil {
				return err
			}
		}
		return nil
	}
	for k, name := range kindNames {
		if name == words[0] && len(words) == 2 {
			n, err := strconv.ParseUint(words[1], 10, 32)
			s.Events = append(s.Events, Event{Kind(k), uint32(n)})
			return err
		}
	}
	return fmt.Errorf("%q is no event", strings.Join(words, " "))
}

func (s *Script) set(key, value string) (err error) {
	switch key {
	case "hosts":
		s.Hosts, err = strconv.Atoi(value)
	case "interfaces":
		s.Interfaces, err = strconv.Atoi(value)
	case "sets":
		s.Sets, err = strconv.ParseBool(value)
	case "perround":
		s.PerRound, err = strconv.Atoi(value)
	case "interval":
		s.Interval, err = time.ParseDuration(value)
	case "prefer":
		s.Prefer, err = strconv.Atoi(value)
	case "faulty":
		s.Faulty, err = strconv.Atoi(value)
	default:
		err = fmt.Errorf("no setting %q", key)
	}
	return err
}
