package conf

import "slices"

// virtualInterfaces parses a VirtualInterfaces block.
func (p *parser) virtualInterfaces(name item) bool {
	p.set[keyInterfaces] = name.place
	errors := p.errors.count()
	defer func() {
		p.badVIFs = p.badVIFs || p.errors.count() > errors
	}()
	brace, ok := p.open(name)
	if !ok {
		return false
	}
	p.list(name, brace, func(it item) bool {
		p.next()
		if it.kind == itemOpen {
			return p.addressSet(name, it)
		}
		p.pending = p.pending[:0]
		p.addAddress(it)
		p.addInterface(it)
		return true
	})
	return true
}

// addressSet parses the rest of a set in braces. It reports whether the list
// around it goes on.
func (p *parser) addressSet(name, brace item) bool {
	p.pending = p.pending[:0]
	for n := 0; ; n++ {
		it := p.peek(0)
		switch {
		case it.kind == itemClose:
			p.next()
			if n == 0 {
				p.errorAt(brace, "this set is empty; write its addresses, as in { eth0:10.0.0.1/32 eth1:192.0.2.1/32 }")
			}
			p.addInterface(brace)
			return true
		case it.kind == itemOpen:
			p.errorAt(it, "a set holds no other set; write a } before this { to end the set of line %d", brace.line)
			p.addInterface(brace)
			return true
		case p.endsList():
			p.unclosed(name, brace)
			return false
		}
		p.next()
		p.addAddress(it)
	}
}

// addAddress adds an address to the present set, unless it is wrong or listed
// before: the original gives each line to a member, so that two hold it.
func (p *parser) addAddress(it item) {
	a, ok := p.address(it, true)
	if !ok || !p.entry(it) || !p.usable(it, a) {
		return
	}
	if before, ok := p.listed[toUint32(a.Addr())]; ok {
		p.warnAt(it.place, "ATTENTION: the virtual address %s is listed already in line %d, so %s is ignored here (the original would give each to a member, and both would answer); delete one of the two on all members",
			a.Addr(), before.line, it.text)
		return
	}
	p.listed[toUint32(a.Addr())] = it.place
	p.pending = append(p.pending, a)
}

// addInterface makes the present set a virtual interface, if it has addresses.
func (p *parser) addInterface(at item) {
	if len(p.pending) == 0 {
		return
	}
	if n := len(p.pending) - 1; n > maxFurther {
		p.warnAt(at.place, "this set has %d addresses; write %d at most if members of the cluster run the original wackamole, which can hold no more", n+1, maxFurther+1)
	}
	p.config.Interfaces = append(p.config.Interfaces, VirtualInterface{slices.Clone(p.pending), p.position(at.place)})
}

// usable checks an address that shall become a virtual one.
func (p *parser) usable(it item, a Address) bool {
	addr, bits := a.Addr(), a.Prefix.Bits()
	n := toUint32(addr)
	host := ^maskOf(bits)
	switch {
	case addr.IsUnspecified(), addr.IsMulticast(), n == 0xffffffff:
		p.errorAt(it, "%s can't be the address of a host; write a unicast address", addr)
		return false
	case addr.IsLoopback():
		p.warnAt(it.place, "%s is a loopback address, which no other host can reach; write another address", addr)
	case bits == 0:
		p.warnAt(it.place, "with /0 the kernel takes all addresses for neighbours on %s; write /32, or the prefix length of its network", a.Interface)
	case bits < 31 && n&host == 0:
		p.warnAt(it.place, "%s is the address of the network %s itself; write an address in it, or /32", addr, a.Prefix.Masked())
	case bits < 31 && n&host == host:
		p.warnAt(it.place, "%s is the broadcast address of the network %s; write another address in it, or /32", addr, a.Prefix.Masked())
	}
	return true
}
