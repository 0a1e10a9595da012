package conf

import "strings"

// Event is what makes a hook run.
type Event uint8

// The events of RunDynamic. The first two come once for each virtual
// interface, the others once after a round with at least one.
const (
	OnUp Event = iota + 1
	OnDown
	PostUp
	PostDown
)

var eventNames = [...]string{"no event", "on up", "on down", "post up", "post down"}

// String returns the event as the file has it, such as "on up".
func (e Event) String() string {
	if int(e) >= len(eventNames) {
		e = 0
	}
	return eventNames[e]
}

// Word returns the event as one word, such as "on-up".
func (e Event) Word() string { return strings.ReplaceAll(e.String(), " ", "-") }

// Hook is one RunDynamic line.
type Hook struct {
	// Module is a shared object, or a Perl package.
	Module string
	// Function is a symbol of it, or a sub.
	Function string
	// Perl tells Package::func from module:func.
	Perl  bool
	Event Event
	At    Position
}

// Name returns module:func or Package::func.
func (h Hook) Name() string {
	if h.Perl {
		return h.Module + "::" + h.Function
	}
	return h.Module + ":" + h.Function
}

// String returns the hook as the file has it.
func (h Hook) String() string { return "RunDynamic " + h.Name() + " " + h.Event.String() }

// parseHookName splits the name of a hook. As in the original :: or no colon
// at all means Perl, where a sub without a package is in main; otherwise the
// first colon separates.
func parseHookName(name string) (h Hook, ok bool) {
	if !strings.Contains(name, ":") {
		return Hook{Module: "main", Function: name, Perl: true}, name != ""
	}
	if i := strings.LastIndex(name, "::"); i >= 0 {
		h = Hook{Module: name[:i], Function: name[i+2:], Perl: true}
		if h.Module == "" {
			h.Module = "main"
		}
		ok = !strings.HasSuffix(h.Module, ":") && !strings.HasPrefix(h.Module, ":")
		return h, ok && h.Function != ""
	}
	h.Module, h.Function, _ = strings.Cut(name, ":")
	return h, h.Module != "" && h.Function != ""
}
