package hook

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wackamole/conf"
)

// elfFile makes an ELF file of one class and byte order with the given program headers: a type each,
// the dynamic one with the given DT_FLAGS_1.
func elfFile(wide bool, order binary.ByteOrder, kind uint16, flags1 uint64, headers ...uint32) []byte {
	const dynamicAt = 1024
	b := make([]byte, dynamicAt+64)
	copy(b, "\x7fELF\x01\x01")
	if wide {
		b[4] = 2
	}
	if order == binary.BigEndian {
		b[5] = 2
	}
	order.PutUint16(b[16:], kind)
	word := func(at int, v uint64) {
		if wide {
			order.PutUint64(b[at:], v)
		} else {
			order.PutUint32(b[at:], uint32(v))
		}
	}
	headerAt, size := 64, 32
	if wide {
		word(32, uint64(headerAt))
		size = 56
		order.PutUint16(b[54:], uint16(size))
		order.PutUint16(b[56:], uint16(len(headers)))
	} else {
		word(28, uint64(headerAt))
		order.PutUint16(b[42:], uint16(size))
		order.PutUint16(b[44:], uint16(len(headers)))
	}
	for i, h := range headers {
		at := headerAt + i*size
		order.PutUint32(b[at:], h)
		if wide {
			word(at+8, dynamicAt)
			word(at+32, 64)
		} else {
			word(at+4, dynamicAt)
			word(at+16, 32)
		}
	}
	step := 4
	if wide {
		step = 8
	}
	word(dynamicAt, 1) // DT_NEEDED
	word(dynamicAt+step, 7)
	word(dynamicAt+2*step, elfFlags1)
	word(dynamicAt+3*step, flags1)
	return b
}

