#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Print the folder that holds the source of the Open vSwitch that is installed, of which the tests are used.
#
# Usage: ovs-source.sh CACHE_DIR
#
# It is the distribution's source package of exactly the installed version, unpacked into CACHE_DIR; a filled cache is used
# without touching the network. Where the archive does not have that, OVS_SOURCE names a folder with the source of
# the same release, or a git directory that has its tag.
set -eu

cache=${1:?usage: ovs-source.sh CACHE_DIR}
tools=$(cd "$(dirname "$0")" && pwd)

die() { echo "ovs-source: $*" >&2; exit 1; }

version=$(dpkg-query -W -f '${source:Version}' openvswitch-switch-dpdk 2>/dev/null) ||
	die 'openvswitch-switch-dpdk is not installed'
release=$(echo "${version#*:}" | sed 's/[-+~].*//')

release_of() { sed -n 's/^AC_INIT(openvswitch, *\([0-9.]*\),.*/\1/p' "$1/configure.ac"; }

mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
out=$cache/openvswitch-$version
given=${OVS_SOURCE-}
if [ -e "$given/configure.ac" ]; then
	[ "$(release_of "$given")" = "$release" ] ||
		die "OVS_SOURCE=$given is Open vSwitch $(release_of "$given"), but $release is installed"
	(cd "$given" && pwd)
	exit 0
fi
if [ -n "$given" ]; then
	git --git-dir="$given" rev-parse -q --verify "v$release^{tree}" >/dev/null 2>&1 ||
		die "OVS_SOURCE=$given is neither a folder with the source of Open vSwitch nor a git directory with the tag v$release"
	out=$cache/openvswitch-git-$release
fi
if [ -e "$out/.complete" ]; then
	echo "$out"
	exit 0
fi

work=$(mktemp -d "$cache/openvswitch.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [ -n "$given" ]; then
	mkdir "$work/out"
	git --git-dir="$given" archive --output="$work/source.tar" "v$release"
	tar -xf "$work/source.tar" -C "$work/out"
else
	"$tools/deb-source.sh" openvswitch "$version" "$work" ||
		die "no source of openvswitch $version: set OVS_SOURCE to a folder with it, or to a git directory"
	(cd "$work" && dpkg-source --no-check -x openvswitch_*.dsc out >&2)
fi
touch "$work/out/.complete"
rm -rf "$out"
mv "$work/out" "$out"
echo "$out"
