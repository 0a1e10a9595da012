package conf

import (
	"net/netip"
	"slices"
	"sort"
)

// Sizes of the messages that members exchange, in bytes.
const (
	// MaxMessageSize is what Spread carries in one message, headers included.
	MaxMessageSize = 140000
	// MaxStateSize is the largest STATE: a message less Spread's own header
	// of 48 bytes and one group name of 32.
	MaxStateSize = MaxMessageSize - 48 - 32
	// OriginalMaxMessageSize is what the original wackamole can receive.
	OriginalMaxMessageSize = 100000
)

// Limits of the original wackamole. What goes beyond them is a warning.
const (
	maxVIFs    = 254  // virtual interfaces
	maxFurther = 30   // addresses of a set after the first
	maxNotify  = 1024 // Notify entries
)

// StateSize returns the size of the STATE of a member that holds n virtual
// interfaces and prefers p addresses: a header of 28 bytes, 8 for each it
// holds, a count, 4 for each it prefers, and a trailer of 16.
func StateSize(n, p int) int { return 28 + 8*n + 4 + 4*p + 16 }

// check looks at the whole configuration after its text was read.
func (p *parser) check() {
	start := place{1, 1}
	if p.set[keyGroup].line == 0 && !p.meant[keyGroup] {
		p.errors.add(start, "there is no Group, so no cluster to join; write %s", keyGroup.example())
	}
	switch {
	case len(p.config.Interfaces) > 0:
		p.checkLimits()
	case p.set[keyInterfaces].line != 0, p.meant[keyInterfaces], p.badVIFs:
		// What is wrong with them was reported.
	default:
		p.errors.add(start, "there are no virtual interfaces, so nothing to keep alive; write %s", keyInterfaces.example())
	}
	p.checkNotify()
	p.checkPrefer()
	p.checkEffects()
}

// checkLimits compares with what the messages and the original can hold. A
// sole survivor holds everything, and must be able to say so.
func (p *parser) checkLimits() {
	vifs := p.config.Interfaces
	preferred := len(p.config.Prefer)
	size := StateSize(len(vifs), preferred)
	if size > MaxStateSize {
		fits := max((MaxStateSize-StateSize(0, preferred))/8, 0)
		p.errors.add(p.placeOf(min(fits, len(vifs)-1)),
			"%d virtual interfaces and %d preferred ones need a message of %d bytes, but Spread carries %d; write sets in braces, or make two clusters of at most %d",
			len(vifs), preferred, size, MaxStateSize, fits)
		return
	}
	if len(vifs) > maxVIFs {
		p.warnings.add(p.placeOf(maxVIFs), "this is virtual interface number %d of %d; write %d at most if members of the cluster run the original wackamole, which crashes with more",
			maxVIFs+1, len(vifs), maxVIFs)
	}
	if size > OriginalMaxMessageSize {
		p.warnings.add(p.placeOf(len(vifs)-1), "%d virtual interfaces need a message of %d bytes, and the original wackamole receives no more than %d; write fewer if it is a member of the cluster",
			len(vifs), size, OriginalMaxMessageSize)
	}
}

// placeOf returns where virtual interface number i, from 0, is.
func (p *parser) placeOf(i int) place {
	at := p.config.Interfaces[i].At
	return place{at.Line, at.Column}
}

// checkNotify warns of entries that match no virtual address: they need one on
// the same interface, and its own network must share addresses with the block.
func (p *parser) checkNotify() {
	entries := p.config.Notify
	if p.noneAt.line != 0 && len(entries) > 0 {
		p.warnings.add(p.noneAt, "Notify NONE has no effect beside the entries of other Notify settings; delete it, or them")
	}
	if len(entries) > maxNotify {
		p.warnings.add(p.notifyAt[maxNotify], "this is Notify entry number %d of %d; the original wackamole can hold no more than %d: write networks instead of single addresses if it shall read this file",
			maxNotify+1, len(entries), maxNotify)
	}
	if len(entries) == 0 || p.badVIFs {
		return
	}
	near := p.ownNetworks()
	for i, e := range entries {
		if e.ARPCache {
			continue
		}
		networks, known := near[e.Interface]
		switch {
		case e.Interface == "":
			p.warnings.add(p.notifyAt[i], "%s has no effect, because it names no interface; write it before the address as in eth0:%s", e.Block, e.Block)
		case !known:
			p.warnings.add(p.notifyAt[i], "%s:%s has no effect, because no virtual address is on %s; write the interface of one", clip(e.Interface), e.Block, quote(e.Interface))
		case !networks.overlap(spanOf(e.Block)):
			p.warnings.add(p.notifyAt[i], "%s:%s has no effect, because no virtual address on %s has a part of it in its own network (/%d unless it says nNET); write nNET behind those addresses",
				clip(e.Interface), e.Block, quote(e.Interface), defaultNetwork)
		}
	}
}

