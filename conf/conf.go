// Package conf reads wackamole.conf, the configuration file that the members
// of a cluster share, and writes it in canonical form.
//
// The file is a stream of tokens: white space only separates, # starts a
// comment, keywords are written in any case, and settings come in any order.
// The language is that of the original wackamole 2.1.4, quirks included.
//
// Reading goes through three layers. The lexer (lexer.go) is a set of state
// functions that cut the text into items with positions, by the longest match
// as the original's flex scanner does. The parser (parser.go and its
// neighbours) is a recursive descent over the items. The checks (check.go)
// look at the whole: limits, and values that can have no effect.
//
// All problems of a file are collected, none ends the reading. A Problem names
// its place as file:line:column, says what is wrong and what to write
// instead. Errors refuse the file; warnings are values that the caller logs.
//
// Nothing here touches the system but Load, which reads the file. What depends
// on the host (its own address, its interfaces) is asked through CheckHost.
//
// A file may be hostile: its size, its words, its numbers, its entries and the
// problems reported are all bounded, and time and memory grow with the size of
// the file, never faster.
package conf

import (
	"io"
	"net/netip"
	"os"
	"time"

	"wackamole/internal/fmt"
)

// Limits of a file. What goes beyond them is an error.
const (
	MaxFileSize = 4 << 20 // bytes
	MaxProblems = 50      // problems listed of each kind; more are only counted

	maxToken   = 1024    // bytes of one word or quoted text
	maxEntries = 1 << 16 // virtual addresses, notify and prefer entries together
	maxHooks   = 1024    // RunDynamic, PerlUse and PerlUseLib lines together
)

// Values of settings that the file leaves out.
const (
	DefaultSpread        = "4803"
	DefaultRetryInterval = 5 * time.Second
	DefaultMature        = 5 * time.Second
	DefaultARPCache      = 60 * time.Second
	DefaultPerRound      = 1
	DefaultInterval      = 4 * time.Second
	DefaultLogFacility   = "daemon"
	DefaultModuleDir     = "."
)

// Config is the content of a configuration file, checked, with the defaults
// filled in.
type Config struct {
	// Spread names the Spread daemon: PORT, PORT@HOST and what else the client
	// understands.
	Spread string
	// SpreadAt is where the file sets Spread, zero if it does not.
	SpreadAt Position
	// RetryInterval is the pause between attempts to connect to Spread.
	RetryInterval time.Duration
	// Mature is how long a member waits for others before it takes addresses.
	Mature time.Duration
	// ARPCache is the interval at which the ARP table is shared.
	ARPCache time.Duration
	// Group is the Spread group of the cluster, 1 to 31 bytes from 0x24 to 0x7e.
	Group string
	// LogFacility is a syslog facility in lower case: daemon, local0, ...
	LogFacility string
	// Control is the absolute path of the control socket, "" for none.
	Control string
	// Balance says how addresses move from full members to empty ones.
	Balance Balance
	// Notify lists who is told about an acquired address, in file order. It
	// is empty for Notify NONE.
	Notify []NotifyEntry
	// Prefer lists the addresses as STATE carries them, in file order; Prefer
	// None is 0.0.0.0.
	Prefer []netip.Addr
	// Interfaces lists the virtual interfaces. Every member must have the
	// same ones in the same order.
	Interfaces []VirtualInterface
	// ModuleDir is where shared objects of hooks are looked for.
	ModuleDir string
	// Hooks lists what is run as addresses come and go, in file order.
	Hooks []Hook
	// PerlUseLib and PerlUse are directories and packages of Perl hooks.
	PerlUseLib, PerlUse []string
}

// Special values of Balance.PerRound.
const (
	BalanceAll   = 0  // AcquisitionsPerRound = all: even out at once
	BalanceNever = -1 // AcquisitionsPerRound = 0: never move anything
)

// Balance is the content of a Balance block.
type Balance struct {
	PerRound int           // virtual interfaces moved a round, or one of the special values
	Interval time.Duration // between rounds; without effect for BalanceAll
}

// NotifyEntry is one destination of the Notify list.
type NotifyEntry struct {
	// ARPCache marks the entry arp-cache: the shared ARP pool. Of the other
	// fields only Ping counts then.
	ARPCache bool
	// Interface is where the targets are. An entry without one matches no
	// virtual address, as in the original.
	Interface string
	// Block holds the targets; its address is masked.
	Block netip.Prefix
	// Throttle is how many targets a second are told, 0 for all at once.
	Throttle int
	// Ping adds an ICMP echo request to each packet set.
	Ping bool
}

// String returns the entry as it is written in a Notify block.
func (e NotifyEntry) String() string { return string(e.append(nil)) }

// Load reads and parses the file at path. Errors of reading it are those of
// the os package (errors.Is works on them); errors in it are Problems.
func Load(path string) (*Config, []Problem, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer file.Close()
	// One byte over the limit is enough for Parse to refuse the file. Size is
	// no guide: the file may be a pipe.
	source, err := io.ReadAll(io.LimitReader(file, MaxFileSize+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, source)
}

// Parse parses the text of a configuration file; name is the file's name in
// problems. It returns the configuration and warnings about it, or no
// configuration and an error that is a Problems.
func Parse(name string, source []byte) (*Config, []Problem, error) {
	if len(source) > MaxFileSize {
		return nil, nil, Problems{{Position{name, 1, 1}, fmt.Sprintf(
			"the file is larger than %d bytes, which no configuration is; name the right file", MaxFileSize)}}
	}
	p := newParser(name, string(source))
	p.file()
	p.check()
	warnings := p.warnings.problems()
	if errors := p.errors.problems(); len(errors) > 0 {
		return nil, warnings, errors
	}
	return p.config, warnings, nil
}
