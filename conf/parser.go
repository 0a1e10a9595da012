package conf

import (
	"net/netip"
	"strings"
)

// parser is a recursive descent over the items of a file. After an error it
// goes on with the next entry of a list, or the next setting.
type parser struct {
	lexer    *lexer
	ahead    [2]item // items already taken from the lexer
	queued   int
	errors   *collector
	warnings *collector
	config   *Config

	set         [keywordCount]place // where each setting was last
	meant       [keywordCount]bool  // settings that the file has, if only under a wrong name
	namesListed bool                // a message has listed all settings
	entries     int                 // against maxEntries
	hooks       int                 // against maxHooks

	interfaces map[string]string // one copy of each interface name
	pending    []Address         // the virtual interface being read
	badVIFs    bool              // an entry of VirtualInterfaces was wrong
	noneAt     place             // Notify NONE
	notifyAt   []place           // places of config.Notify
	preferAt   []place           // places of config.Prefer

	// What is listed already, and where.
	listed    map[uint32]place // virtual addresses
	preferred map[uint32]place
	notified  map[NotifyEntry]place
}

func newParser(name, source string) *parser {
	p := &parser{
		errors:     &collector{file: name},
		warnings:   &collector{file: name},
		interfaces: map[string]string{},
		listed:     map[uint32]place{},
		preferred:  map[uint32]place{},
		notified:   map[NotifyEntry]place{},
		config: &Config{
			Spread:        DefaultSpread,
			RetryInterval: DefaultRetryInterval,
			Mature:        DefaultMature,
			ARPCache:      DefaultARPCache,
			LogFacility:   DefaultLogFacility,
			Balance:       Balance{DefaultPerRound, DefaultInterval},
			ModuleDir:     DefaultModuleDir,
		},
	}
	p.lexer = newLexer(source, p.errors, p.warnings)
	return p
}

// peek returns the item i places ahead without taking it; i is 0 or 1.
func (p *parser) peek(i int) item {
	for p.queued <= i {
		p.ahead[p.queued] = p.lexer.next()
		p.queued++
	}
	return p.ahead[i]
}

// next takes an item.
func (p *parser) next() item {
	it := p.peek(0)
	p.ahead[0] = p.ahead[1]
	p.queued--
	return it
}

// errorAt reports what is wrong with an item, unless the lexer has done so.
func (p *parser) errorAt(it item, format string, args ...any) {
	if !it.bad {
		p.errors.add(it.place, format, args...)
	}
}

func (p *parser) warnAt(at place, format string, args ...any) {
	p.warnings.add(at, format, args...)
}

// stop gives up reading: what follows is more of the same.
func (p *parser) stop(it item, format string, args ...any) {
	p.errors.add(it.place, format, args...)
	p.errors.muted, p.warnings.muted = true, true
	p.lexer.stop()
	p.queued = 0
}

// entry counts an entry of a list and reports whether there may be one more.
func (p *parser) entry(it item) bool {
	p.entries++
	if p.entries == maxEntries+1 {
		p.stop(it, "this is entry number %d, too many for one file; write networks into Notify instead of single addresses, or split the cluster", p.entries)
	}
	return p.entries <= maxEntries
}

// startsSetting reports whether the items ahead are the start of a setting or
// of a Balance parameter, and not a word that happens to be its name.
func (p *parser) startsSetting() bool {
	it := p.peek(0)
	switch it.keyword.form() {
	case formEquals, formParameter:
		return p.peek(1).kind == itemEquals
	case formBlock:
		return p.peek(1).kind == itemOpen
	}
	return it.keyword.setting()
}

// startsUnknown reports whether the items ahead look like a setting whose name
// is written wrongly.
func (p *parser) startsUnknown() bool {
	it := p.peek(0)
	if it.kind != itemWord || it.keyword != noKeyword {
		return false
	}
	after := p.peek(1).kind
	return after == itemEquals || after == itemOpen || strings.Contains(it.text, "=")
}

