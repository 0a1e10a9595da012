package control

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// number is a counter without labels.
type number struct {
	name  string // in JSON, and in metrics with wackamole_ and _total around it
	help  string
	value uint64
}

// numbers lists the counters without labels, for JSON and metrics alike.
func (c *Counters) numbers() []number {
	return []number{
		{"views", "Views of the Spread group that were delivered.", c.Views},
		{"take_overs", "Virtual interfaces that this member acquired.", c.TakeOvers},
		{"releases", "Virtual interfaces that this member released.", c.Releases},
		{"address_failures", "Addresses that could not be added or removed.", c.AddressFailures},
		{"addresses_put_back", "Addresses put back after somebody else removed them.", c.AddressesBack},
		{"announcements", "Frames sent to announce addresses to everybody.", c.Announcements},
		{"notifications", "Frames sent to the targets of Notify lists.", c.Notifications},
		{"spread_reconnects", "Sessions with the Spread daemon after the first.", c.Reconnects},
		{"hook_failures", "Hooks that failed or were killed.", c.HookFailures},
		{"hooks_dropped", "Events of hooks that newer ones made moot, or that came too late.", c.HooksDropped},
		{"guard_restarts", "Guard processes started after the first.", c.GuardRestarts},
		{"link_failures", "Departures from the group because an interface had failed.", c.LinkFailures},
	}
}

// metricsAnswer is the State in Prometheus' text exposition format, version 0.0.4.
func (s *State) metricsAnswer(yield func([]byte) bool) {
	m := metrics{text: make([]byte, 0, 4096)}
	for _, n := range s.Counters.numbers() {
		m.metric(n.name+"_total", "counter", n.help)
		m.value(strconv.FormatUint(n.value, 10))
	}
	m.metric("rejected_messages_total", "counter", "Messages from the group that were rejected, by kind.")
	for _, r := range s.Counters.Rejected {
		m.value(strconv.FormatUint(r.Count, 10), "kind", r.Kind)
	}
	m.metric("state_seconds_total", "counter", "Time spent in each state.")
	for p := range PhaseCount {
		m.value(string(appendSeconds(nil, s.Counters.InPhase[p])), "state", p.String())
	}
	m.metric("last_take_over_seconds", "gauge", "From the last membership message that brought an address here to its being there.")
	m.value(string(appendSeconds(nil, s.Counters.LastTakeOver)))
	m.metric("state", "gauge", "1 for the state that the daemon is in.")
	for p := range PhaseCount {
		m.value(oneIf(p == s.Phase), "state", p.String())
	}
	m.metric("mature", "gauge", "Whether the member takes addresses.")
	m.value(oneIf(s.Mature))
	members := 0
	if s.View != nil {
		members = len(s.View.Members)
	}
	m.metric("members", "gauge", "Members of the view.")
	m.value(strconv.Itoa(members))
	var owned, held, unowned int
	for i := range s.Interfaces {
		v := &s.Interfaces[i]
		owned += count(s.mine(v))
		held += count(v.Held)
		unowned += count(!v.Owner.IsValid())
	}
	m.metric("virtual_interfaces", "gauge", "Virtual interfaces in the configuration.")
	m.value(strconv.Itoa(len(s.Interfaces)))
	m.metric("virtual_interfaces_owned", "gauge", "Virtual interfaces that the table gives to this member.")
	m.value(strconv.Itoa(owned))
	m.metric("virtual_interfaces_held", "gauge", "Virtual interfaces that this host's kernel has.")
	m.value(strconv.Itoa(held))
	m.metric("virtual_interfaces_unowned", "gauge", "Virtual interfaces that the table gives to nobody.")
	m.value(strconv.Itoa(unowned))
	m.metric("goroutines", "gauge", "Goroutines of the daemon, which do not grow in number over time.")
	m.value(strconv.Itoa(s.Goroutines))
	m.metric("info", "gauge", "What runs here.")
	m.value("1", "program", s.Program, "group", s.Group, "address", addrText(s.Address))
	yield(m.text)
}

func oneIf(b bool) string { return strconv.Itoa(count(b)) }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// metrics writes the text format: a HELP and a TYPE line for each metric, then its samples.
type metrics struct {
	text []byte
	name string
}

func (m *metrics) metric(name, kind, help string) {
	m.name = "wackamole_" + name
	m.text = append(m.text, strings.Join([]string{"# HELP ", m.name, " ", help, "\n# TYPE ", m.name, " ", kind, "\n"}, "")...)
}

// value writes one sample; labels come as name, value, name, value.
func (m *metrics) value(value string, labels ...string) {
	m.text = append(m.text, m.name...)
	before := byte('{')
	for i := 0; i < len(labels); i += 2 {
		m.text = append(m.text, before)
		m.text = append(append(m.text, labels[i]...), `="`...)
		m.text = appendEscaped(m.text, labels[i+1])
		m.text = append(m.text, '"')
		before = ','
	}
	if len(labels) > 0 {
		m.text = append(m.text, '}')
	}
	m.text = append(append(append(m.text, ' '), value...), '\n')
}

// appendEscaped escapes what the text format cannot have in a label's value, and
// replaces what is not UTF-8.
func appendEscaped(dst []byte, value string) []byte {
	for _, r := range value {
		switch r {
		case '\\', '"':
			dst = append(dst, '\\', byte(r))
		case '\n':
			dst = append(dst, `\n`...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}
