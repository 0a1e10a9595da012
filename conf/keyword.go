package conf

import "strings"

// keyword is a reserved word of the language, whatever its case.
type keyword uint8

const (
	noKeyword keyword = iota
	keySpread
	keyRetry
	keyGroup
	keyLog
	keyControl
	keyMature
	keyARPCache // the setting, and the Notify entry
	keyBalance
	keyPerRound
	keyInterval
	keyNotify
	keyPrefer
	keyInterfaces
	keyModuleDir
	keyRunDynamic
	keyPerlUseLib
	keyPerlUse
	keyNone
	keyAll
	keyPing
	keyThrottle
	keywordCount
)

// form is what follows a keyword.
type form uint8

const (
	formWord      form = iota // nothing: a word in the place of a value
	formEquals                // = VALUE
	formParameter             // = VALUE, inside Balance only
	formBlock                 // { ... }
	formChoice                // { ... } or a word
	formString                // a string, and perhaps more
)

var keywords = [keywordCount]struct {
	name string
	form form
	// example shows how to write it, in messages.
	example string
}{
	keySpread:     {"Spread", formEquals, "Spread = 4803"},
	keyRetry:      {"SpreadRetryInterval", formEquals, "SpreadRetryInterval = 5s"},
	keyGroup:      {"Group", formEquals, "Group = wack1"},
	keyLog:        {"LogFacility", formEquals, "LogFacility = daemon"},
	keyControl:    {"Control", formEquals, "Control = /var/run/wack.it"},
	keyMature:     {"Mature", formEquals, "Mature = 5s"},
	keyARPCache:   {"Arp-Cache", formEquals, "Arp-Cache = 60s"},
	keyBalance:    {"Balance", formBlock, "Balance { AcquisitionsPerRound = 1 Interval = 4s }"},
	keyPerRound:   {"AcquisitionsPerRound", formParameter, "AcquisitionsPerRound = all"},
	keyInterval:   {"Interval", formParameter, "Interval = 4s"},
	keyNotify:     {"Notify", formChoice, "Notify { eth0:10.0.0.0/24 arp-cache }"},
	keyPrefer:     {"Prefer", formChoice, "Prefer None"},
	keyInterfaces: {"VirtualInterfaces", formBlock, "VirtualInterfaces { eth0:10.0.0.1/32 }"},
	keyModuleDir:  {"ModuleDir", formEquals, "ModuleDir = /usr/lib/wackamole"},
	keyRunDynamic: {"RunDynamic", formString, "RunDynamic module:func on up"},
	keyPerlUseLib: {"PerlUseLib", formString, "PerlUseLib /usr/share/wackamole"},
	keyPerlUse:    {"PerlUse", formString, "PerlUse Package"},
	keyNone:       {"None", formWord, ""},
	keyAll:        {"all", formWord, ""},
	keyPing:       {"ping", formWord, ""},
	keyThrottle:   {"throttle", formWord, ""},
}

func (k keyword) String() string  { return keywords[k].name }
func (k keyword) form() form      { return keywords[k].form }
func (k keyword) example() string { return keywords[k].example }

// takesEquals reports whether = follows the keyword. Of Arp-Cache that is true
// only where it is a setting.
func (k keyword) takesEquals() bool {
	return k.form() == formEquals || k.form() == formParameter
}

// setting reports whether the keyword starts a setting of the top level.
func (k keyword) setting() bool {
	return k.form() != formWord && k.form() != formParameter
}

// longestKeyword is SpreadRetryInterval or AcquisitionsPerRound; a longer word
// need not be looked up.
const longestKeyword = len("AcquisitionsPerRound")

// lookup returns the keyword that word is, in any case. Only ASCII letters
// have two cases here, as in the original. There is no map for this: it would take
// memory from each process of the program, and most never read a configuration.
func lookup(word string) keyword {
	for k := noKeyword + 1; k < keywordCount; k++ {
		if equalFold(word, k.String()) {
			return k
		}
	}
	if equalFold(word, "VIFS") || equalFold(word, "VIPS") {
		return keyInterfaces
	}
	return noKeyword
}

func lowerASCII(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		b += 'a' - 'A'
	}
	return b
}

func equalFold(a, b string) bool {
	return len(a) == len(b) && hasPrefixFold(a, b)
}

func hasPrefixFold(s, prefix string) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lowerASCII(s[i]) != lowerASCII(prefix[i]) {
			return false
		}
	}
	return true
}

// settingNames are what an unknown word of the top level may have meant.
func settingNames() []string {
	names := []string{"VIFS", "VIPS"}
	for k := noKeyword + 1; k < keywordCount; k++ {
		if k.setting() {
			names = append(names, k.String())
		}
	}
	return names
}

// nearest returns the candidate that word is obviously a slip of, or "".
// One slip in three letters is the limit, and two in all.
func nearest(word string, candidates []string) string {
	if len(word) > 2*longestKeyword {
		return ""
	}
	word = plain(word)
	best, least := "", 3
	for _, candidate := range candidates {
		lower := plain(candidate)
		if d := distance(word, lower); d < least && 3*d <= len(lower) {
			best, least = candidate, d
		}
	}
	return best
}

// plain returns a word in lower case without what may part its parts.
func plain(word string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(word), "_", ""), "-", "")
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to make a into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