// endsList reports whether the item ahead can't belong to a list in braces, so
// that its closing brace must be missing.
func (p *parser) endsList() bool {
	it := p.peek(0)
	if it.kind == itemEOF {
		return true
	}
	// Arp-Cache is an entry of a list, too.
	if k := it.keyword; k.setting() && k != keyARPCache {
		return true
	}
	return p.startsSetting() && it.keyword.setting()
}

// skip leaves out everything up to the next setting.
func (p *parser) skip() {
	for depth := 0; ; p.next() {
		it := p.peek(0)
		switch {
		case it.kind == itemEOF:
			return
		case it.kind == itemOpen:
			depth++
		case it.kind == itemClose:
			depth = max(depth-1, 0)
		case p.startsSetting() && (depth == 0 || it.keyword.setting()):
			return
		case p.startsUnknown() && depth == 0:
			return
		}
	}
}

// file parses the whole file.
func (p *parser) file() {
	for p.peek(0).kind != itemEOF {
		if it := p.peek(0); it.keyword.setting() {
			p.setting(p.next())
		} else {
			p.stray(p.next())
		}
	}
}

// setting parses one setting, whose name was just taken.
func (p *parser) setting(name item) {
	p.meant[name.keyword] = true
	ok := true
	switch name.keyword {
	case keySpread:
		ok = p.spread(name)
	case keyGroup:
		ok = p.group(name)
	case keyLog:
		ok = p.logFacility(name)
	case keyControl:
		ok = p.control(name)
	case keyModuleDir:
		ok = p.moduleDir(name)
	case keyRetry:
		ok = p.duration(name, &p.config.RetryInterval, 1)
	case keyMature:
		ok = p.duration(name, &p.config.Mature, 0)
	case keyARPCache:
		ok = p.duration(name, &p.config.ARPCache, 1)
	case keyBalance:
		ok = p.balance(name)
	case keyNotify:
		ok = p.notify(name)
	case keyPrefer:
		ok = p.prefer(name)
	case keyInterfaces:
		ok = p.virtualInterfaces(name)
	case keyRunDynamic:
		ok = p.runDynamic(name)
	case keyPerlUse:
		ok = p.perl(name, &p.config.PerlUse)
	case keyPerlUseLib:
		ok = p.perl(name, &p.config.PerlUseLib)
	}
	if !ok {
		p.skip()
	}
}

// stray reports what stands where a setting should, and skips what seems to
// belong to it.
func (p *parser) stray(it item) {
	switch {
	case it.bad:
		// It may have been any setting: none is missing.
		p.meant[keyGroup], p.meant[keyInterfaces] = true, true
	case it.kind == itemClose:
		p.errorAt(it, "this } closes nothing; delete it, or write the { that is missing before")
		return
	case it.kind == itemOpen:
		p.errorAt(it, "this { has no name before it; write for example %s", keyInterfaces.example())
		// Its content is left out with it.
		for depth := 1; depth > 0 && p.peek(0).kind != itemEOF; {
			if p.startsSetting() && p.peek(0).keyword.setting() {
				return
			}
			switch p.next().kind {
			case itemOpen:
				depth++
			case itemClose:
				depth--
			}
		}
		return
	case it.kind == itemEquals:
		p.errorAt(it, "this = has no name before it; write for example %s", keyGroup.example())
	case it.kind == itemAddress:
		p.errorAt(it, "the address %s is outside of all braces; write it into VirtualInterfaces { }, Notify { } or Prefer { }", quote(it.text))
	case it.kind == itemEvent:
		p.errorAt(it, "the event %q belongs to RunDynamic; write %s", it.event, keyRunDynamic.example())
	case it.kind == itemQuoted && lookup(it.text).setting():
		p.errorAt(it, "the name of a setting is not quoted; write %s", lookup(it.text))
		p.meant[lookup(it.text)] = true
	case it.keyword == keyPerRound, it.keyword == keyInterval:
		p.errorAt(it, "%s belongs in Balance; write %s", it.keyword, keyBalance.example())
	case it.keyword == keyThrottle, it.keyword == keyPing:
		p.errorAt(it, "%s belongs to an entry in the braces of Notify; write for example Notify { eth0:10.0.0.0/24 throttle 64 ping }", it.keyword)
	default:
		p.unknown(it)
	}
	p.skip()
}

