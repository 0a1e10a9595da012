// Package hosts finds the IPv4 addresses of a host name, as a small system does:
// in /etc/hosts, or else from the nameservers that /etc/resolv.conf lists. It asks
// over UDP, for A records only (Spread speaks IPv4 only), and gives up after 2 s.
//
// It stands in for the resolver of package net, which weighs more than all of
// this program's protocols together. What that one does and this one does not:
// nsswitch.conf, answers that are too long for UDP, IPv6.
package hosts

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"time"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/stream"
)

// ErrNotFound is wrapped by the errors of Lookup.
var ErrNotFound = errors.New("no address found")

const (
	// limit is how long a look-up may take, all servers and domains together.
	limit = 2 * time.Second
	// rounds is how often each server is asked, as datagrams get lost.
	rounds = 2
	// maxHosts bounds how much of /etc/hosts is read: there are lists of hundreds
	// of thousands of names that block advertisements.
	maxHosts = 16 << 20
	// maxResolvConf bounds how much of /etc/resolv.conf is read.
	maxResolvConf = 64 << 10
)

// resolver is where to look.
type resolver struct {
	hosts, config string
	port          uint16
}

var system = resolver{hosts: "/etc/hosts", config: "/etc/resolv.conf", port: 53}

// Lookup returns the IPv4 addresses of a host, at least one. A name that is an
// address already, IPv6 too, stands for itself.
func Lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	return system.lookup(ctx, name)
}

func (r resolver) lookup(ctx context.Context, name string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(name); err == nil {
		return []netip.Addr{a}, nil
	}
	bare := strings.TrimSuffix(name, ".")
	if list := r.fromFile(bare); len(list) > 0 {
		return list, nil
	}
	if strings.ToLower(bare) == "localhost" { // RFC 6761, section 6.3
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	list, err := r.fromServers(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look up host %.100s: %w: %w", name, ErrNotFound, err)
	}
	return list, nil
}

// fromFile returns what /etc/hosts has.
func (r resolver) fromFile(name string) []netip.Addr {
	file, err := os.Open(r.hosts)
	if err != nil {
		return nil // a system need not have one
	}
	defer file.Close()
	return parseHosts(file, name)
}

// fromServers asks for the name, in the domains of the configuration too. The
// error is the one that says most: that of the last name that was asked for.
func (r resolver) fromServers(ctx context.Context, name string) (list []netip.Addr, err error) {
	c := r.readConfig()
	for _, full := range c.candidates(name) {
		list, err = r.ask(ctx, c.servers, full)
		if err == nil || !errors.Is(err, errNoName) {
			return list, err
		}
	}
	return nil, err
}

func (r resolver) readConfig() config {
	file, err := os.Open(r.config)
	if err != nil {
		return config{}.withDefaults()
	}
	defer file.Close()
	return parseConfig(file)
}

// ask asks one server after the other for one name until one knows.
func (r resolver) ask(ctx context.Context, servers []netip.Addr, name string) (list []netip.Addr, err error) {
	patience := limit / time.Duration(rounds*len(servers))
	for range rounds {
		for _, s := range servers {
			list, err = exchange(ctx, netip.AddrPortFrom(s, r.port), name, patience)
			if err == nil || errors.Is(err, errNoName) || ctx.Err() != nil {
				return list, err
			}
		}
	}
	return nil, err
}

// exchange asks one server once.
func exchange(ctx context.Context, server netip.AddrPort, name string, patience time.Duration) ([]netip.Addr, error) {
	// The number is hard to guess, and so is the port that the kernel chooses: who
	// does not see the question can hardly forge the answer.
	query, err := appendQuery(nil, uint16(rand.Uint32()), name)
	if err != nil {
		return nil, err
	}
	conn, err := stream.Dial(ctx, stream.UDP(server), nil)
	if err != nil {
		return nil, fmt.Errorf("nameserver: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if _, err := conn.Write(query); err != nil {
		return nil, fmt.Errorf("nameserver: %w", err)
	}
	answer := make([]byte, maxAnswer)
	for {
		n, err := conn.Read(answer)
		if err != nil && err != io.EOF { // which is how an empty datagram looks
			return nil, fmt.Errorf("nameserver: %w", err)
		}
		list, err := parseAnswer(answer[:n], query)
		if err == errNotOurs {
			continue // a late answer, or a forged one
		}
		if err != nil {
			err = fmt.Errorf("nameserver %v about %s: %w", server, name, err)
		}
		return list, err
	}
}
