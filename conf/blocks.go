package conf

// balance parses a Balance block.
func (p *parser) balance(name item) bool {
	brace, ok := p.open(name)
	if !ok {
		return false
	}
	n := 0
	for {
		it := p.peek(0)
		switch {
		case it.kind == itemClose:
			p.close(name, brace, n)
			return true
		case it.keyword == keyPerRound:
			if !p.perRound(p.next()) {
				p.skipParameter()
			}
		case it.keyword == keyInterval:
			if !p.duration(p.next(), &p.config.Balance.Interval, 1) {
				p.skipParameter()
			}
		case p.endsList():
			p.unclosed(name, brace)
			return true
		default:
			names := []string{keyPerRound.String(), keyInterval.String()}
			if near := nearest(it.text, names); near != "" {
				p.errorAt(it, "there is no %s in Balance; write %s", quote(it.text), near)
			} else {
				p.errorAt(it, "%s does not belong in Balance; write AcquisitionsPerRound = NUMBER or all, or Interval = TIME", p.describe())
			}
			p.next()
			p.skipParameter()
		}
		n++
	}
}

// skipParameter leaves out the rest of a parameter of Balance.
func (p *parser) skipParameter() {
	for p.peek(0).kind != itemClose && !p.endsList() && !p.startsSetting() {
		p.next()
	}
}

func (p *parser) perRound(name item) bool {
	it, ok := p.value(name)
	switch {
	case !ok:
		return false
	case it.keyword == keyAll:
		p.once(name)
		p.config.Balance.PerRound = BalanceAll
		return true
	case it.kind != itemNumber:
		p.errorAt(it, "%s is not a number; write AcquisitionsPerRound = 1, or a larger number, or all", quote(it.text))
		return false
	}
	n, ok := p.number(it)
	if !ok {
		return false
	}
	p.once(name)
	if n == 0 {
		p.warnAt(it.place, "AcquisitionsPerRound = 0 turns balancing off, so a member that comes back stays empty; write 1 or more, or all")
		n = BalanceNever
	}
	p.config.Balance.PerRound = n
	return true
}

// notify parses Notify NONE, Notify arp-cache and a Notify block.
func (p *parser) notify(name item) bool {
	switch it := p.peek(0); {
	case it.keyword == keyNone:
		p.next()
		p.noneAt = name.place
		return true
	case it.keyword == keyARPCache && p.peek(1).kind != itemEquals:
		p.next()
		p.addNotify(it, NotifyEntry{ARPCache: true})
		if it := p.peek(0); it.keyword == keyPing || it.keyword == keyThrottle {
			p.errorAt(p.next(), "%s needs braces around the entry; write Notify { arp-cache ping }", it.keyword)
			return false
		}
		return true
	}
	brace, ok := p.open(name)
	if !ok {
		return false
	}
	p.list(name, brace, func(it item) bool {
		switch {
		case it.keyword == keyARPCache:
			p.next()
			entry := NotifyEntry{ARPCache: true}
			if throttle := p.peek(0); throttle.keyword == keyThrottle {
				p.errorAt(p.next(), "arp-cache takes no throttle; write arp-cache or arp-cache ping")
				if p.peek(0).kind == itemNumber {
					p.next()
				}
			}
			p.ping(&entry)
			p.addNotify(it, entry)
		case it.keyword == keyNone:
			p.errorAt(p.next(), "None is no entry of Notify; write Notify NONE without braces")
		case it.keyword == keyThrottle, it.keyword == keyPing:
			p.errorAt(p.next(), "%s stands alone; write it once behind an address, as in eth0:10.0.0.0/24 throttle 64 ping", it.keyword)
			if it.keyword == keyThrottle && p.peek(0).kind == itemNumber {
				p.next()
			}
		default:
			p.notifyAddress()
		}
		return true
	})
	return true
}

