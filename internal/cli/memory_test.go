package cli

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"wackamole/conf"
	"wackamole/internal/fmt"
)

// fileMemory is how much of files is mapped and present, in KiB.
func fileMemory(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssFile:"); ok {
			n := 0
			for _, c := range strings.TrimSpace(rest) {
				if c < '0' || c > '9' {
					break
				}
				n = n*10 + int(c-'0')
			}
			return n
		}
	}
	t.Skip("this kernel does not tell RssFile")
	return 0
}

func TestForget(t *testing.T) {
	before := fileMemory(t)
	forget(programMappings())
	if after := fileMemory(t); after >= before {
		t.Errorf("%d KiB before, %d KiB after", before, after)
	}
	// What was forgotten is there again when it is needed.
	if got := fmt.Sprintf("%d %s", 5, Version); !strings.HasPrefix(got, "5 ") {
		t.Errorf("%q", got)
	}
}

// Starting a hook occupies a processor.
func TestSetProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, hooks := range [][]conf.Hook{{{}}, nil, {{}, {}}} {
		setProcessors(hooks)
		if got, want := runtime.GOMAXPROCS(0), 1+min(len(hooks), 1); got != want {
			t.Errorf("%d processors with %d hooks, want %d", got, len(hooks), want)
		}
	}
}
