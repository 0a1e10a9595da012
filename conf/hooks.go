package conf

import "strings"

// eventChoice names the events in messages.
const eventChoice = "on up, on down, post up or post down"

// argument takes the string after RunDynamic, PerlUse or PerlUseLib.
func (p *parser) argument(name item) (string, bool) {
	if p.peek(0).kind == itemEquals {
		p.errorAt(p.next(), "%s takes no =; write %s", name.keyword, name.keyword.example())
	}
	if !p.isValue() || p.peek(0).kind == itemEvent {
		p.errorAt(name, "%s is followed by %s; write for example %s", name.keyword, p.describe(), name.keyword.example())
		return "", false
	}
	p.hooks++
	if p.hooks > maxHooks {
		p.stop(name, "there are more than %d lines of RunDynamic and Perl; write fewer", maxHooks)
		return "", false
	}
	return p.str(name, p.next())
}

// perl parses PerlUse and PerlUseLib.
func (p *parser) perl(name item, to *[]string) bool {
	text, ok := p.argument(name)
	if ok {
		p.set[name.keyword] = name.place
		*to = append(*to, text)
	}
	return ok
}

func (p *parser) runDynamic(name item) bool {
	at := p.peek(0)
	text, ok := p.argument(name)
	if !ok {
		return false
	}
	if equalFold(text, "on") || equalFold(text, "post") {
		p.errorAt(at, "there is no module:func or Package::func before the event; write %s", name.keyword.example())
		return false
	}
	hook, ok := parseHookName(text)
	if !ok {
		p.errorAt(at, "%s names no function; write module:func for a shared object or Package::func for Perl", quote(text))
		return false
	}
	if p.peek(0).kind != itemEvent {
		p.errorAt(p.peek(0), "%s is not an event; write %s after %s", p.event(), eventChoice, quote(text))
		return false
	}
	p.set[name.keyword] = name.place
	hook.Event = p.next().event
	hook.At = p.position(name.place)
	p.config.Hooks = append(p.config.Hooks, hook)
	return true
}

// event describes the words ahead where an event should be.
func (p *parser) event() string {
	it := p.peek(0)
	if it.kind != itemWord || !(equalFold(it.text, "on") || equalFold(it.text, "post")) || p.peek(1).line != it.line {
		return p.describe()
	}
	return quote(strings.TrimSpace(it.text + " " + p.peek(1).text))
}
