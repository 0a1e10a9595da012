package sim

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A fixed batch of worlds; make sim plays as many as one likes.
func TestWorlds(t *testing.T) {
	count := 1000
	if testing.Short() {
		count = 400
	}
	var total Counts
	for seed := range uint64(count) {
		n, err := Play(seed)
		if err != nil {
			t.Fatalf("# seed %d\n%v", seed, err)
		}
		total.Add(n)
	}
	t.Logf("%d worlds: %+v", count, total)
	// A simulation in which these do not happen proves nothing of them.
	if total.Conflicts == 0 || total.Balances == 0 || total.Withouts == 0 || total.Rejoins == 0 || total.Renewals == 0 {
		t.Errorf("not everything happens: %+v", total)
	}
}

// Scripts in which an invariant once broke, each with what it was in its first line.
func TestKept(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts: ", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseScript(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := Replay(s); err != nil {
				t.Error(err)
			}
		})
	}
}

// A script is text and back, and plays alike every time.
func TestScript(t *testing.T) {
	for seed := range uint64(50) {
		s := Generate(seed)
		back, err := ParseScript(s.String())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, back); diff != "" {
			t.Fatalf("seed %d (-made +read):\n%s", seed, diff)
		}
		a, b := newWorld(s), newWorld(back)
		a.tracing, b.tracing = true, true
		if err := errors.Join(a.run(), b.run()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a.trace, b.trace); diff != "" {
			t.Fatalf("seed %d plays differently:\n%s", seed, diff)
		}
	}
	for _, text := range []string{"worlds", "world hosts", "world hosts=x", "world planets=9", "order", "order x", "order 4294967296"} {
		if _, err := ParseScript(text); err == nil {
			t.Errorf("%q is read without an error", text)
		}
	}
}

// What is broken on purpose is found, made small, and can be seen again.
func TestShrink(t *testing.T) {
	s := Generate(1)
	bad := func(s *Script) bool {
		merge := slices.IndexFunc(s.Events, func(e Event) bool { return e.Kind == Split })
		return s.Interfaces >= 3 && merge >= 0 && slices.ContainsFunc(s.Events[merge:], func(e Event) bool { return e.Kind == Heal })
	}
	s.Interfaces = 100
	s.Events = append(s.Events, Event{Split, 1}, Event{Quiet, 2}, Event{Heal, 3}, Event{Quiet, 4})
	small := shrink(s, bad)
	if !bad(small) || len(small.Events) != 2 || small.Interfaces != 3 || small.Hosts != 1 || small.Sets || small.Prefer != 0 {
		t.Errorf("shrunk to\n%v", small)
	}
	// A kernel that never does what it is told is noticed.
	w := newWorld(&Script{Hosts: 1, Interfaces: 1})
	w.happen(Event{Start, 0})
	w.hosts[0].process.rows = nil
	if w.happen(Event{Quiet, 0}); w.failure == nil {
		t.Error("an address that is in no kernel is not noticed")
	}
}

func BenchmarkWorlds(b *testing.B) {
	var total Counts
	seed := uint64(0)
	for b.Loop() {
		n, err := Play(seed)
		if err != nil {
			b.Fatal(err)
		}
		total.Add(n)
		seed++
	}
	b.ReportMetric(float64(total.Views)/b.Elapsed().Seconds(), "views/s")
}
