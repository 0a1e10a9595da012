package hook

import (
	"net/netip"
	"strconv"
	"strings"

	"wackamole/internal/jsontext"
)

// searchPath is the PATH of children, and where perl is looked for.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

var unspecified = netip.IPv4Unspecified()

// address is an address as hooks get it: everything zero in a "post" event.
type address struct {
	name                   string
	ip, broadcast, netmask netip.Addr
	prefix                 int
}

// zero is what an absent address looks like.
var zero = address{ip: unspecified, broadcast: unspecified, netmask: unspecified}

// addresses returns the first address and the others. The broadcast address is what the original
// computes, for /31 and /32 too, where the kernel gets none.
func (e change) addresses() (first address, others []address) {
	if len(e.Interface.Addresses) == 0 {
		return zero, nil
	}
	all := make([]address, len(e.Interface.Addresses))
	for i, a := range e.Interface.Addresses {
		mask, broadcast := a.Netmask(), a.Addr().As4()
		for j := range broadcast {
			broadcast[j] |= ^mask[j]
		}
		all[i] = address{
			name: a.Interface, ip: a.Addr(), prefix: a.Prefix.Bits(),
			broadcast: netip.AddrFrom4(broadcast), netmask: netip.AddrFrom4(mask),
		}
	}
	return all[0], all[1:]
}

// owner returns the owner's real address, 0.0.0.0 for none.
func (e change) owner() netip.Addr {
	if !e.Owner.IsValid() {
		return unspecified
	}
	return e.Owner
}

// environment is all that a child's environment has.
func (e change) environment() []string {
	first, _ := e.addresses()
	var ips strings.Builder
	for i, a := range e.Interface.Addresses {
		if i > 0 {
			ips.WriteByte(' ')
		}
		ips.WriteString(a.Addr().String())
	}
	return append(baseEnvironment(),
		"WACK_EVENT="+e.Kind.Word(),
		"WACK_INTERFACE="+first.name,
		"WACK_IP="+first.ip.String(),
		"WACK_PREFIX="+strconv.Itoa(first.prefix),
		"WACK_IPS="+ips.String(),
		"WACK_OWNER="+e.owner().String(),
	)
}

func baseEnvironment() []string {
	return []string{"PATH=" + searchPath, "HOME=/", "SHELL=/bin/sh", "LC_ALL=C"}
}

// appendJSON appends the line that an executable reads:
//
//	{"event":"on-up","interface":"eth0","ip":"10.0.0.5","prefix":24,"broadcast":"10.0.0.255",
//	 "netmask":"255.255.255.0","owner":"10.77.0.1","addresses":[...]}
//
// The addresses, all of them, have the keys from "interface" to "netmask".
func (e change) appendJSON(b []byte) []byte {
	first, others := e.addresses()
	b = append(b, `{"event":"`...)
	b = append(b, e.Kind.Word()...)
	b = append(b, `",`...)
	b = first.appendJSON(b)
	b = append(b, `,"owner":"`...)
	b = e.owner().AppendTo(b)
	b = append(b, `","addresses":[`...)
	if len(e.Interface.Addresses) > 0 {
		b = append(first.appendJSON(append(b, '{')), '}')
	}
	for _, a := range others {
		b = append(a.appendJSON(append(b, `,{`...)), '}')
	}
	return append(b, "]}\n"...)
}

// appendJSON appends the members of an object.
func (a address) appendJSON(b []byte) []byte {
	b = append(b, `"interface":`...)
	b = jsontext.AppendString(b, a.name)
	b = append(b, `,"ip":"`...)
	b = a.ip.AppendTo(b)
	b = append(b, `","prefix":`...)
	b = strconv.AppendInt(b, int64(a.prefix), 10)
	b = append(b, `,"broadcast":"`...)
	b = a.broadcast.AppendTo(b)
	b = append(b, `","netmask":"`...)
	b = a.netmask.AppendTo(b)
	return append(b, '"')
}

// appendPerl appends what perlDriver reads: a line each for the first address, the others and the
// owner, fields separated by tabs, which no interface's name can have.
func (e change) appendPerl(b []byte) []byte {
	line := func(kind byte, a address) {
		b = append(append(append(b, kind, '\t'), a.name...), '\t')
		b = append(a.ip.AppendTo(b), '\t')
		b = append(a.broadcast.AppendTo(b), '\t')
		b = append(a.netmask.AppendTo(b), '\n')
	}
	first, others := e.addresses()
	line('p', first)
	for _, a := range others {
		line('e', a)
	}
	owner := zero
	owner.ip = e.owner()
	line('r', owner)
	return b
}
