#!/bin/sh
# Starts each binary dist/TARGET/wackamole under qemu's user emulation: it must tell
# its version and accept the sample configuration. Needs qemu-user-static. A PC
# runs its own two kinds itself, as qemu-i386 does not know threads as Go has them.
set -u

status=0
for target in $("$(dirname "$0")/build.sh"); do
	case $target in
	amd64) machine=x86_64 ;;
	386) machine=i386 ;;
	armv*) machine=arm ;;
	arm64) machine=aarch64 ;;
	mipsle) machine=mipsel ;;
	mips64le) machine=mips64el ;;
	*) machine=$target ;;
	esac
	set -- "dist/$target/wackamole"
	case $(uname -m)/$machine in
	x86_64/x86_64 | x86_64/i386) ;;
	*) set -- "qemu-$machine-static" "$@" ;;
	esac
	if version=$("$@" -v) && "$@" -t -c internal/dist/wackamole.conf.sample >/dev/null 2>&1; then
		echo "$target: $version"
	else
		echo "$target: does not work"
		status=1
	fi
done
exit $status
