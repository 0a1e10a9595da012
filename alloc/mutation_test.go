package alloc_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutations are mistakes that the tests of this package, or the simulated clusters
// of internal/sim, have to notice. Each replaces a text that stands in the file
// once.
var mutations = []struct{ means, file, text, replacement string }{
	{"of two equal claims the later wins", "gather.go",
		"case r.claim == Claimed && q == PreferredClaimed:", "case r.claim == Claimed:"},
	{"a weaker earlier claim wins", "gather.go",
		"case r.claim == Claimed && q == PreferredClaimed:", "case false:"},
	{"who loses a conflict keeps the address", "gather.go",
		"	m.release(lost)\n", ""},
	{"who wins a conflict says nothing", "gather.go",
		"	m.announceKept(kept)\n", "	_ = kept\n"},
	{"a STATE of an earlier view counts", "gather.go",
		"err == nil && id != m.view", "err == nil && id == (ViewID{})"},
	{"a second STATE of one member counts", "gather.go",
		"	if x.answered {\n", "	if false {\n"},
	{"a STATE for another member counts", "gather.go",
		"case s.Index != from:", "case false:"},
	{"the table outlives its view", "gather.go",
		"	clear(m.table)\n	m.members = make", "	m.members = make"},
	{"a later preference wins", "gather.go",
		"m.table[i].claim < Preferred", "m.table[i].claim <= Preferred"},
	{"maturity is not learned from a STATE", "gather.go",
		"if s.Mature && !m.mature {", "if false {"},
	{"MATURING ends Gather", "gather.go",
		"	if m.state == Boot {\n", "	if m.state == Boot || m.state == Gather {\n"},
	{"a STATE does not tell that a claim is preferred", "gather.go",
		"ClaimOf{key, c})", "ClaimOf{key, Claimed})"},
	{"what is not preferred any more is claimed as such", "gather.go",
		"if c == PreferredClaimed && !slices", "if false && !slices"},
	{"a view leaves a new configuration waiting", "gather.go",
		"	if m.next != nil {\n		// The", "	if false {\n		// The"},
	{"an address is announced that was lost in the same step", "gather.go",
		"return !m.Holds(k)", "return false"},
	{"a reload starts a second round of balancing", "machine.go",
		"if m.running[BalanceTimer] {", "if true {"},
	{"nobody is told of a new list", "machine.go",
		"m.act(RenewView{})", "_ = RenewView{}"},
	{"a member that waits for its own STATE waits for ever", "silent.go",
		"		m.start(GatherTimer, silence)\n		return\n	}\n	var", "		return\n	}\n	var"},
	{"two members of one real address both take part", "gather.go",
		"			m.members[max(i, from)].namesake = true\n", ""},
	{"a preference is forgotten once granted", "allocate.go",
		"m.table[i].claim = PreferredClaimed", "m.table[i].claim = Claimed"},
	{"allocation does not see what members hold already", "allocate.go",
		"	m.recount()\n	for i", "	for i"},
	{"among equals the last is given a row", "allocate.go",
		"x.count < m.members[best].count", "x.count <= m.members[best].count"},
	{"what the table gives to others is kept", "allocate.go",
		"	m.release(m.keys(func(i int) bool { return m.held[i] != Unclaimed && !mine(i) }))\n", ""},
	{"acquires before it releases", "allocate.go",
		"	m.release(m.keys(", "	defer m.release(m.keys("},
	{"every member balances", "balance.go",
		"if m.state != Run || m.leader() != m.me {", "if m.state != Run {"},
	{"anybody may balance", "balance.go",
		"	case from != m.leader():\n", "	case false:\n"},
	{"balancing moves to and fro", "balance.go",
		"m.members[fewest].count < 2", "m.members[fewest].count < 1"},
	{"balancing moves what is preferred", "balance.go",
		"		if r.claim == Claimed {\n", "		if r.claim != Unclaimed {\n"},
	{"BALANCE gives to one that is not there", "balance.go",
		"case !present[v.Owner] || ", "case "},
	{"a new session is as mature as the last", "machine.go",
		"	m.state, m.mature = Offline, false\n", "	m.state = Offline\n"},
	{"keeps its addresses without Spread", "machine.go",
		"	m.act(Release{m.keys(func(int) bool { return true })})\n", ""},
	{"a timer that was stopped acts", "machine.go",
		"	if !m.running[t] {\n", "	if false {\n"},
	{"goes on without a member that was not named", "silent.go",
		"!x.answered && !named(i)", "!x.answered && !named(i) && false"},
	{"goes on although the others went on without it", "silent.go",
		"	if !m.members[m.me].answered {\n		m.rejoin(", "	if false {\n		m.rejoin("},
	{"a count is believed", "message.go",
		"if uint64(n) > uint64(room) {", "if uint64(n) > uint64(room) && false {"},
}

var failed = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+)|^(panic: .*)`)

// TestMutations makes each mistake, one after the other, and expects that a test
// fails. It needs the go command and a minute of processor time.
func TestMutations(t *testing.T) {
	if os.Getenv("MUTATE") == "" {
		t.Skip("set MUTATE=1 to see whether the tests notice mistakes; it takes one to three minutes")
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		t.Run(strings.ReplaceAll(m.means, " ", "_"), func(t *testing.T) {
			path := filepath.Join(folder, m.file)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.text); n != 1 {
				t.Fatalf("%s has %q %d times: bring the list up to date", m.file, m.text, n)
			}
			// An overlay has the go command see the mistake; the files stay as they are.
			mistake := filepath.Join(t.TempDir(), m.file)
			overlay := filepath.Join(t.TempDir(), "overlay.json")
			list, err := json.Marshal(map[string]map[string]string{"Replace": {path: mistake}})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(overlay, list, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(mistake, []byte(strings.Replace(string(source), m.text, m.replacement, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			for _, folder := range []string{".", "../internal/sim"} {
				if by := noticed(t, overlay, folder); by != "" {
					t.Logf("noticed by %s", by)
					return
				}
			}
			t.Errorf("no test notices that %s (%s)", m.means, m.file)
		})
	}
}

// noticed runs the tests of a package and returns which fail, if any.
func noticed(t *testing.T, overlay, folder string) string {
	// What hangs is noticed too.
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	test := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-short", "-failfast", "-vet=off", "-timeout=1m", folder)
	test.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "MUTATE=") })
	out, err := test.CombinedOutput()
	if err == nil {
		return ""
	}
	failures := failed.FindAllStringSubmatch(string(out), 3)
	if len(failures) == 0 {
		t.Fatalf("no test fails, but go test does: %v\n%s", err, out)
	}
	var by []string
	for _, f := range failures {
		by = append(by, f[1]+f[2])
	}
	return strings.Join(by, ", ")
}