// unknown reports a word that is no setting.
func (p *parser) unknown(it item) {
	if p.errors.full() {
		p.errorAt(it, "")
		return
	}
	name, _, _ := strings.Cut(it.text, "=") // as in Gruop=wack1
	switch near := nearest(name, settingNames()); {
	case near != "":
		p.meant[lookup(near)] = true
		p.errorAt(it, "there is no setting %s; write %s", quote(name), near)
	case p.peek(0).kind != itemEquals && p.peek(0).kind != itemOpen && name == it.text:
		p.errorAt(it, "%s belongs to no setting; delete it, or put text with blanks in quotes", quote(it.text))
	case !p.namesListed:
		p.namesListed = true // for who has no manual at hand, once
		p.errorAt(it, "there is no setting %s; write one of %s", quote(name), strings.Join(settingNames()[2:], ", "))
	default:
		p.errorAt(it, "there is no setting %s; delete it, or write the name of one", quote(name))
	}
}

// open takes the { of a block. A missing one is reported; the block is then
// read as if it were there, as long as its content follows.
func (p *parser) open(name item) (brace item, ok bool) {
	if p.peek(0).kind == itemEquals {
		p.errorAt(p.next(), "%s takes no =; write %s", name.keyword, name.keyword.example())
	} else if p.peek(0).kind != itemOpen {
		p.errorAt(p.peek(0), "there is no { after %s but %s; write %s", name.keyword, p.describe(), name.keyword.example())
	}
	if p.peek(0).kind == itemOpen {
		return p.next(), true
	}
	first := p.peek(0)
	return item{}, first.kind == itemAddress || name.keyword == keyBalance && first.keyword.form() == formParameter
}

// list parses the entries of a list up to its }, or to where it must end. entry
// takes one and reports whether the list goes on.
func (p *parser) list(name, brace item, entry func(it item) bool) {
	for n := 0; ; n++ {
		switch it := p.peek(0); {
		case it.kind == itemClose:
			p.close(name, brace, n)
			return
		case p.endsList():
			p.unclosed(name, brace)
			return
		case !entry(it):
			return
		}
	}
}

// unclosed reports a list whose } is missing.
func (p *parser) unclosed(name, brace item) {
	if brace.kind == itemOpen { // else its { was missing, which is reported
		p.errorAt(brace, "this { of %s is not closed before %s in line %d; write a } at the end of the list",
			name.keyword, p.describe(), p.peek(0).line)
	}
}

// close takes the } of a list with n entries.
func (p *parser) close(name, brace item, n int) {
	p.next()
	if n == 0 {
		p.errorAt(brace, "the braces of %s are empty; write %s", name.keyword, name.keyword.example())
	}
}

// describe names the item ahead.
func (p *parser) describe() string {
	switch it := p.peek(0); it.kind {
	case itemEOF:
		return "the end of the file"
	case itemOpen, itemClose, itemEquals:
		return it.text
	default:
		return quote(it.text)
	}
}

// keep returns one copy for all uses of an interface name. A copy, because a
// piece of the source would keep the whole source in memory.
func (p *parser) keep(name string) string {
	if name == "" {
		return ""
	}
	kept, ok := p.interfaces[name]
	if !ok {
		kept = strings.Clone(name)
		p.interfaces[kept] = kept
	}
	return kept
}

func (p *parser) position(at place) Position { return p.errors.position(at) }

// none is what Prefer None puts into STATE.
var none = netip.AddrFrom4([4]byte{})
