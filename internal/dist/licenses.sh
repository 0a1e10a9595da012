#!/bin/sh
# Collects the licences of what is linked into the binary: licenses.sh DIRECTORY.
set -eu

go=${GO:-go}
mkdir -p "$1"
cp "$("$go" env GOROOT)/LICENSE" "$1/go"
GOOS=linux CGO_ENABLED=0 "$go" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' . | sort -u |
	while read -r module folder; do
		install -m 644 "$folder/LICENSE" "$1/$(echo "$module" | tr / _)"
	done
