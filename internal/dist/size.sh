#!/bin/sh
# Prints the size of each binary dist/TARGET/wackamole, as it is and as xz packs
# it, and fails where one is over its budget.
set -eu

# TARGET: bytes, bytes packed. 3.1 MiB and 800 KiB, 2.9 MiB and 850 KiB.
budget() {
	case $1 in
	mipsle) echo 3250585 819200 ;;
	armv5) echo 3040870 870400 ;;
	esac
}

status=0
printf '%-10s %9s %9s\n' target bytes xz
for target in $("$(dirname "$0")/build.sh"); do
	file=dist/$target/wackamole
	raw=$(wc -c <"$file")
	packed=$(xz -9e -T1 -c "$file" | wc -c)
	note=
	# shellcheck disable=SC2046 # two words, or none
	set -- $(budget "$target")
	if [ $# = 2 ]; then
		note="budget $1, $2"
		if [ "$raw" -gt "$1" ] || [ "$packed" -gt "$2" ]; then
			note="OVER $note"
			status=1
		fi
	fi
	printf '%-10s %9d %9d  %s\n' "$target" "$raw" "$packed" "$note"
done
exit $status
