#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Install the Debian packages that are missing. Does nothing, and needs no root, if none is.
#
# Usage: setup.sh build|check
set -eu
cd "$(dirname "$0")/.."

# The one list of packages: for building and the demo, and what the tests need besides.
build='gcc libc6-dev meson ninja-build pkg-config dpkg-dev python3 libdpdk-dev dpdk dpdk-dev
	libpcap-dev libcmocka-dev libjansson-dev iproute2'
check='clang clang-format libclang-rt-dev'

case ${1-} in
build) wanted=$build ;;
check) wanted="$build $check" ;;
*) echo 'usage: setup.sh build|check' >&2; exit 2 ;;
esac

if ! command -v apt-get >/dev/null 2>&1; then
	echo "setup: no apt-get here; expecting the likes of these to be installed:" $wanted >&2
	exit 0
fi

missing=
for package in $wanted; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
	installed) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# An index that is there already may do; a stale or absent one is renewed.
install() {
	tools/as-root.sh apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		$missing < /dev/null > "$log" 2>&1
}

tools/as-root.sh true
if ! install; then
	tools/as-root.sh apt-get update < /dev/null > "$log" 2>&1 || cat "$log" >&2
	if ! install; then
		cat "$log" >&2
		echo "setup: apt-get cannot install$missing; is the package archive reachable," \
			'and does this release have DPDK 22.11 or later?' >&2
		exit 1
	fi
fi
