#!/bin/sh
# Searches the model exhaustively within three bounds, and shows that it finds how
# the original breaks. Needs spin and gcc; a minute or two, half a gigabyte.
set -eu
model=$(cd "$(dirname "$0")" && pwd)/wackamole.pml
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# search BOUNDS: the report of a search to its end or to the first error
search() {
	spin -a $1 "$model"
	gcc -O1 -w -DSAFETY -DCOLLAPSE -DNOREDUCE -DMEMLIM=1900 -o pan pan.c
	./pan -m100000 -w22 >report 2>&1
	grep -q 'Search not completed' report && ! grep -q 'assertion violated' report && { cat report; exit 1; }
	printf '%s: %s\n' "$1" "$(grep -E 'errors:|states, stored|elapsed|assertion violated' report | tr -s ' \n' ' ')"
}

for bounds in "-DSPLITS=1 -DMERGES=1 -DRESTARTS=1" \
	"-DSPLITS=2 -DMERGES=2 -DMATURE=1" \
	"-DSPLITS=1 -DMERGES=2 -DMATURE=1 -DAPART=1 -DPREFERS=1"; do
	search "$bounds"
	grep -q 'errors: 0' report || { cat report; exit 1; }
done
search "-DSPLITS=1 -DMERGES=2 -DMATURE=1 -DAPART=1 -DORIGINAL"
grep -q 'errors: 1' report || { echo "the model does not find how the original breaks"; exit 1; }