// notifyAddress parses ADDR [throttle NUMBER] [ping].
func (p *parser) notifyAddress() {
	it := p.next()
	a, ok := p.address(it, false)
	entry := NotifyEntry{Interface: a.Interface}
	if p.peek(0).keyword == keyThrottle {
		p.next()
		if p.peek(0).kind != itemNumber {
			p.errorAt(p.peek(0), "throttle is followed by %s; write a number such as throttle 64, the targets told a second", p.describe())
			ok = false
			if wrong := p.peek(0); wrong.kind == itemTime || wrong.kind == itemWord && wrong.keyword == noKeyword {
				p.next()
			}
		} else {
			number := p.next()
			n, fits := p.number(number)
			if fits && n == 0 {
				p.warnAt(number.place, "throttle 0 has no effect: all are told at once; write the targets to tell a second, or leave it out")
			}
			entry.Throttle, ok = n, ok && fits
		}
	}
	p.ping(&entry)
	if throttle := p.peek(0); entry.Ping && throttle.keyword == keyThrottle {
		p.errorAt(p.next(), "throttle comes before ping; write %s throttle NUMBER ping", it.text)
		if p.peek(0).kind == itemNumber {
			p.next()
		}
		ok = false
	}
	if !ok {
		return
	}
	if a.Network != defaultNetwork {
		p.warnAt(it.place, "n%d of %s has no effect in Notify, where the block is %s; write n%d behind the address in VirtualInterfaces", a.Network, it.text, a.Prefix.Masked(), a.Network)
	}
	entry.Block = a.Prefix.Masked()
	p.addNotify(it, entry)
}

func (p *parser) ping(entry *NotifyEntry) {
	if p.peek(0).keyword == keyPing {
		p.next()
		entry.Ping = true
	}
}

func (p *parser) addNotify(it item, entry NotifyEntry) {
	if !p.entry(it) {
		return
	}
	if before, ok := p.notified[entry]; ok {
		p.warnAt(it.place, "this entry has no effect, because line %d has the same; delete one of the two", before.line)
		return
	}
	p.notified[entry] = it.place
	p.config.Notify = append(p.config.Notify, entry)
	p.notifyAt = append(p.notifyAt, it.place)
}

// prefer parses Prefer None, Prefer ADDR, Prefer { ADDR... } and Prefer NAME,
// which means nothing.
func (p *parser) prefer(name item) bool {
	if p.peek(0).kind == itemEquals {
		p.errorAt(p.next(), "Prefer takes no =; write Prefer None or Prefer eth0:10.0.0.1/32")
	}
	it := p.peek(0)
	switch {
	case it.keyword == keyNone:
		p.addPrefer(p.next(), Address{})
		return true
	case it.kind == itemAddress:
		p.next()
		if a, ok := p.address(it, false); ok {
			p.addPrefer(it, a)
		}
		return true
	case it.kind == itemOpen:
	case !p.isValue():
		p.errorAt(name, "Prefer is followed by %s; write Prefer None or Prefer eth0:10.0.0.1/32", p.describe())
		return false
	case it.kind == itemQuoted, it.kind == itemWord && it.keyword == noKeyword:
		p.next()
		if isAddress(it.text + "/32") {
			p.warnAt(it.place, "Prefer %s has no effect without a prefix length; write Prefer %s/32", quote(it.text), clip(it.text))
		} else if !it.bad {
			p.warnAt(it.place, "Prefer %s has no effect, because it is not an address with a prefix; write the first address of a virtual interface such as 10.0.0.1/32", quote(it.text))
		}
		return true
	default:
		p.errorAt(p.next(), "%s is nothing to prefer; write Prefer None or Prefer eth0:10.0.0.1/32", quote(it.text))
		return false
	}
	p.list(name, p.next(), func(it item) bool {
		if it.keyword == keyNone {
			p.errorAt(p.next(), "None is nothing for the braces of Prefer; write Prefer None without them")
			return true
		}
		p.next()
		if a, ok := p.address(it, false); ok {
			p.addPrefer(it, a)
		}
		return true
	})
	return true
}

// addPrefer adds an address; the zero Address is None.
func (p *parser) addPrefer(it item, a Address) {
	addr := none
	if a.Prefix.IsValid() {
		addr = a.Addr()
	}
	if !p.entry(it) {
		return
	}
	if before, ok := p.preferred[toUint32(addr)]; ok {
		p.warnAt(it.place, "%s is preferred already in line %d; delete one of the two", quote(it.text), before.line)
		return
	}
	p.preferred[toUint32(addr)] = it.place
	p.config.Prefer = append(p.config.Prefer, addr)
	p.preferAt = append(p.preferAt, it.place)
}
