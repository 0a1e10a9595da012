// Package rundir finds and makes the directories in which the daemon keeps its pid file and its control
// socket. /var/run is empty after each boot on most systems, so that a directory in it that a package
// brought along is gone then.
package rundir

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// Absolute returns a path that stays right when the process changes its directory.
func Absolute(path string) (string, error) {
	if filepath.IsAbs(path) {
		return filepath.Clean(path), nil
	}
	directory, err := unix.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	return filepath.Join(directory, path), nil
}

// MakeFor makes the directories above file that are missing, with mode 0755 whatever the umask is.
// Directories that exist are left as they are.
func MakeFor(file string) error {
	return makeAll(filepath.Dir(file))
}

func makeAll(directory string) error {
	info, err := os.Stat(directory)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return fmt.Errorf("make directory %s: a file of that name is in the way", directory)
	case !os.IsNotExist(err):
		return fmt.Errorf("make directory %s: %w", directory, err)
	}
	if parent := filepath.Dir(directory); parent != directory {
		if err := makeAll(parent); err != nil {
			return err
		}
	}
	err = os.Mkdir(directory, 0o755)
	if os.IsExist(err) {
		return nil // another daemon was faster
	}
	if err == nil {
		err = os.Chmod(directory, 0o755)
	}
	if err != nil {
		return fmt.Errorf("make directory %s: %w", directory, err)
	}
	return nil
}
