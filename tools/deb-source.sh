#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Download the source package PACKAGE=VERSION into FOLDER. apt does it, and checks the signature and the checksums; it is
# given the machine's own package sources, asked for source packages, and leaves its own state alone.
#
# Usage: deb-source.sh PACKAGE VERSION FOLDER
set -eu
package=${1:?usage: deb-source.sh PACKAGE VERSION FOLDER} version=$2

cd "$3"
mkdir -p apt/lists/partial apt/parts
trap 'rm -rf apt' EXIT

for f in /etc/apt/sources.list.d/*.sources; do
	[ -e "$f" ] || continue
	grep -q 'Components:.*main' "$f" &&
		sed 's/^Types:.*/Types: deb-src/' "$f" > "apt/parts/$(basename "$f")"
done
for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
	[ -e "$f" ] || continue
	grep -E '^deb[[:space:]].*[[:space:]]main([[:space:]]|$)' "$f" |
		sed 's/^deb[[:space:]]/deb-src /' >> apt/parts/all.list
done
set -- -q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$PWD/apt/parts" \
	-o "Dir::State::lists=$PWD/apt/lists" -o "Dir::Cache=$PWD/apt" -o APT::Sandbox::User=root \
	-o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30

# One of the machine's sources may be out of reach without harm, as long as another has the package.
apt-get "$@" update >&2 || true
if ! apt-get "$@" source --download-only "$package=$version" >&2 ||
	[ ! -e "${package}_${version#*:}.dsc" ]; then
	offered=$(apt-cache "$@" showsrc "$package" 2>/dev/null | sed -n 's/^Version: //p' | sort -u | xargs)
	echo "deb-source: the package archive does not deliver the source of $package $version, which is" \
		"installed; it offers: ${offered:-nothing (is it reachable?)}" >&2
	exit 1
fi
