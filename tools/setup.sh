#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Install the Debian packages that are missing. Does nothing, and needs no root, if none is.
#
# Usage: setup.sh build|report|budget|check|system|matrix
set -eu
cd "$(dirname "$0")/.."

# The one list of packages: for building and the demo, for make bench-report and make budget, what the tests
# need besides, and what tests/system and make check-matrix do.
build='gcc libc6-dev meson ninja-build pkg-config dpkg-dev python3 libdpdk-dev dpdk dpdk-dev
	libpcap-dev libcmocka-dev libjansson-dev iproute2'
report='gnuplot-nox'
budget='valgrind'
check='git clang clang-format libclang-rt-dev openvswitch-switch-dpdk shellcheck spin'
system='autoconf iputils-ping procps podman runc iperf3 qemu-system-x86 ethtool openvswitch-switch-dpdk'
matrix='debootstrap'

case ${1-} in
build) wanted=$build ;;
report) wanted="$build $report" ;;
budget) wanted="$build $budget" ;;
check) wanted="$build $report $budget $check" ;;
system) wanted="$build $system" ;;
matrix) wanted=$matrix ;;
*) echo 'usage: setup.sh build|report|budget|check|system|matrix' >&2; exit 2 ;;
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
policy=/usr/sbin/policy-rc.d
new_policy=
new_services=
case $missing in *openvswitch*) new_services='openvswitch-switch' ;; esac
case $missing in *podman*) new_services="$new_services podman.socket podman podman-restart" ;; esac

# The tests run Open vSwitch and podman by themselves: their services shall neither start now nor at boot.
forbid_services() {
	[ -e "$policy" ] && return
	new_policy=1
	printf '#!/bin/sh\nexit 101\n' | tools/as-root.sh sh -c "cat > $policy && chmod 755 $policy"
}
clean_up() {
	rm -f "$log"
	[ -z "$new_policy" ] || tools/as-root.sh rm -f "$policy"
	if [ -n "$new_services" ] && command -v systemctl >/dev/null 2>&1; then
		# shellcheck disable=SC2086 # a list of words
		tools/as-root.sh systemctl disable $new_services >/dev/null 2>&1 || true
	fi
}
trap clean_up EXIT

# An index that is there already may do; a stale or absent one is renewed.
install() {
	tools/as-root.sh apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=300 \
		$missing < /dev/null > "$log" 2>&1
}

tools/as-root.sh true
[ -z "$new_services" ] || forbid_services
if ! install; then
	tools/as-root.sh apt-get update < /dev/null > "$log" 2>&1 || cat "$log" >&2
	if ! install; then
		cat "$log" >&2
		echo "setup: apt-get cannot install$missing; is the package archive reachable," \
			'and does this release have DPDK 22.11 or later?' >&2
		exit 1
	fi
fi
