package control

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the answers to testdata")

// exampleState has something in every field, and text that needs escaping in those that others choose.
func exampleState(t testing.TB) *State {
	return &State{
		Program: "wackamole 1.0", Phase: Run, Mature: true, Group: "wack1",
		Name: "#wack123#n1", Address: netip.MustParseAddr("10.77.0.1"), Index: 0,
		View: &View{ID: [3]uint32{173867009, 4294967295, 7}, Members: []Member{
			{Name: "#wack123#n1", Address: netip.MustParseAddr("10.77.0.1"), Kind: Ours},
			{Name: "#wack7#n2", Address: netip.MustParseAddr("10.77.0.2"), Kind: Original},
			{Name: "#a\"\\\x1b[2J\xff#n3", Kind: Silent},
			{Name: "#late#n4"},
		}},
		Interfaces: []VirtualInterface{
			virtualInterface(t, "10.77.0.1", 2, true, "eth0:10.77.0.101/24"),
			virtualInterface(t, "10.77.0.2", 5, false, "eth0:10.77.0.102/32", "br-lan.100:192.0.2.102/31"),
			virtualInterface(t, "", 0, false, "eth0:10.77.0.103/8"),
			virtualInterface(t, "10.77.0.2", 4, true, "eth0:10.77.0.104/24"),
		},
		Goroutines: 15,
		Counters: Counters{
			Views: 1, TakeOvers: 2, Releases: 3, AddressFailures: 4, AddressesBack: 11, Announcements: 5, Notifications: 12, Reconnects: 6, HookFailures: 7,
			HooksDropped: 8, GuardRestarts: 18446744073709551615, LinkFailures: 13, LastTakeOver: 4*time.Millisecond + 250*time.Microsecond,
			Rejected: []Rejected{{"BALANCE from a non-member", 9}, {"a\"b\\c\nd", 10}},
			InPhase:  [PhaseCount]time.Duration{time.Second, 5 * time.Second, 1500 * time.Millisecond, 72 * time.Hour, 0},
		},
	}
}

func text(a answer) string {
	var b strings.Builder
	for part := range a {
		b.Write(part)
	}
	return b.String()
}

// TestAnswers compares with testdata, which -rewrite writes.
func TestAnswers(t *testing.T) {
	full, empty := exampleState(t), &State{Index: -1}
	away := &State{Index: -1, Phase: Failed, Reason: "interface eth\x1b1 has no carrier"}
	for name, a := range map[string]answer{
		"full.json": full.jsonAnswer, "full.metrics": full.metricsAnswer, "full.table": full.tableAnswer,
		"empty.json": empty.jsonAnswer, "empty.metrics": empty.metricsAnswer, "empty.table": empty.tableAnswer,
		"away.json": away.jsonAnswer, "away.table": away.tableAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			got, again := text(a), text(a)
			if got != again {
				t.Error("two runs differ: the length that is sent first would be wrong")
			}
			file := filepath.Join("testdata", name)
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestJSONKeys holds what State promises: one line, all keys, always.
func TestJSONKeys(t *testing.T) {
	var shapes [2]map[string]any
	for i, s := range []*State{exampleState(t), {Index: -1}} {
		line := text(s.jsonAnswer)
		if strings.Count(line, "\n") != 1 {
			t.Errorf("not one line: %q", line)
		}
		if err := json.Unmarshal([]byte(line), &shapes[i]); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
	}
	for key := range shapes[0] {
		if _, ok := shapes[1][key]; !ok {
			t.Errorf("key %s is missing in an empty state", key)
		}
	}
	member := shapes[0]["view"].(map[string]any)["members"].([]any)[2].(map[string]any)
	if member["name"] != "#a\"\\\x1b[2J\ufffd#n3" || member["address"] != nil || member["kind"] != "silent" {
		t.Errorf("hostile member came out as %v", member)
	}
	address := shapes[0]["interfaces"].([]any)[1].(map[string]any)["addresses"].([]any)[1]
	want := map[string]any{"interface": "br-lan.100", "ip": "192.0.2.102", "prefix": 31.0, "broadcast": nil}
	if diff := cmp.Diff(want, address); diff != "" {
		t.Errorf("address (-want +got):\n%s", diff)
	}
}

// TestMetricsFormat checks each line against the text exposition format.
func TestMetricsFormat(t *testing.T) {
	described := ""
	for line := range strings.Lines(text(exampleState(t).metricsAnswer)) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			described, _, _ = strings.Cut(rest, " ")
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		name, _, _ := strings.Cut(line, " ")
		name, _, _ = strings.Cut(name, "{")
		if name != described || !strings.HasPrefix(name, "wackamole_") {
			t.Errorf("sample %q below the description of %q", line, described)
		}
	}
}

func TestTableFitsAndIsHarmless(t *testing.T) {
	table := text(exampleState(t).tableAnswer)
	for line := range strings.Lines(table) {
		if n := len([]rune(line)) - 1; n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if bytes.ContainsAny([]byte(table), "\x1b\xff") {
		t.Errorf("a member's name can drive the terminal: %q", table)
	}
}
