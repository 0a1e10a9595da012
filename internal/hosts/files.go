package hosts

import (
	"bytes"
	"io"
	"iter"
	"net/netip"
	"strconv"
	"strings"
)

// parseHosts returns the IPv4 addresses that hosts(5) gives a name.
func parseHosts(r io.Reader, name string) (list []netip.Addr) {
	name = strings.ToLower(name)
	for line := range lines(r, maxHosts) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		for _, f := range fields[min(1, len(fields)):] {
			if strings.ToLower(strings.TrimSuffix(f, ".")) != name {
				continue
			}
			if a, err := netip.ParseAddr(fields[0]); err == nil && a.Is4() {
				list = append(list, a)
			}
			break
		}
	}
	return list
}

// lines are those of a file, of which so much counts as can be read.
func lines(r io.Reader, limit int64) iter.Seq[string] {
	text, _ := io.ReadAll(io.LimitReader(r, limit))
	if int64(len(text)) == limit {
		text = text[:bytes.LastIndexByte(text, '\n')+1] // not half a line
	}
	return strings.Lines(string(text))
}

// What the C library takes of resolv.conf(5).
const (
	maxServers = 3
	maxDomains = 6
	maxDots    = 15
)

// config is what resolv.conf(5) says.
type config struct {
	servers []netip.Addr
	domains []string // to look for a name in
	dots    int      // a name with so many dots is first looked for as it is
}

func (c config) withDefaults() config {
	if len(c.servers) == 0 {
		c.servers = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	}
	return c
}

// parseConfig reads resolv.conf(5); what it does not know is left alone.
func parseConfig(r io.Reader) config {
	c := config{dots: 1}
	for line := range lines(r, maxResolvConf) {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(c.servers) < maxServers {
				c.servers = append(c.servers, a)
			}
		case "search", "domain": // the last line counts
			c.domains = fields[1:min(len(fields), 1+maxDomains)]
		case "options":
			for _, f := range fields[1:] {
				if text, ok := strings.CutPrefix(f, "ndots:"); ok {
					if n, err := strconv.ParseUint(text, 10, 16); err == nil {
						c.dots = int(min(n, maxDots))
					}
				}
			}
		}
	}
	return c.withDefaults()
}

// candidates are the full names to ask for, in order.
func (c config) candidates(name string) []string {
	if strings.HasSuffix(name, ".") {
		return []string{name}
	}
	var list []string
	for _, d := range c.domains {
		list = append(list, name+"."+strings.Trim(d, "."))
	}
	if strings.Count(name, ".") >= c.dots {
		return append([]string{name}, list...)
	}
	return append(list, name)
}
