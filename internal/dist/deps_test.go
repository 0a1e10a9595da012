package dist

import (
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// never is what must not be linked into the binary: import paths, with those below
// where they end in a slash.
var never = []struct{ path, reason string }{
	{"wackamole/internal/lab/", "the laboratory belongs to tests and to make demo"},
	{"testing/", "it belongs to tests"},
	{"flag/", "internal/getopt does what is needed, without reflection"},
	{"log/", "internal/logger replaces it: nothing may wait for a log; log/slog and log/syslog weigh 100 KB and more"},
	{"net/http/", "4 MB: wackamole speaks no HTTP, and is no server for the world"},
	{"net/url/", "there are no URLs"},
	{"text/template/", "it calls methods by name, so that the linker keeps all methods there are"},
	{"html/", "the same"},
	{"regexp/", "160 KB; the parsers are written out"},
	{"encoding/json/", "250 KB and reflection; internal/jsontext writes what is needed"},
	{"encoding/xml/", "as encoding/json"},
	{"encoding/gob/", "as encoding/json"},
	{"encoding/hex/", "internal/fmt has %x"},
	{"encoding/base64/", "nothing uses it"},
	{"math/big/", "80 KB; comes with crypto"},
	{"crypto/", "500 KB; nothing here is secret or signed"},
	{"os/exec/", "searches PATH and brings pipes and goroutines; os.StartProcess starts hooks, perl and the guard"},
	{"os/user/", "reads what uids there are by the C library or by far too much code"},
	{"compress/", "nothing is compressed"},
	{"archive/", "nothing is archived"},
	{"go/", "there is no Go source at run time"},
	{"database/", "there is no database"},
	{"plugin/", "a static binary loads nothing"},
	{"runtime/pprof/", "brings compress/gzip and text/tabwriter; profiles are for tests"},
	{"runtime/trace/", "the same"},
	{"expvar/", "brings net/http"},
	{"runtime/cgo/", "the binary is static and has no C in it"},
	{"github.com/mdlayher/", "130 KB of sockets, log and random numbers for two sockets; the laboratory may have it"},
	{"github.com/google/go-cmp/", "it belongs to tests"},
	{"golang.org/x/net/", "comes with the above"},
	{"golang.org/x/sync/", "comes with the above"},
}

// reflecting is who may use reflection; its users keep types and methods alive.
var reflecting = []string{
	"fmt",              // imported by runtime/debug; the linker drops all of it
	"internal/fmtsort", // of fmt
	"encoding/binary",  // its byte orders need none, and the linker drops the rest
}

// symbols must not be in the binary although their packages are.
var symbols = []struct{ prefix, reason string }{
	{"fmt.Sprintf", "200 KB with reflection: internal/fmt writes messages"},
	{"fmt.Errorf", "the same"},
	{"fmt.(*pp)", "the same"},
	{"context.(*cancelCtx)", "40 KB with what it keeps of package time: internal/context ends what is to end"},
	{"strings.(*Replacer)", "20 KB"},
	{"reflect.Value.MethodByName", "the linker then keeps all exported methods"},
	{"reflect.Value.Method", "the same"},
}

// goTool runs the go command in the root of the repository.
func goTool(t *testing.T, environment []string, args ...string) string {
	t.Helper()
	c := exec.Command("go", args...)
	c.Dir = filepath.Join("..", "..")
	c.Env = append(append(os.Environ(), "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0"), environment...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no go command here")
	}
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

func TestLinkedPackages(t *testing.T) {
	out := goTool(t, []string{"GOOS=linux", "GOARCH=mipsle"}, "list", "-deps", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, ".")
	count := 0
	for line := range strings.Lines(out) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), " ")
		count++
		for _, n := range never {
			if strings.HasPrefix(path+"/", n.path) {
				t.Errorf("%s is linked in: %s", path, n.reason)
			}
		}
		if path == "net" {
			t.Error("net is linked in: 450 KB with dialer and resolver, 15 KB with its errors alone; there are internal/stream and internal/hosts")
		}
		if slices.Contains(strings.Fields(imports), "reflect") && !slices.Contains(reflecting, path) {
			t.Errorf("%s uses reflection", path)
		}
	}
	t.Logf("linked in, %d packages:\n%s", count, out)
	if !strings.Contains(out, "wackamole/internal/node ") {
		t.Error("the list lacks what is surely linked in")
	}
}

func TestLinkedSymbols(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "wackamole")
	goTool(t, nil, "build", "-o", binary, ".")
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is not static: it has a segment %v", p.Type)
		}
	}
	list, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	main := false
	for _, s := range list {
		main = main || s.Name == "main.main"
		for _, n := range symbols {
			if s.Name == n.prefix || strings.HasPrefix(s.Name, n.prefix+".") {
				t.Errorf("%s is linked in: %s", s.Name, n.reason)
			}
		}
	}
	if !main {
		t.Error("no symbol main.main: the list says nothing")
	}
}
