package logger

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestWriterStamp(t *testing.T) {
	var out bytes.Buffer
	w := NewWriter(&out)
	w.now = func() time.Time { return time.Date(2026, 11, 22, 15, 58, 58, 0, time.UTC) }
	log := New(w)
	log.Printf("  UP: eth0:1:10.0.0.5/255.255.255.0")
	log.Errorf("no")
	want := "[Sun 22 Nov 2026 15:58:58]   UP: eth0:1:10.0.0.5/255.255.255.0\n[Sun 22 Nov 2026 15:58:58] no\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
}

// A pipe that nobody reads takes so many lines and then no more; the test ends only because Log returns.
func TestWriterNeverBlocks(t *testing.T) {
	r, file, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	defer r.Close()
	w := NewWriter(file)
	log := New(w)
	text := strings.Repeat("x", 900)
	written := 0
	for !w.stalled {
		log.Printf("%s", text)
		written++
	}
	written-- // the last one was dropped
	for range 9 {
		log.Printf("%s", text)
	}
	if w.lost != 10 {
		t.Fatalf("%d lines counted as lost, want 10", w.lost)
	}

	lines := bufio.NewScanner(r)
	for range written {
		if !lines.Scan() {
			t.Fatal("a line that was written is missing")
		}
	}
	log.Printf("read again")
	for _, want := range []string{"] 10 lines of the log were lost here: nobody read it", "] read again"} {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), want) {
			t.Errorf("line %q, want one that ends %q", lines.Text(), want)
		}
	}
}

func TestWriterClosedFile(t *testing.T) {
	_, file, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	w := NewWriter(file)
	New(w).Printf("x")
	if w.lost != 0 || w.stalled {
		t.Error("a closed file counts as a slow reader")
	}
}
