package rtnl

import "golang.org/x/sys/unix"

// confDir has a directory of settings for each interface, and "all".
const confDir = "/proc/sys/net/ipv4/conf"

// promote sees to it that deleting a primary address of the interface leaves its
// secondaries. changed reports whether the setting had to be changed for that.
//
// The files are read and written by plain system calls: the os package would
// set up the runtime's poller, which a guard process has no other use for.
func promote(dir, name string) (changed bool, err error) {
	own := dir + "/" + name + "/promote_secondaries"
	for _, path := range []string{dir + "/all/promote_secondaries", own} {
		if on, err := readSetting(path); err == nil && on {
			return false, nil
		}
	}
	fd, err := unix.Open(own, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("1\n"))
	return err == nil, err
}

// readSetting reports whether the setting is another number than 0.
func readSetting(path string) (bool, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	var b [16]byte
	n, err := unix.Read(fd, b[:])
	return err == nil && n > 0 && b[0] != '0', err
}
