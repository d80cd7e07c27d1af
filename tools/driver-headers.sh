#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Print the folder that holds DPDK's driver headers (ethdev_driver.h, bus_vdev_driver.h ...).
#
# Usage: driver-headers.sh CACHE_DIR
#
# Installed headers win. Debian's libdpdk-dev ships none, so they are then taken from the
# distribution's source package of exactly the installed version: downloaded by apt, which checks
# the signature and the checksums, and unpacked (headers only) into CACHE_DIR. A filled cache is
# used without touching the network. Where the archive does not have that source, DPDK_SOURCE names a
# folder with DPDK's source of the same release, or a git repository of it, bare or not: its tag of the
# installed version is taken, else the last one of the same release (24.11.6 does for 24.11.8: what a
# release's drivers see is kept).
set -eu

cache=${1:?usage: driver-headers.sh CACHE_DIR}
tools=$(cd "$(dirname "$0")" && pwd)
headers='ethdev_driver.h ethdev_vdev.h ethdev_pci.h dev_driver.h bus_driver.h bus_vdev_driver.h'

die() { echo "driver-headers: $*" >&2; exit 1; }

incdir=$(pkg-config --variable=includedir libdpdk) || die 'libdpdk not found; install libdpdk-dev'
if [ -e "$incdir/ethdev_driver.h" ] && [ -e "$incdir/bus_vdev_driver.h" ]; then
	echo "$incdir"
	exit 0
fi

release() { echo "$1" | cut -d. -f1,2; }
dpdk_git() { git -c safe.directory='*' -C "$DPDK_SOURCE" "$@"; }

# Does DPDK_SOURCE hold a source of version $1's release?
is_source_of() {
	[ -e "$DPDK_SOURCE/VERSION" ] && [ "$(release "$(cat "$DPDK_SOURCE/VERSION")")" = "$(release "$1")" ]
}

# Unpack what drivers see from the repository DPDK_SOURCE, as version $1 has it or the last one of its release.
unpack_tag() {
	tags=$(dpdk_git tag --list --sort=-version:refname "v$(release "$1")" "v$(release "$1").*" | grep -v rc) ||
		die "DPDK $1 is installed; DPDK_SOURCE=$DPDK_SOURCE is no source of DPDK $(release "$1")," \
			'and no git repository with a tag of it'
	tag=$(echo "$tags" | grep -Fx "v$1" || echo "$tags" | head -n 1)
	unpacked=$(mktemp -d)
	trap 'rm -rf "$unpacked"' EXIT
	dpdk_git archive "$tag" VERSION lib drivers/bus/vdev | tar -x -C "$unpacked"
}

if [ -n "${DPDK_SOURCE-}" ]; then
	found=$(pkg-config --modversion libdpdk)
	unpacked=$DPDK_SOURCE
	is_source_of "$found" || unpack_tag "$found"
	out=$cache/dpdk-driver-headers-source-$(cat "$unpacked/VERSION")
	mkdir -p "$out"
	for h in $headers; do
		find "$unpacked/lib" "$unpacked/drivers/bus/vdev" -name "$h" -exec cp {} "$out" \;
		[ -e "$out/$h" ] || die "$h is not in DPDK_SOURCE=$DPDK_SOURCE"
	done
	(cd "$out" && pwd)
	exit 0
fi

version=$(dpkg-query -W -f '${source:Version}' libdpdk-dev 2>/dev/null) ||
	die "no driver headers in $incdir and libdpdk-dev is not a Debian package;" \
		'build DPDK with -Denable_driver_sdk=true'
found=$(pkg-config --modversion libdpdk)
case $version in
"$found"[-+~]*) ;;
*) die "pkg-config finds DPDK $found, but the package libdpdk-dev is $version; headers of one do" \
	'not fit the other: set PKG_CONFIG_PATH, or build DPDK with -Denable_driver_sdk=true' ;;
esac
out=$cache/dpdk-driver-headers-$version
if [ -e "$out/.complete" ]; then
	echo "$out"
	exit 0
fi

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
out=$cache/dpdk-driver-headers-$version
work=$(mktemp -d "$cache/headers.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$tools/deb-source.sh" dpdk "$version" "$work" ||
	die 'no source of dpdk. If a newer one is offered: apt-get update && apt-get install libdpdk-dev dpdk.' \
		'Else set DPDK_SOURCE to an unpacked source of DPDK'

cd "$work"
mkdir "$work/out"
for h in $headers; do
	member=$(tar -tf dpdk_*.orig.tar.* | grep "/\(lib\|drivers\)/.*/$h\$") ||
		die "$h is not in the source package dpdk=$version"
	tar -xf dpdk_*.orig.tar.* -O "$member" > "$work/out/$h"
done
touch "$work/out/.complete"
rm -rf "$out"
mv "$work/out" "$out"
echo "$out"