func TestSharedObjects(t *testing.T) {
	for _, wide := range []bool{false, true} {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			tests := []struct {
				name string
				file []byte
				want bool
			}{
				{"shared object", elfFile(wide, order, 3, 1, 1, 2), true},
				{"shared object without headers", elfFile(wide, order, 3, 0), true},
				{"position-independent executable", elfFile(wide, order, 3, elfFlags1PIE, 1, 3, 2), false},
				{"static one", elfFile(wide, order, 3, elfFlags1PIE|1, 1, 2), false},
				{"executable", elfFile(wide, order, 2, 0, 1), false},
				{"object", elfFile(wide, order, 1, 0), false},
				{"cut in the headers", elfFile(wide, order, 3, 0, 1, 2)[:100], true},
				{"header only", elfFile(wide, order, 3, 0)[:40], false},
			}
			for _, tt := range tests {
				if got := isSharedELF(bytes.NewReader(tt.file)); got != tt.want {
					t.Errorf("%s, 64 bits %v, %v: %v", tt.name, wide, order, got)
				}
			}
		}
	}
	for _, text := range []string{"", "#!/bin/sh\nexit 0\n", "\x7fEL"} {
		if isSharedELF(strings.NewReader(text)) {
			t.Errorf("%q is taken for a shared object", text)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{self, "/bin/sh"} {
		if isSharedObject(program) {
			t.Errorf("%s is taken for a shared object", program)
		}
	}
	libraries, _ := filepath.Glob("/lib/*-linux-gnu/libm.so.6")
	for _, library := range libraries {
		if !isSharedObject(library) {
			t.Errorf("%s is not taken for a shared object", library)
		}
	}
}

func FuzzSharedELF(f *testing.F) {
	f.Add(elfFile(true, binary.LittleEndian, 3, elfFlags1PIE, 1, 2))
	f.Add(elfFile(false, binary.BigEndian, 3, 0, 1, 2, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		if isSharedELF(bytes.NewReader(data)) && !bytes.HasPrefix(data, []byte("\x7fELF")) {
			t.Error("a shared object that is no ELF file")
		}
	})
}

func TestCheckSaysWhatCannotRun(t *testing.T) {
	dir := t.TempDir()
	modules := filepath.Join(dir, "modules")
	if err := os.MkdirAll(filepath.Join(modules, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	shared := elfFile(true, binary.LittleEndian, 3, 0, 1, 2)
	for name, content := range map[string]string{"good": "#!/bin/sh\n", "old.so": string(shared), "plain": string(shared), "both": "#!/bin/sh\n", "both.so": string(shared)} {
		if err := os.WriteFile(filepath.Join(modules, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(modules, "noexec"), []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ module, want string }{
		{"good", ""},
		{"both", ""},
		{"old", modules + "/old.so is a shared object, which a static program cannot load: make an executable of it, " + modules + "/old,"},
		{"plain", modules + "/plain is a shared object"},
		{"old.so", modules + "/old.so is a shared object"},
		{"noexec", modules + "/noexec is not executable: chmod 755 it"},
		{"folder", modules + "/folder is not a file"},
		{"none", "no such file or directory: put an executable there, which gets the arguments f and on-up"},
	}
	for i, tt := range tests {
		c := &conf.Config{ModuleDir: "modules", Hooks: []conf.Hook{{
			Module: tt.module, Function: "f", Event: conf.OnUp, At: conf.Position{File: "w.conf", Line: i + 1, Column: 2},
		}}}
		problems := Check(c, dir) // the relative name counts from there
		if tt.want == "" {
			if len(problems) > 0 {
				t.Errorf("%s: %v", tt.module, problems)
			}
			continue
		}
		place := fmt.Sprintf("w.conf:%d:2: RunDynamic %s:f on up: ", i+1, tt.module)
		if len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), place) || !strings.Contains(problems[0].Error(), tt.want) {
			t.Errorf("%s: %v", tt.module, problems)
		}
	}
}

func TestNoPerl(t *testing.T) {
	hook := conf.Hook{Module: "My::Pack", Function: "act", Perl: true, Event: conf.PostUp}
	empty := t.TempDir()
	if err := os.Mkdir(filepath.Join(empty, "perl"), 0o755); err != nil { // a directory is no perl
		t.Fatal(err)
	}
	want := "there is no perl in " + empty + ": install it, or make the sub an executable, ModuleDir/My::Pack, " +
		"and write RunDynamic My::Pack:act post up"
	if _, err := resolvePerl(empty, hook); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := CheckPerl(t.Context(), &conf.Config{Hooks: []conf.Hook{{Module: "x", Function: "y"}}}, "/"); err != nil {
		t.Errorf("CheckPerl without a Perl hook: %v", err)
	}
}

// perlStage makes a runner of Perl hooks whose modules are written to the library directories. What it
// returns besides is what CheckPerl says.
func perlStage(t *testing.T, uses []string, subs []string, modules map[string]string) (*stage, error) {
	t.Helper()
	if _, err := resolvePerl(searchPath, conf.Hook{}); err != nil {
		t.Skip("there is no perl on this machine")
	}
	s := newStageOf(t, "quick", conf.OnUp)
	c := &conf.Config{ModuleDir: s.dir, PerlUse: uses, PerlUseLib: []string{"one", "two"}}
	for name, text := range modules {
		file := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range subs {
		i := strings.LastIndex(sub, "::")
		for _, kind := range []conf.Event{conf.OnUp, conf.OnDown, conf.PostUp, conf.PostDown} {
			c.Hooks = append(c.Hooks, conf.Hook{Module: sub[:i], Function: sub[i+2:], Perl: true, Event: kind, At: conf.Position{File: "w.conf", Line: 3, Column: 1}})
		}
	}
	if problems := Check(c, s.dir); len(problems) > 0 {
		t.Fatal(problems)
	}
	s.directory = s.dir
	s.Configure(c)
	return s, CheckPerl(t.Context(), c, s.dir)
}

// dumpModule prints its arguments, as the example of the original's manual does.
const dumpModule = `package Dump;
use strict;
use Data::Dumper;
$Data::Dumper::Sortkeys = $Data::Dumper::Indent = 1;
sub all { my $n = 0; print "argument ", ++$n, ": ", Dumper($_) for @_; print "end\n" }
1;
`

// TestPerlArguments: the sub gets the structure that the original's interpreter passes. What the original
// builds is a hash of four strings, an array of such hashes, and a hash whose ip is the owner's address.
func TestPerlArguments(t *testing.T) {
	if exec.Command("perl", "-MData::Dumper", "-e", "1").Run() != nil {
		t.Skip("there is no perl with Data::Dumper on this machine")
	}
	s, err := perlStage(t, []string{"Dump"}, []string{"Dump::all"}, map[string]string{"one/Dump.pm": dumpModule})
	if err != nil {
		t.Fatal(err)
	}
	hash := func(indent, name, ip, broadcast, netmask string) string {
		return fmt.Sprintf("{\n%[1]s  'broadcast' => '%[4]s',\n%[1]s  'ifname' => '%[2]s',\n%[1]s  'ip' => '%[3]s',\n%[1]s  'netmask' => '%[5]s'\n%[1]s}",
			indent, name, ip, broadcast, netmask)
	}
	zero := hash("", "", "0.0.0.0", "0.0.0.0", "0.0.0.0")
	tests := []struct {
		event                change
		first, others, owner string
	}{
		{
			event(conf.OnUp, "10.77.0.1", "eth0:10.0.0.5/24", "br-lan.100:192.0.2.5/32", "eth1:10.1.1.1/8"),
			hash("", "eth0", "10.0.0.5", "10.0.0.255", "255.255.255.0"),
			"[\n  " + hash("  ", "br-lan.100", "192.0.2.5", "192.0.2.5", "255.255.255.255") + ",\n  " +
				hash("  ", "eth1", "10.1.1.1", "10.255.255.255", "255.0.0.0") + "\n]",
			hash("", "", "10.77.0.1", "0.0.0.0", "0.0.0.0"),
		},
		{
			event(conf.OnDown, "", "eth0:10.0.0.5/24"),
			hash("", "eth0", "10.0.0.5", "10.0.0.255", "255.255.255.0"), "[]", zero,
		},
		{event(conf.PostUp, ""), zero, "[]", zero},
	}
	for _, tt := range tests {
		s.Run(tt.event)
		prefix := fmt.Sprintf("hook Dump::all %v: ", tt.event)
		want := fmt.Sprintf("argument 1: $VAR1 = %s;\nargument 2: $VAR1 = %s;\nargument 3: $VAR1 = %s;\n", tt.first, tt.others, tt.owner)
		var got strings.Builder
		for line := range s.log.lines {
			text, ok := strings.CutPrefix(line, prefix)
			if !ok {
				t.Fatalf("line %q", line)
			}
			if text == "end" {
				break
			}
			got.WriteString(text + "\n")
		}
		if got.String() != want {
			t.Errorf("%v:\ngot\n%s\nwant\n%s", tt.event, got.String(), want)
		}
	}
}

// As with "use lib", the directory that is named last is searched first; PerlUse may import; a sub found
// by AUTOLOAD or without a package counts.
func TestPerlModules(t *testing.T) {
	s, err := perlStage(t, []string{"Where", "List::Util qw(max)"}, []string{"Where::tell"}, map[string]string{
		"one/Where.pm": "package Where; sub tell { print qq(one\\n) } 1;",
		"two/Where.pm": "package Where; our $AUTOLOAD; sub AUTOLOAD { print qq(two $AUTOLOAD ), main::max(3, 7), ' ', scalar(@ARGV), qq(\\n); 0 } 1;",
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	if got, want := <-s.log.lines, "hook Where::tell on-up 10.0.0.1: two Where::tell 7 0"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	s.Drain(time.Hour)
	if f, _ := s.Failures(); f != 0 {
		t.Error("a sub that returns 0 counts as failed")
	}
}

func TestPerlFailures(t *testing.T) {
	s, err := perlStage(t, []string{"Bad"}, []string{"Bad::dies"}, map[string]string{"one/Bad.pm": "package Bad; sub dies { die qq(no luck\\n) } 1;"})
	if err != nil {
		t.Error(err)
	}
	s.Run(event(conf.OnUp, "", "eth0:10.0.0.1/24"))
	for _, want := range []string{"hook Bad::dies on-up 10.0.0.1: no luck", "hook Bad::dies on-up 10.0.0.1 failed: exit status "} {
		if got := <-s.log.lines; !strings.HasPrefix(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	tests := []struct{ module, sub, want string }{
		{"package Bad; sub other {} 1;", "Bad::dies", "there is no sub Bad::dies: does PerlUse load the module that has it?"},
		{"package Bad; sub dies { 1 + }", "Bad::dies", "syntax error"},
		{"", "Bad::dies", "did not return a true value"},
	}
	for _, tt := range tests {
		_, err := perlStage(t, []string{"Bad"}, []string{tt.sub}, map[string]string{"two/Bad.pm": tt.module})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "w.conf:3:1: Perl hooks cannot run: exit status") {
			t.Errorf("%q: error %v", tt.module, err)
		}
	}
	_, err = perlStage(t, []string{"No::Such::Module"}, []string{"Bad::dies"}, nil)
	if err == nil || !strings.Contains(err.Error(), "No/Such/Module.pm") {
		t.Errorf("error %v", err)
	}
}
