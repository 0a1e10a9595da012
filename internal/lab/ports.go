package lab

import (
	"math/bits"
	"strconv"
	"strings"
)

// MaxHosts is how many hosts a switch takes: as many as a Ports has room for.
const MaxHosts = 63

// Ports is a set of switch ports. Port I is where host I is plugged in, from 1 on.
type Ports uint64

// PortSet makes the set of the ports in the list.
func PortSet(list ...int) Ports {
	var p Ports
	for _, port := range list {
		p |= 1 << port
	}
	return p
}

// Has tells whether the port is in the set.
func (p Ports) Has(port int) bool { return p>>port&1 != 0 }

// Count is how many ports are in the set.
func (p Ports) Count() int { return bits.OnesCount64(uint64(p)) }

// List has the ports in ascending order.
func (p Ports) List() []int {
	list := make([]int, 0, p.Count())
	for ; p != 0; p &= p - 1 {
		list = append(list, bits.TrailingZeros64(uint64(p)))
	}
	return list
}

// String joins the ports by a plus sign: "1+3"; "-" for none.
func (p Ports) String() string {
	if p == 0 {
		return "-"
	}
	var words []string
	for _, port := range p.List() {
		words = append(words, strconv.Itoa(port))
	}
	return strings.Join(words, "+")
}
