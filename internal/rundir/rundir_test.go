package rundir_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wackamole/internal/rundir"
)

func TestMakeFor(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	base := t.TempDir()
	kept := filepath.Join(base, "kept")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time everything is there
		if err := rundir.MakeFor(filepath.Join(kept, "wackamole", "a", "pid")); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]fs.FileMode{kept: 0o700, kept + "/wackamole": 0o755, kept + "/wackamole/a": 0o755} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %o", path, info.Mode(), err, want)
		}
	}
	if _, err := os.Stat(kept + "/wackamole/a/pid"); !os.IsNotExist(err) {
		t.Errorf("the file itself: %v", err)
	}
}

func TestMakeForFileInTheWay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wackamole")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := rundir.MakeFor(filepath.Join(file, "sock"))
	if err == nil || !strings.Contains(err.Error(), file+": a file of that name is in the way") {
		t.Errorf("error %v", err)
	}
	if err := rundir.MakeFor("relative-name"); err != nil {
		t.Errorf("the working directory: %v", err)
	}
}
