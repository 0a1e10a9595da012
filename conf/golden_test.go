package conf

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite the expected output beside the test files")

// files lists the configurations of this package's quirks and the complete ones.
func files(t testing.TB) []string {
	list, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(list) == 0 {
		t.Fatal("no test files", err)
	}
	more, err := filepath.Glob("../testdata/*.conf")
	if err != nil || len(more) == 0 {
		t.Fatal("no complete test files", err)
	}
	return append(append(list, more...), "../internal/dist/wackamole.conf.sample")
}

// report is everything that Parse says of a file, as text: the canonical form or
// the errors, then the warnings.
func report(name string, source []byte) string {
	var b strings.Builder
	c, warnings, err := Parse(name, source)
	if err != nil {
		b.WriteString(err.Error() + "\n")
	} else {
		text, err := c.AppendText(nil)
		if err != nil {
			b.WriteString("print: " + err.Error() + "\n")
		}
		b.Write(text)
	}
	for _, w := range warnings {
		b.WriteString("warning: " + w.Error() + "\n")
	}
	return b.String()
}

// TestGolden compares what is said of each file with the text beside it.
func TestGolden(t *testing.T) {
	for _, path := range files(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := report(filepath.Base(path), source)
			golden := "testdata/" + strings.TrimSuffix(filepath.Base(path), ".conf") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// same compares two configurations without the positions in their files.
func same(a, b *Config) string {
	return cmp.Diff(a, b, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreTypes(Position{}), cmpopts.EquateEmpty())
}

// TestCanonicalForm parses what is printed and prints what is parsed.
func TestCanonicalForm(t *testing.T) {
	for _, path := range files(t) {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := Parse(path, source)
		if err == nil {
			roundTrip(t, path, c)
		}
	}
}

func roundTrip(t *testing.T, name string, c *Config) {
	t.Helper()
	text, err := c.AppendText(nil)
	if err != nil {
		t.Fatalf("%s: print: %v", name, err)
	}
	again, _, err := Parse("printed", text)
	if err != nil {
		t.Fatalf("%s: what is printed does not parse: %v\n%s", name, err, text)
	}
	if diff := same(c, again); diff != "" {
		t.Errorf("%s: what is printed is another configuration:\n%s\n%s", name, diff, text)
	}
	twice, err := again.AppendText(nil)
	if err != nil || string(twice) != string(text) {
		t.Errorf("%s: printed again: %v\n%s", name, err, cmp.Diff(string(text), string(twice)))
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range files(f) {
		source, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		c, warnings, err := Parse("fuzz", source)
		var problems Problems
		switch {
		case err == nil:
			roundTrip(t, "fuzz", c)
		case !errors.As(err, &problems) || len(problems) == 0 || c != nil:
			t.Errorf("error %v (%T) with configuration %v", err, err, c)
		}
		for _, p := range append(problems, warnings...) {
			if p.Line < 1 || p.Column < 1 || p.Line > strings.Count(string(source), "\n")+1 || p.Message == "" {
				t.Errorf("problem at an impossible place: %v", p)
			}
		}
	})
}