// ownNetworks returns what the virtual addresses of each interface can reach.
func (p *parser) ownNetworks() map[string]spans {
	near := map[string]spans{}
	for _, v := range p.config.Interfaces {
		for _, a := range v.Addresses {
			near[a.Interface] = append(near[a.Interface], spanOf(a.OwnNetwork()))
		}
	}
	for name, s := range near {
		near[name] = s.merge()
	}
	return near
}

// checkPrefer warns of addresses that head no virtual interface.
func (p *parser) checkPrefer() {
	if p.badVIFs {
		return
	}
	heads := map[uint32]uint32{} // of each address the first of its set
	if len(p.config.Prefer) > 0 {
		for _, v := range p.config.Interfaces {
			for _, a := range v.Addresses {
				heads[toUint32(a.Addr())] = toUint32(v.Key())
			}
		}
	}
	for i, addr := range p.config.Prefer {
		n := toUint32(addr)
		head, listed := heads[n]
		switch {
		case addr == none && len(p.config.Prefer) == 1:
		case addr == none:
			p.warnings.add(p.preferAt[i], "Prefer None has no effect beside the addresses of other Prefer settings; delete it, or them")
		case !listed:
			p.warnings.add(p.preferAt[i], "Prefer %s has no effect, because it is in no virtual interface; write the first address of one", addr)
		case head != n:
			p.warnings.add(p.preferAt[i], "Prefer %s has no effect, because %s comes before it in its virtual interface; write Prefer %s/32", addr, fromUint32(head), fromUint32(head))
		}
	}
}

// checkEffects warns of other settings that can have no effect.
func (p *parser) checkEffects() {
	c := p.config
	native, perl := 0, 0
	for _, h := range c.Hooks {
		if h.Perl {
			perl++
			if !slices.Contains(c.PerlUse, h.Module) && h.Module != "main" {
				p.warnings.add(place{h.At.Line, h.At.Column}, "no PerlUse loads the package of %s; write PerlUse %s", quote(h.Name()), clip(h.Module))
			}
		} else {
			native++
		}
	}
	if at := p.set[keyModuleDir]; at.line != 0 && native == 0 {
		p.warnings.add(at, "ModuleDir has no effect, because no RunDynamic names a module:func; delete it")
	}
	if at := p.set[keyPerlUseLib]; at.line != 0 && len(c.PerlUse) == 0 {
		p.warnings.add(at, "PerlUseLib has no effect, because there is no PerlUse; write PerlUse Package, or delete it")
	}
	if at := p.set[keyPerlUse]; at.line != 0 && perl == 0 {
		p.warnings.add(at, "PerlUse calls nothing, because no RunDynamic names a Package::func; write one, or delete it")
	}
	if at := p.set[keyInterval]; at.line != 0 && c.Balance.PerRound <= 0 {
		what := "all"
		if c.Balance.PerRound == BalanceNever {
			what = "0"
		}
		p.warnings.add(at, "Interval has no effect with AcquisitionsPerRound = %s; delete it, or write a number of acquisitions", what)
	}
}

// span is a range of addresses, both ends included.
type span struct{ first, last uint32 }

type spans []span

func (s spans) Len() int           { return len(s) }
func (s spans) Less(i, j int) bool { return s[i].first < s[j].first }
func (s spans) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

func spanOf(block netip.Prefix) span {
	first := toUint32(block.Addr())
	return span{first, first | ^maskOf(block.Bits())}
}

// merge returns the same addresses in order, no two ranges overlapping.
func (s spans) merge() spans {
	sort.Sort(s)
	merged := s[:0]
	for _, next := range s {
		if n := len(merged); n > 0 && next.first <= merged[n-1].last {
			merged[n-1].last = max(merged[n-1].last, next.last)
		} else {
			merged = append(merged, next)
		}
	}
	return merged
}

// overlap reports whether merged ranges share an address with another.
func (s spans) overlap(other span) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].last >= other.first })
	return i < len(s) && s[i].first <= other.last
}
