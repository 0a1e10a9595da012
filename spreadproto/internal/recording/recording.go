// Package recording reads recordings of sessions with real Spread daemons, for
// tests only.
//
// A recording is a text file. Each line is "direction connection hex": one unit
// of the protocol that was sent on that connection, from client to server (c2s)
// or from server to client (s2c), in the order of the recording over all
// connections; "-" instead of the bytes is the end of the stream. Lines that
// start with # are annotations for the unit that follows.
package recording

import (
	"bufio"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A Unit is one line of a recording.
type Unit struct {
	Line     int
	ToServer bool
	Conn     string
	Bytes    []byte // nil for the end of the stream
	Notes    []string
}

// String names the unit in messages of tests.
func (u Unit) String() string {
	direction := "s2c"
	if u.ToServer {
		direction = "c2s"
	}
	return fmt.Sprintf("line %d (%s %s %q)", u.Line, direction, u.Conn, strings.Join(u.Notes, "; "))
}

// Noted reports whether an annotation of the unit contains s.
func (u Unit) Noted(s string) bool {
	return slices.ContainsFunc(u.Notes, func(note string) bool { return strings.Contains(note, s) })
}

// A Recording is one file.
type Recording struct {
	Name  string // the file's, without extension: version, number, scenario
	Units []Unit
	Tail  []string // annotations behind the last unit
}

// Version returns the daemon's version.
func (r *Recording) Version() string {
	version, _, _ := strings.Cut(r.Name, "-")
	return version
}

// Scenario returns the number of the scenario, such as "01b".
func (r *Recording) Scenario() string {
	return strings.Split(r.Name, "-")[1]
}

// Conns returns the names of the connections in the order of their first unit.
func (r *Recording) Conns() []string {
	var conns []string
	for _, u := range r.Units {
		if !slices.Contains(conns, u.Conn) {
			conns = append(conns, u.Conn)
		}
	}
	return conns
}

// Of returns the units of one connection.
func (r *Recording) Of(conn string) []Unit {
	var units []Unit
	for _, u := range r.Units {
		if u.Conn == conn {
			units = append(units, u)
		}
	}
	return units
}

// Load reads all recordings of a directory; there must be some.
func Load(t testing.TB, dir string) []*Recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.hex*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s: %v", dir, err)
	}
	var all []*Recording
	for _, file := range files {
		r, err := load(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func load(file string) (*Recording, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var text io.Reader = f
	name := filepath.Base(file)
	if strings.HasSuffix(name, ".gz") {
		if text, err = gzip.NewReader(f); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		name = strings.TrimSuffix(name, ".gz")
	}
	r := &Recording{Name: strings.TrimSuffix(name, ".hex")}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if note, ok := strings.CutPrefix(line, "#"); ok {
			r.Tail = append(r.Tail, strings.TrimSpace(note))
			continue
		}
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[0] != "c2s" && fields[0] != "s2c" {
			return nil, fmt.Errorf("%s:%d: neither annotation nor unit", file, n)
		}
		u := Unit{Line: n, ToServer: fields[0] == "c2s", Conn: fields[1], Notes: r.Tail}
		if fields[2] != "-" {
			if u.Bytes, err = hex.DecodeString(fields[2]); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", file, n, err)
			}
		}
		r.Units, r.Tail = append(r.Units, u), nil
	}
	return r, lines.Err()
}
