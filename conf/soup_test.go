package conf

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// soup is what random files are made of: everything that means something in
// the language, in right forms and in wrong ones.
var soup = strings.Split("Group|Spread|Mature|Arp-Cache|Control|LogFacility|ModuleDir|SpreadRetryInterval|"+
	"=| = |={|=\n|\"x\"=y|g|42|5s|0s|90m|daemon|local8|/var/run/x|127.0.0.1:2413|4803@host|none|NONE|all|ping|throttle|throttle 5|"+
	"\"|'|\"a b\"|'c'|\"d\"e|'f\"g'|\"h\n\"|#|# x\n|\n|\r\n|\t|"+
	"{|}|{ | }|eth0:10.0.0.1/32|eth0:10.0.0.2/24n16|a:10.0.0.3/8|=b:10.0.0.4/32|10.0.0.1/32|eth0:10.0.0.0/24|10.0.0.1|eth0:|"+
	"arp-cache|arp-cache ping|Notify|Notify {|Notify { arp-cache }|Prefer|Prefer {|Prefer None|Prefer { 10.0.0.1/32 }|"+
	"VIFS {|VirtualInterfaces|VIPS { eth0:10.0.0.5/32 }|Balance {|Balance { Interval = 3s }|AcquisitionsPerRound = all|AcquisitionsPerRound=0|Interval=9s|"+
	"RunDynamic|RunDynamic m:f on up|RunDynamic P::f post down|RunDynamic it's:\"f post\tup|on|post|up|down|PerlUse|PerlUse P|PerlUseLib 'q \"'|"+
	"\x00|\xff|\u00a0|\u201c|group=x|Mature=5s", "|")

// TestSoup parses random files. Whatever is accepted must print to a file that
// means the same.
func TestSoup(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	accepted := 0
	rounds := 20000
	if testing.Short() {
		rounds = 2000
	}
	for range rounds {
		var b strings.Builder
		// Without these two few files would be accepted.
		b.WriteString("VIFS { eth0:10.9.9.9/32 }\nGroup=g\n")
		for range r.IntN(8) {
			b.WriteString(soup[r.IntN(len(soup))])
			if r.IntN(8) > 0 {
				b.WriteByte(" \n"[r.IntN(2)])
			}
		}
		c, _, err := Parse("soup", []byte(b.String()))
		if err != nil {
			continue
		}
		accepted++
		roundTrip(t, b.String(), c)
	}
	if accepted < rounds/20 {
		t.Errorf("only %d of %d files accepted: the test does not test", accepted, rounds)
	}
	t.Logf("%d of %d files accepted", accepted, rounds)
}
