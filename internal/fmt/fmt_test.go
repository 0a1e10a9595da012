package fmt

import (
	"errors"
	standard "fmt"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Every combination of directive and argument that the program may use gives what
// the standard package gives.
func TestLikeStandard(t *testing.T) {
	prefix := netip.MustParsePrefix("10.0.0.1/24")
	wrapped := errors.New("no such device")
	for _, c := range []struct {
		directives string
		args       []any
	}{
		{"%s %q %v %x %.2s %.3q %.0s %-6s| %6s| %2s| %-4q|", []any{"", "a", "eth0:1", "ünïcödé", "a\x00\"b\n", "\xff\xfe", strings.Repeat("long", 50)}},
		{"%s %q %x %.2s", []any{[]byte(nil), []byte("a"), []byte{0, 200, 255}}},
		{"%d %v %x %#x %4d| %-4d| %04d| %08x %#04x %02x %c %q", []any{
			0, 1, -1, 10, -300, int8(-128), int16(-5), int32(65), int64(-1 << 63), int64(1<<63 - 1),
			uint(7), uint8(200), uint16(65535), uint32(1 << 31), uint64(1<<64 - 1)}},
		{"%v", []any{true, false, nil}},
		{"%s %v %q %-20s| %20v|", []any{prefix, prefix.Addr(), 5 * time.Second, wrapped, fs.ErrNotExist}},
	} {
		for _, directive := range strings.Fields(c.directives) {
			for _, arg := range c.args {
				if n, negative, ok := integer(arg); ok && (directive == "%c" || directive == "%q") && (negative || n > 0x10ffff) {
					continue
				}
				format := "before " + directive + " after%%"
				want := standard.Sprintf(format, arg)
				if got := Sprintf(format, arg); got != want {
					t.Errorf("%s of %T %#v: %q, not %q", directive, arg, arg, got, want)
				}
			}
		}
	}
}

func TestWrongFormatsAreMarked(t *testing.T) {
	for _, c := range []struct {
		format string
		args   []any
		want   string
	}{
		{"%d", nil, "%!d(MISSING)"},
		{"%", []any{"a"}, "a"},
		{"%5", []any{"a"}, "    a"},
		{"%v", []any{struct{}{}}, "%!v(?)"},
		{"%99999999999999999999s", []any{""}, strings.Repeat(" ", widest)},
		{"a", []any{"extra"}, "a"},
	} {
		if got := Sprintf(c.format, c.args...); got != c.want {
			t.Errorf("%q: %q, not %q", c.format, got, c.want)
		}
	}
}

func TestErrorf(t *testing.T) {
	cause, other := errors.New("cause"), &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}
	for _, c := range []struct {
		err    error
		text   string
		causes []error
	}{
		{Errorf("plain %d%%", 1), "plain 1%", nil},
		{Errorf("100%% of %s: %w", "x", cause), "100% of x: cause", []error{cause}},
		{Errorf("%w, then %w", cause, other), "cause, then open x: file does not exist", []error{cause, other, fs.ErrNotExist}},
	} {
		if c.err.Error() != c.text {
			t.Errorf("%q, not %q", c.err, c.text)
		}
		for _, cause := range c.causes {
			if !errors.Is(c.err, cause) {
				t.Errorf("%q does not wrap %q", c.err, cause)
			}
		}
	}
	if errors.Is(Errorf("%w", cause), other) {
		t.Error("an error wraps what it was not given")
	}
}

type writes []string

func (w *writes) Write(b []byte) (int, error) {
	*w = append(*w, string(b))
	return len(b), nil
}

func TestFprintfWritesOnce(t *testing.T) {
	var w writes
	if n, err := Fprintf(&w, "%s-%d\n", "a", 5); n != 4 || err != nil || len(w) != 1 || w[0] != "a-5\n" {
		t.Errorf("%d, %v: %q", n, err, w)
	}
}

func FuzzAppendf(f *testing.F) {
	f.Add("%s %d", "text", int64(-5))
	f.Add("%-010.3q|%#08x", "ü\x00", int64(1<<62))
	f.Fuzz(func(t *testing.T, format, s string, n int64) {
		got := Sprintf(format, s, n, []byte(s), errors.New(s))
		if limit := (len(format)/2 + 1) * (widest + 8*len(s) + 64); len(got) > limit {
			t.Errorf("%d bytes from a format of %d", len(got), len(format))
		}
		if d, length := parse(strings.TrimPrefix(format, "%")); strings.HasPrefix(format, "%") && length == len(format)-1 &&
			strings.IndexByte("sqvx", d.verb) >= 0 && !d.zero && !d.sharp && d.width < widest && d.precision < widest && (d.verb != 'x' || d.precision < 0) {
			if want := standard.Sprintf(format, s); Sprintf(format, s) != want {
				t.Errorf("%q of %q: %q, not %q", format, s, Sprintf(format, s), want)
			}
		}
	})
}

func TestAppendfTakesNothingFromTheHeap(t *testing.T) {
	name, number := any("eth0:1"), any(int(-254)) // which the caller has made
	b := make([]byte, 0, 200)
	if n := testing.AllocsPerRun(10, func() {
		b = Appendf(b[:0], "%s %-9s %q %5d %04x %v", name, name, name, number, number, number)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
