package rtnl

import (
	"math/bits"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAlias is the highest alias number that is kept account of.
const maxAlias = 1 << 17

// Labels keeps account of which alias numbers are in use on each interface. The
// zero value is ready to use. It is not safe for concurrent use.
//
// The rule is the original's: an address becomes the alias eth0:N with the
// lowest free N from 1 on, the bare name where the interface has no address at
// all.
type Labels struct {
	interfaces map[string]*aliases
}

// aliases are the numbers of one interface: bit n-1 of used stands for number n.
type aliases struct {
	used      []uint64
	low       int // no word before used[low] has a free bit
	addresses int
}

// Reset forgets everything and takes in a listing of Conn.Addresses.
func (l *Labels) Reset(list []Assigned) {
	l.interfaces = nil
	for _, a := range list {
		l.Added(a.Interface, a.Label)
	}
}

// Next returns the label for an address that is about to be added, and accounts
// for it as Added does. It is empty, which makes the kernel take the bare name,
// where the label would not fit 15 characters; for the first address of the
// interface it is the bare name itself.
func (l *Labels) Next(name string) string {
	a := l.of(name)
	a.addresses++
	if a.addresses == 1 {
		return name
	}
	number := a.free()
	label := name + ":" + strconv.Itoa(number)
	if len(label) >= unix.IFNAMSIZ || number > maxAlias {
		return ""
	}
	a.set(number, true)
	return label
}

// Added accounts for an address that the interface has, whoever added it.
func (l *Labels) Added(name, label string) {
	a := l.of(name)
	a.addresses++
	if n, ok := number(name, label); ok {
		a.set(n, true)
	}
}

// Removed accounts for an address that the interface no longer has, or that Next
// gave a label for and that was not added.
func (l *Labels) Removed(name, label string) {
	a, ok := l.interfaces[name]
	if !ok {
		return
	}
	if n, ok := number(name, label); ok {
		a.set(n, false)
	}
	if a.addresses--; a.addresses <= 0 {
		delete(l.interfaces, name)
	}
}

func (l *Labels) of(name string) *aliases {
	if l.interfaces == nil {
		l.interfaces = make(map[string]*aliases)
	}
	a := l.interfaces[name]
	if a == nil {
		a = &aliases{}
		l.interfaces[name] = a
	}
	return a
}

// number returns N of a label eth0:N. Other labels have none.
func number(name, label string) (int, bool) {
	digits, ok := strings.CutPrefix(label, name+":")
	if !ok || digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0, false // 0 and 01 are not handed out and not in the way
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n <= maxAlias
}

// free returns the lowest number from 1 on that is not in use.
func (a *aliases) free() int {
	for ; a.low < len(a.used); a.low++ {
		if w := a.used[a.low]; w != ^uint64(0) {
			return 64*a.low + bits.TrailingZeros64(^w) + 1
		}
	}
	return 64*a.low + 1
}

func (a *aliases) set(number int, on bool) {
	word, bit := (number-1)/64, uint64(1)<<((number-1)%64)
	if !on {
		if word < len(a.used) {
			a.used[word] &^= bit
			a.low = min(a.low, word)
		}
		return
	}
	for word >= len(a.used) {
		a.used = append(a.used, 0)
	}
	a.used[word] |= bit
}
