package logger_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wackamole/internal/logger"
)

// recorder is a sink that keeps its lines as text.
type recorder struct{ lines []string }

func (r *recorder) Log(level logger.Level, line string) {
	r.lines = append(r.lines, map[logger.Level]string{
		logger.Error: "error: ", logger.Warning: "warning: ", logger.Notice: "notice: ", logger.Info: "info: ",
	}[level]+line)
}

func TestLevels(t *testing.T) {
	var sink recorder
	log := logger.New(&sink)
	log.Printf("  UP: %s:1:%s/%s", "eth0", "10.0.0.5", "255.255.255.0")
	log.Errorf("e %d", 1)
	log.Warningf("w")
	log.Infof("100%%")
	want := []string{"notice:   UP: eth0:1:10.0.0.5/255.255.255.0", "error: e 1", "warning: w", "info: 100%"}
	if diff := cmp.Diff(want, sink.lines); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestNilLoggerDiscards(t *testing.T) {
	var log *logger.Logger
	log.Printf("nobody hears this %d", 1)
	log.Errorf("nor this")
}

func TestOneLineOnly(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", `C:\path "quoted" '`, `C:\path "quoted" '`},
		{"line end", "a\nb\r\n", `a\nb\r\n`},
		{"terminal escape", "\x1b[2Jboo\a", `\x1b[2Jboo\a`},
		{"NUL and DEL", "a\x00b\x7f", `a\x00b\x7f`},
		{"letters beyond ASCII", "Übergabe 日本", "Übergabe 日本"},
		{"C1 control", "\u009b31m", `\u009b31m`},
		{"direction mark and line separator", "a\u202eb\u2028c", `a\u202eb\u2028c`},
		{"broken UTF-8", "a\xffb\xc3", `a\xffb\xc3`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var sink recorder
			logger.New(&sink).Printf("%s", tt.in)
			if diff := cmp.Diff([]string{"notice: " + tt.want}, sink.lines); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLongLinesAreCut(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("a", logger.MaxLine), strings.Repeat("a", logger.MaxLine+1), strings.Repeat("a", 1<<20),
		strings.Repeat("\n", logger.MaxLine/2), strings.Repeat("\n", logger.MaxLine/2+1), strings.Repeat("日", 1000),
	} {
		var sink recorder
		logger.New(&sink).Printf("%s", text)
		got := strings.TrimPrefix(sink.lines[0], "notice: ")
		fits := len(text) <= logger.MaxLine && !strings.Contains(text, "\n") || len(text) == logger.MaxLine/2
		if len(got) > logger.MaxLine || strings.HasSuffix(got, "...") == fits || !utf8.ValidString(got) {
			t.Errorf("%.8q x %d: %d bytes, ends %q", text, len(text), len(got), got[len(got)-8:])
		}
		if fits && len(got) != logger.MaxLine {
			t.Errorf("%.8q x %d fits, but only %d bytes came", text, len(text), len(got))
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\nb\x1b[31m\xff日\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		var sink recorder
		logger.New(&sink).Printf("%s", text)
		got := strings.TrimPrefix(sink.lines[0], "notice: ")
		if len(got) > logger.MaxLine || !utf8.ValidString(got) {
			t.Fatalf("%d bytes: %q", len(got), got)
		}
		for _, r := range got {
			if r < ' ' || r == 0x7f {
				t.Fatalf("control character in %q", got)
			}
		}
	})
}

func TestFacilities(t *testing.T) {
	for name, want := range map[string]logger.Facility{
		"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "security": 4, "syslog": 5, "lpr": 6, "news": 7, "uucp": 8,
		"cron": 9, "authpriv": 10, "ftp": 11, "local0": 16, "local7": 23, "LOCAL3": 19, "LOG_DAEMON": 3,
	} {
		if got, err := logger.ParseFacility(name); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, got, err, want)
		}
	}
	for _, name := range []string{"", "local8", "log_", "daemon ", "3"} {
		if got, err := logger.ParseFacility(name); err == nil {
			t.Errorf("%q: accepted as %d", name, got)
		}
	}
}
