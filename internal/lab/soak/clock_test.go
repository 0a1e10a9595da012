package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A clock that jumps must not matter: what the daemon decides by time, it decides by the monotonic part that every
// time.Now has, which Add, Sub, Since, Until and timers keep to. Calendar time is only read where a time is taken
// apart or made up; each of these places is listed here with the reason why it may.
var calendar = map[string]string{
	"internal/logger/stamp.go: Date":                     "time stamps of the log",
	"internal/logger/stamp.go: Clock":                    "time stamps of the log",
	"internal/logger/stamp.go: Weekday":                  "time stamps of the log",
	"internal/control/watch.go: Date":                    "time stamps of wackatrl -w",
	"internal/control/watch.go: Clock":                   "time stamps of wackatrl -w",
	"spreadproto/spreadd/spreadd.go: Unix":               "part of a group's id, in the place where Spread has it",
	"spreadproto/conn.go: time.Unix":                     "a deadline long past, to wake a reader up",
	"internal/stream/dial.go: time.Unix":                 "a deadline long past, to wake a writer up",
	"internal/hosts/hosts.go: time.Unix":                 "a deadline long past, to wake a reader up",
	"internal/guard/guard.go: unix.CLOCK_MONOTONIC":      "the clock that daemon and guard share",
	"internal/daemonize/notify.go: unix.CLOCK_MONOTONIC": "what a supervisor wants to be told",
}

// taken lists the methods of time.Time that give its calendar time away, or drop the monotonic part.
var taken = []string{
	"Unix", "UnixNano", "UnixMilli", "UnixMicro", "UTC", "Local", "In", "Clock", "Date", "Weekday", "YearDay", "Year",
	"Month", "Day", "Hour", "Minute", "Second", "Nanosecond", "Format", "AppendFormat", "ISOWeek", "AddDate",
}

// made lists what makes up a time or reads a clock otherwise, by package.
var made = map[string][]string{
	"time": {"Unix", "UnixMilli", "UnixMicro", "Date", "Parse", "ParseInLocation"},
	"unix": {
		"Time", "Gettimeofday", "Settimeofday", "CLOCK_REALTIME", "CLOCK_REALTIME_COARSE", "CLOCK_TAI", "CLOCK_MONOTONIC",
		"CLOCK_BOOTTIME", "CLOCK_REALTIME_ALARM",
	},
	"syscall": {"Time", "Gettimeofday", "Settimeofday"},
}

func TestOnlyMonotonicTimeCounts(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	found := make(map[string]string)
	seen := map[string]bool{".": true}
	for queue := []string{"."}; len(queue) > 0; queue = queue[1:] {
		imports, err := readPackage(root, queue[0], func(place string) { found[place] = calendar[place] })
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range imports {
			if !seen[dir] {
				seen[dir] = true
				queue = append(queue, dir)
			}
		}
	}
	if !seen["internal/node"] || !seen["garp"] || len(seen) < 15 {
		t.Errorf("looked at %d packages only", len(seen))
	}
	if diff := cmp.Diff(calendar, found); diff != "" {
		t.Errorf("places that read calendar time (-known +found):\n%s", diff)
	}
}

// readPackage calls report with each place of a package, tests aside, that reads calendar time, and returns the
// packages of this module that it imports.
func readPackage(root, dir string, report func(place string)) (imports []string, err error) {
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no Go files in %s: %v", dir, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		packages := make(map[string]bool)
		for _, spec := range file.Imports {
			importPath, _ := strconv.Unquote(spec.Path.Value)
			packages[path.Base(importPath)] = true
			if inner, ok := strings.CutPrefix(importPath, "wackamole/"); ok {
				imports = append(imports, inner)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			what := selector.Sel.Name
			if x, ok := selector.X.(*ast.Ident); ok && packages[x.Name] {
				if slices.Contains(made[x.Name], what) {
					report(path.Join(filepath.ToSlash(dir), path.Base(name)) + ": " + x.Name + "." + what)
				}
			} else if slices.Contains(taken, what) {
				report(path.Join(filepath.ToSlash(dir), path.Base(name)) + ": " + what)
			}
			return true
		})
	}
	return imports, nil
}
