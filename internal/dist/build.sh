#!/bin/sh
# Builds wackamole for one of the targets: build.sh TARGET FILE. Without arguments
# it lists the targets. VERSION and CONFIG come from the environment.
set -eu

if [ $# = 0 ]; then
	echo amd64 386 armv5 armv6 armv7 arm64 mips mipsle mips64 mips64le ppc64le riscv64
	exit
fi

version=${VERSION:-unknown}
config=${CONFIG:-/etc/wackamole.conf}
link="-s -w -X wackamole/internal/cli.Version=$version -X wackamole/internal/cli.DefaultConfig=$config"
small=no # for machines with a few megabytes of flash
tags=
inline=
case $1 in
armv[567])
	export GOARCH=arm GOARM="${1#armv}"
	small=yes
	link="$link -R 0x1000" # the page size of all 32-bit ARM kernels
	;;
mips | mipsle)
	export GOARCH="$1" GOMIPS=softfloat
	small=yes
	link="$link -R 0x4000" # the largest page size of 32-bit MIPS kernels in use
	# 76 KB for something to try out, on the smallest flash and with the longest code.
	tags=nospreadd
	inline=internal/strconv= # the one package that is smaller so
	;;
386)
	export GOARCH=386
	small=yes
	;;
*) export GOARCH="$1" ;;
esac
export GOOS=linux CGO_ENABLED=0
set -- "$2"
if [ "$small" = yes ]; then
	# Without inlining the code is a sixth smaller; the collector that Go had before
	# 1.26 is smaller too, and as good for a heap of a megabyte.
	export GOEXPERIMENT=nogreenteagc
	set -- "$1" -gcflags=all=-l ${inline:+-gcflags=$inline}
fi
output=$1
shift
exec "${GO:-go}" build -trimpath -buildvcs=false -tags="$tags" -ldflags="$link" "$@" -o "$output" .
