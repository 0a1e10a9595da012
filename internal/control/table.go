package control

import (
	"net/netip"
	"strconv"
	"unicode/utf8"

	"wackamole/internal/fmt"
)

// tableAnswer is the State as a table for people, 80 columns wide as far as names allow.
func (s *State) tableAnswer(yield func([]byte) bool) {
	b := s.appendTableHead(make([]byte, 0, 1024))
	for i := range s.Interfaces {
		b = appendTableRow(b, &s.Interfaces[i])
		if !yield(b) {
			return
		}
		b = b[:0]
	}
	if len(b) > 0 { // no virtual interface gave it away
		yield(b)
	}
}

func (s *State) appendTableHead(b []byte) []byte {
	maturity := "not mature"
	if s.Mature {
		maturity = "mature"
	}
	b = fmt.Appendf(b, "%s: %s, %s, group %s\n", printable(s.Program), s.Phase, maturity, printable(s.Group))
	if s.Reason != "" {
		b = fmt.Appendf(b, "%s\n", printable(s.Reason))
	}
	if v := s.View; v != nil {
		b = fmt.Appendf(b, "\n%-4s%-18s%-36s%s\n", "", "MEMBER", "NAME", "KIND")
		for i, m := range v.Members {
			me := ""
			if i == s.Index {
				me = "*"
			}
			b = fmt.Appendf(b, "%-4s%-18s%-36s%s\n", me, addrText(m.Address), printable(m.Name), m.Kind)
		}
	} else {
		b = fmt.Appendf(b, "no view; this is %s\n", addrText(s.Address))
	}
	return fmt.Appendf(b, "\n%-18s%-11s%-6s%s\n", "OWNER", "CLAIM", "HERE", "ADDRESSES")
}

// appendTableRow appends a line for each address; the lines below the first show nothing else.
func appendTableRow(b []byte, v *VirtualInterface) []byte {
	owner, claim, here := "nobody", claimText(v.Claim), "no"
	if v.Owner.IsValid() {
		owner = v.Owner.String()
	}
	if v.Held {
		here = "yes"
	}
	for _, a := range v.Addresses {
		b = fmt.Appendf(b, "%-18s%-11s%-6s%s:%s\n", owner, claim, here, printable(a.Interface), a.Prefix)
		owner, claim, here = "", "", ""
	}
	return b
}

// claimText names a claim priority.
func claimText(claim int32) string {
	switch claim {
	case 0:
		return "unclaimed"
	case 2:
		return "claimed"
	case 4, 5:
		return "preferred"
	}
	return strconv.Itoa(int(claim))
}

// addrText is the address, or a dash for an invalid one.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return "-"
	}
	return a.String()
}

// printable replaces what could drive a terminal: names come from other machines.
func printable(text string) string {
	var harmless []byte
	for _, r := range text {
		if r == '\ufffd' || !strconv.IsPrint(r) {
			r = '?'
		}
		harmless = utf8.AppendRune(harmless, r)
	}
	return string(harmless)
}
