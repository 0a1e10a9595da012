package sim

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A fixed batch of worlds; make sim plays as many as one likes.
func TestWorlds(t *testing.T) {
	count := 400
	if testing.Short() {
		count = 80
	}
	views := 0
	for seed := range uint64(count) {
		n, err := Play(seed)
		if err != nil {
			t.Fatal(err)
		}
		views += n
	}
	t.Logf("%d worlds, %d view changes", count, views)
}

// Worlds in which an invariant once broke.
func TestKept(t *testing.T) {
	files, err := filepath.Glob("testdata/seed-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		seed, err := strconv.ParseUint(strings.TrimPrefix(filepath.Base(path), "seed-"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Play(seed); err != nil {
			t.Errorf("%s (%s): %v", path, strings.TrimSpace(string(text)), err)
		}
	}
}

func BenchmarkWorlds(b *testing.B) {
	views, seed := 0, uint64(0)
	for b.Loop() {
		n, err := Play(seed)
		if err != nil {
			b.Fatal(err)
		}
		views += n
		seed++
	}
	b.ReportMetric(float64(views)/b.Elapsed().Seconds(), "views/s")
}
