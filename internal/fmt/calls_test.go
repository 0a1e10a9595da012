package fmt_test

import (
	"bytes"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const self = "wackamole/internal/fmt"

// TestCalls checks each call of this package in the whole program: the number of
// arguments, and that each is of a type that its verb takes. It does for this
// package what "go vet" does for the standard one, and what reflection does there.
func TestCalls(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("this machine has no go command that tells where compiled packages are")
	}
	list := exec.Command("go", "list", "-deps", "-export", "-f",
		`{{.ImportPath}} {{.Export}} {{.Dir}}{{range .GoFiles}} {{.}}{{end}}`, "wackamole")
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	c := &checker{t: t, files: token.NewFileSet()}
	exports := make(map[string]string)
	c.importer = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(exports[path])
	})
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 {
			continue // unsafe
		}
		path, directory, sources := fields[0], fields[2], fields[3:]
		exports[path] = fields[1]
		if strings.HasPrefix(path, "wackamole") && path != self {
			c.check(path, directory, sources)
		}
	}
	if c.calls < 200 {
		t.Errorf("found only %d calls: this test looks in the wrong place", c.calls)
	}
}

type checker struct {
	t        *testing.T
	files    *token.FileSet
	importer types.Importer
	calls    int
	uses     map[*ast.Ident]types.Object
	types    map[ast.Expr]types.TypeAndValue
}

func (c *checker) check(path, directory string, sources []string) {
	var parsed []*ast.File
	for _, name := range sources {
		f, err := parser.ParseFile(c.files, filepath.Join(directory, name), nil, parser.SkipObjectResolution)
		if err != nil {
			c.t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	c.uses, c.types = make(map[*ast.Ident]types.Object), make(map[ast.Expr]types.TypeAndValue)
	config := types.Config{Importer: c.importer}
	if _, err := config.Check(path, c.files, parsed, &types.Info{Uses: c.uses, Types: c.types}); err != nil {
		c.t.Fatal(err)
	}
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				c.call(call)
			}
			return true
		})
	}
}

// call checks a call of a function whose last parameters are a format and its
// arguments: one of this package, or one that hands them on to it.
func (c *checker) call(call *ast.CallExpr) {
	var name *ast.Ident
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f
	case *ast.SelectorExpr:
		name = f.Sel
	}
	f, ok := c.uses[name].(*types.Func)
	if !ok || call.Ellipsis.IsValid() {
		return
	}
	params := f.Signature().Params()
	at := params.Len() - 2
	if at < 0 || !f.Signature().Variadic() || !isString(params.At(at).Type()) || params.At(at+1).Type().String() != "[]any" {
		return
	}
	c.calls++
	position := c.files.Position(call.Pos())
	value := c.types[call.Args[at]].Value
	if value == nil || value.Kind() != constant.String {
		c.t.Errorf("%s: the format is not a constant", position)
		return
	}
	verbs := verbsOf(constant.StringVal(value))
	args := call.Args[at+1:]
	if len(args) != len(verbs) {
		c.t.Errorf("%s: %q has %d verbs and %d arguments", position, constant.StringVal(value), len(verbs), len(args))
		return
	}
	for i, arg := range args {
		if typ := c.types[arg].Type; !accepts(verbs[i], typ, f.FullName() == self+".Errorf") {
			c.t.Errorf("%s: %%%c does not take a %s", position, verbs[i], typ)
		}
	}
}

func verbsOf(format string) []byte {
	var verbs []byte
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		sharp := false
		for i++; i < len(format) && strings.IndexByte("-0#.123456789", format[i]) >= 0; i++ {
			sharp = sharp || format[i] == '#'
		}
		if i == len(format) || sharp && format[i] != 'x' {
			verbs = append(verbs, '!') // which nothing takes
		} else if format[i] != '%' {
			verbs = append(verbs, format[i])
		}
	}
	return verbs
}

var (
	errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)
	stringer  = types.NewInterfaceType([]*types.Func{types.NewFunc(0, nil, "String", types.NewSignatureType(nil, nil, nil, nil,
		types.NewTuple(types.NewVar(0, nil, "", types.Typ[types.String])), false))}, nil).Complete()
)

func isString(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

func accepts(verb byte, t types.Type, wraps bool) bool {
	basic, _ := t.(*types.Basic) // a named type is not one
	whole := basic != nil && basic.Info()&types.IsInteger != 0 && basic.Kind() != types.Uintptr
	slice, _ := t.(*types.Slice)
	octets := slice != nil && slice.Elem() == types.Typ[types.Byte] || slice != nil && slice.Elem() == types.Universe.Lookup("byte").Type()
	texts := isString(t) || octets
	speaks := types.Implements(t, errorType) || types.Implements(t, stringer)
	switch verb {
	case 's':
		return texts || speaks
	case 'q':
		return texts || speaks || whole
	case 'v':
		return texts || speaks || whole || basic != nil && basic.Info()&types.IsBoolean != 0
	case 'd', 'c':
		return whole
	case 'x':
		return whole || texts
	case 'w':
		return wraps && types.Implements(t, errorType)
	}
	return false
}

// TestAccepts shows that the check of the calls can fail.
func TestAccepts(t *testing.T) {
	named := types.NewNamed(types.NewTypeName(0, nil, "Level", nil), types.Typ[types.Int], nil)
	for _, c := range []struct {
		verb byte
		typ  types.Type
		want bool
	}{
		{'d', types.Typ[types.Int], true}, {'d', named, false}, {'v', named, false}, {'d', types.Typ[types.String], false},
		{'s', types.Typ[types.Int], false}, {'v', types.Typ[types.Bool], true}, {'s', types.Universe.Lookup("error").Type(), true},
		{'w', types.Typ[types.String], false}, {'x', types.NewSlice(types.Typ[types.Byte]), true}, {'v', types.NewSlice(types.Typ[types.String]), false},
		{'f', types.Typ[types.Float64], false}, {'!', types.Typ[types.String], false},
	} {
		if got := accepts(c.verb, c.typ, true); got != c.want {
			t.Errorf("%%%c of %s: %v", c.verb, c.typ, got)
		}
	}
}
