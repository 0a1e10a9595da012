#!/bin/sh
# Packs the binaries dist/TARGET/wackamole: dist/wackamole-VERSION-linux-TARGET.tar.xz,
# with all that an appliance needs, and SHA256SUMS. The bytes depend on the
# sources alone: names in order, the date of the last commit (or
# SOURCE_DATE_EPOCH), no owner. Needs GNU tar and xz.
set -eu

version=${VERSION:-unknown}
here=$(dirname "$0")
date=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
rm -f dist/*.tar.xz dist/SHA256SUMS

"$here/licenses.sh" "$stage/licenses"
for target in $("$here/build.sh"); do
	name=wackamole-$version-linux-$target
	root=$stage/$name
	mkdir "$root"
	cp "dist/$target/wackamole" "$root/"
	ln -s wackamole "$root/wackatrl"
	ln "$root/wackamole" "$root/wackguard"
	cp "$here"/wackamole.8 "$here"/wackamole.conf.5 "$here"/wackatrl.8 "$here"/wackamole.conf.sample \
		"$here"/wackamole.init "$here"/wackamole.procd "$here"/wackamole.service README.md CHANGELOG.md "$root/"
	cp -r "$stage/licenses" "$root/"
	LC_ALL=C tar -C "$stage" --format=ustar --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX -cf - "$name" | xz -9e -T1 >"dist/$name.tar.xz"
done
cd dist
LC_ALL=C sha256sum -- *.tar.xz >SHA256SUMS
