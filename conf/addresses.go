package conf

import (
	"net/netip"
	"strings"

	"wackamole/internal/fmt"
)

// address makes an item an address and reports what is wrong with it.
// Where an interface is needed, as in VirtualInterfaces, one without is wrong.
func (p *parser) address(it item, needsInterface bool) (Address, bool) {
	if it.bad {
		return Address{}, false
	}
	name, rest, found := strings.Cut(it.text, ":")
	if !found {
		name, rest = "", it.text
	}
	n, _ := parseNumbers(rest)
	message := ""
	switch {
	case p.splitByBlank(it):
		message = fmt.Sprintf("there is a blank between interface and address; write %s:%s in one word", clip(strings.TrimSuffix(it.text, ":")), p.peek(0).text)
	case it.kind != itemAddress:
		message = explain(it)
	case needsInterface && name == "":
		message = fmt.Sprintf("the address %s has no interface; write it before the address as in eth0:%s", it.text, it.text)
	default:
		message = explainNumbers(it.text, n)
		if message == "" {
			message = explainInterface(name)
		}
	}
	if message != "" {
		p.errorAt(it, "%s", message)
		p.skipRest(it)
		return Address{}, false
	}
	o := n.octets
	addr := netip.AddrFrom4([4]byte{byte(o[0]), byte(o[1]), byte(o[2]), byte(o[3])})
	return Address{p.keep(name), netip.PrefixFrom(addr, n.bits), n.network}, true
}

// splitByBlank reports whether the item is the interface of the address ahead.
func (p *parser) splitByBlank(it item) bool {
	if it.kind != itemWord || it.keyword != noKeyword || strings.ContainsAny(strings.TrimSuffix(it.text, ":"), ":./") {
		return false
	}
	next := p.peek(0)
	return next.kind == itemAddress && next.line == it.line && !strings.Contains(next.text, ":")
}

// skipRest leaves out what belongs to an item that is wrong: "eth0 10.0.0.1/32"
// and "throttle 5" are one mistake, not two.
func (p *parser) skipRest(it item) {
	if p.splitByBlank(it) || it.keyword == keyThrottle && p.peek(0).kind == itemNumber {
		p.next()
	}
}

// explainNumbers says what is wrong with the numbers of an address, or "".
func explainNumbers(text string, n addressNumbers) string {
	for _, octet := range n.octets {
		if octet > 255 {
			return fmt.Sprintf("%d in %s is over 255; write four numbers from 0 to 255", octet, quote(text))
		}
	}
	switch {
	case n.bits > 32:
		return fmt.Sprintf("the prefix length /%d in %s is over 32; write /0 to /32", n.bits, quote(text))
	case n.network > 32:
		return fmt.Sprintf("the network length n%d in %s is over 32; write n0 to n32", n.network, quote(text))
	}
	return ""
}

// explainInterface says why no interface can have the name, or "".
func explainInterface(name string) string {
	switch {
	case len(name) > maxInterfaceName:
		return fmt.Sprintf("the interface name %s has %d characters, %d are possible; write the name as 'ip link' shows it", quote(name), len(name), maxInterfaceName)
	case name == "." || name == ".." || strings.ContainsAny(name, `/="'`):
		return fmt.Sprintf("no interface can have the name %s; write the name as 'ip link' shows it", quote(name))
	}
	return ""
}

// explain says what is wrong with an item that is no address, and what its
// writer may have meant.
func explain(it item) string {
	text := it.text
	colon := strings.LastIndexByte(text, ':')
	rest := text[colon+1:]
	_, whole := parseNumbers(rest)
	dotted, prefix, slash := strings.Cut(rest, "/")
	quad, isQuad := parseQuad(dotted)
	switch {
	case it.kind == itemOpen, it.kind == itemEquals:
		return fmt.Sprintf("%s is not an address; write INTERFACE:ADDRESS/BITS such as eth0:10.0.0.1/32", text)
	case it.kind == itemQuoted && isAddress(text):
		return fmt.Sprintf("an address is not quoted; write %s", text)
	case it.keyword == keyThrottle, it.keyword == keyPing, it.keyword == keyARPCache:
		return fmt.Sprintf("%s belongs in Notify { }; delete it here", it.keyword)
	case strings.ContainsAny(text[len(text)-min(1, len(text)):], ",;"):
		return fmt.Sprintf("addresses are separated by blanks only; write %s", clip(strings.TrimRight(text, ",;")))
	case colon == 0:
		return fmt.Sprintf("%s has no interface before the colon; write eth0%s or so", quote(text), clip(text))
	case isQuad && strings.Contains(text[:max(colon, 0)], ":"):
		name, alias, _ := strings.Cut(text[:colon], ":")
		return fmt.Sprintf("%s is an alias, and aliases are numbered by wackamole; write %s without %s", quote(text[:colon]), clip(name+text[colon:]), quote(":"+alias))
	case strings.Count(text, ":") > 1:
		return fmt.Sprintf("%s is not an IPv4 address, and wackamole manages no others; write INTERFACE:a.b.c.d/BITS", quote(text))
	case whole, !isQuad:
	case quad > 255:
		return fmt.Sprintf("%d in %s is over 255; write four numbers from 0 to 255", quad, quote(text))
	case !slash, prefix == "":
		return fmt.Sprintf("%s has no prefix length; write %s/32 or that of its network", quote(text), clip(strings.TrimSuffix(text, "/")))
	case isNumber(prefix):
		return fmt.Sprintf("the prefix length /%s in %s is over 32; write /0 to /32", clip(prefix), quote(text))
	case strings.Contains(prefix, "."):
		if bits := maskBits(prefix); bits >= 0 {
			return fmt.Sprintf("%s has a netmask; write its length, %s/%d", quote(text), clip(strings.TrimSuffix(text, "/"+prefix)), bits)
		}
	case strings.Contains(prefix, "n") && isNumber(strings.Replace(prefix, "n", "", 1)):
		return fmt.Sprintf("%s has a length that is missing or over 32; write a.b.c.d/BITSnNET such as %s/32n24", quote(text), clip(dotted))
	case strings.Contains(prefix, "N"):
		return fmt.Sprintf("the n of %s is a small letter; write %s", quote(text), clip(strings.Replace(text, "/"+prefix, "/"+strings.ToLower(prefix), 1)))
	}
	return fmt.Sprintf("%s is not an address; write INTERFACE:ADDRESS/BITS such as eth0:10.0.0.1/32", quote(text))
}

// parseQuad returns the largest of four numbers with dots between them.
func parseQuad(s string) (largest int, ok bool) {
	parts := strings.Split(clip(s), ".")
	for _, part := range parts {
		if !isNumber(part) || len(part) > 6 {
			return 0, false
		}
		value := 0
		for _, digit := range []byte(part) {
			value = 10*value + int(digit-'0')
		}
		largest = max(largest, value)
	}
	return largest, len(parts) == 4
}

// maskBits returns the prefix length that a netmask such as 255.255.255.0 has,
// or -1.
func maskBits(mask string) int {
	addr, err := netip.ParseAddr(mask)
	if err != nil || !addr.Is4() {
		return -1
	}
	for bits := range 33 {
		if maskOf(bits) == toUint32(addr) {
			return bits
		}
	}
	return -1
}
