#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Build and test in other Debian releases, with the DPDK and the Open vSwitch that each has, and close with
# `N passed, N failed, N skipped`.
#
# Usage: check-matrix.sh [PATTERN...]    (of integration tests; all, if none is given)
#
# SUITES names the releases (default: trixie). The first run downloads each into build/cache (1.5 GB); later ones need no
# network. DPDK_SOURCE: see driver-headers.sh.
set -eu
cd "$(dirname "$0")/.."

tools/setup.sh matrix
logs=build/matrix
mkdir -p "$logs"
only=
for pattern in "$@"; do
	only="$only --only $pattern"
done

# What is run in a release; a step that reports nothing of its own is one test.
# shellcheck disable=SC2016 # expanded there
steps='
	step() { name=$1; shift; if "$@"; then echo "ok $name"; else echo "not ok $name - exit status $?"; fi; }
	step setup tools/setup.sh check
	dpkg-query -W -f "# \${Package} \${Version}\n" libdpdk-dev openvswitch-switch-dpdk
	step build-rel tools/build.sh rel
	step build-clang tools/build.sh clang
	step unit-rel tools/unit-tests.py rel
	set -f
	step integration tests/integration/run'

for suite in ${SUITES:-trixie}; do
	echo "== $suite"
	log=$logs/$suite.log
	tools/as-root.sh env "DPDK_SOURCE=${DPDK_SOURCE-}" timeout 2400 tools/debian-chroot.sh "$suite" sh -c "$steps $only" < /dev/null > "$log" 2>&1 ||
		echo "not ok $suite - exit status $?" >> "$log"
	grep -aE '^(ok|not ok|skip|#) ' "$log" || true
done

count() { cat "$logs"/*.log | grep -ac "^$1 " || true; }
failed=$(count 'not ok')
echo "$(count ok) passed, $failed failed, $(count skip) skipped"
[ "$failed" -eq 0 ] || { echo "logs: $logs"; exit 1; }
