package spreadproto

import (
	"net/netip"
	"strconv"
	"strings"

	"wackamole/internal/fmt"
)

// An Address tells where a Spread daemon is: at a TCP port of a host, or at the
// unix socket of a port on this host, or at the unix socket of a path.
type Address struct {
	Host string // name or address; empty for a unix socket
	Port uint16 // 0 for a path
	Path string
}

// maxAddress is the longest text that ParseAddress takes: a host name of 255
// bytes and a port, or a path as long as a unix socket may have.
const (
	maxAddress = maxHost + len("65535@")
	maxHost    = 255
)

// ParseAddress parses the name of a Spread daemon: PORT for the unix socket
// of that port, PORT@HOST for TCP, both as Spread's own libraries have them. It
// also takes HOST, HOST:PORT and the path of a unix socket. An empty text is
// the unix socket of port 4803.
func ParseAddress(s string) (Address, error) {
	bad := func(why string) (Address, error) {
		return Address{}, fmt.Errorf("address %.100q of a Spread daemon: %s; write PORT or PORT@HOST, such as 4803 or 4803@localhost", s, why)
	}
	if len(s) > maxAddress {
		return bad(fmt.Sprintf("longer than %d bytes", maxAddress))
	}
	if s == "" {
		return Address{Port: DefaultPort}, nil
	}
	if s[0] == '/' {
		if strings.ContainsRune(s, 0) || len(s) > maxSocketPath {
			return bad(fmt.Sprintf("no path of a unix socket (%d bytes at most)", maxSocketPath))
		}
		return Address{Path: s}, nil
	}
	port, host, ok := strings.Cut(s, "@")
	switch {
	case ok:
		if inner, bracketed := strings.CutPrefix(host, "["); bracketed && strings.HasSuffix(inner, "]") {
			host = strings.TrimSuffix(inner, "]")
		}
	case isDigits(s):
		port, host = s, ""
	default:
		port, host = strconv.Itoa(DefaultPort), s
		if ip, err := netip.ParseAddr(s); err == nil {
			host = ip.String()
		} else if h, p, ok := cutPort(s); ok {
			host, port = h, p
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "" && isDigits(host[:1]) && !strings.Contains(host, ".") {
			return bad("a host that starts with a digit, or a port without @")
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || !isDigits(port) {
		return bad(fmt.Sprintf("port %q is no number from 1 to 65535", port))
	}
	if host == "" && (ok || !isDigits(s)) {
		return bad("the host is missing")
	}
	if host != "" && !isHost(host) {
		return bad(fmt.Sprintf("%q is no host name and no address", host))
	}
	return Address{Host: host, Port: uint16(n)}, nil
}

// cutPort divides HOST:PORT or [HOST]:PORT.
func cutPort(s string) (host, port string, ok bool) {
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return "", "", false
	}
	host, port = s[:at], s[at+1:]
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host, ok = strings.CutSuffix(inner, "]")
		return host, port, ok
	}
	return host, port, !strings.ContainsAny(host, ":[]")
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isHost reports whether s can be the name or the address of a host.
func isHost(s string) bool {
	if len(s) > maxHost {
		return false
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		if ip.Zone() == "" {
			return true
		}
		s = ip.Zone() // an interface, whose name netip does not check
	}
	for i := range len(s) {
		switch c := s[i] | 0x20; {
		case 'a' <= c && c <= 'z', '0' <= s[i] && s[i] <= '9', s[i] == '.', s[i] == '-', s[i] == '_':
		default:
			return false
		}
	}
	return s[0] != '-'
}

// Remote reports whether the daemon is reached by TCP.
func (a Address) Remote() bool { return a.Host != "" }

// String returns the address in a form that ParseAddress takes.
func (a Address) String() string {
	switch {
	case a.Path != "":
		return a.Path
	case a.Host == "":
		return strconv.Itoa(int(a.Port))
	}
	return strconv.Itoa(int(a.Port)) + "@" + a.Host
}
