#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run a command in another Debian release, on this tree, as root.
#
# The release is a folder, build/cache/SUITE, made by debootstrap at the first call. The command sees this tree, which
# it cannot write, as /iovtee; its build folder there is build/matrix/SUITE here. All is mounted in a mount namespace
# and run in a PID namespace of its own: both are gone with the command, however it ends. DPDK_SOURCE, a folder for
# driver-headers.sh, is handed on.
#
# Usage: debian-chroot.sh SUITE COMMAND...
set -eu
tree=$(cd "$(dirname "$0")/.." && pwd -P)
suite=${1:?usage: debian-chroot.sh SUITE COMMAND...}
shift
root=$tree/build/cache/$suite
build=$tree/build/matrix/$suite
mirror=http://deb.debian.org/debian

bootstrap() {
	rm -rf "$root.partial"
	mkdir -p "$tree/build/cache"
	echo "debian-chroot: making $root"
	debootstrap --variant=minbase "$suite" "$root.partial" "$mirror" > "$root.log" 2>&1 ||
		{ cat "$root.log" >&2; echo "debian-chroot: debootstrap $suite failed; is $mirror reachable?" >&2; exit 1; }
	cat > "$root.partial/etc/apt/sources.list" <<-END
		deb $mirror $suite main
		deb $mirror $suite-updates main
		deb $mirror-security $suite-security main
	END
	mkdir "$root.partial/iovtee"
	mv "$root.partial" "$root"
}

# In the namespaces: nothing that is mounted here is seen outside.
enter() {
	mount --make-rprivate /
	mount --bind "$root" "$root" # programs may want / to be a mount point
	mount --bind "$tree" "$root/iovtee"
	mount -o remount,bind,ro "$root/iovtee"
	mount --bind "$build" "$root/iovtee/build"
	mount -t proc proc "$root/proc"
	mount --rbind /sys "$root/sys"
	mount --rbind /dev "$root/dev"
	mount -t tmpfs -o mode=755 tmpfs "$root/run"
	if [ -n "${DPDK_SOURCE-}" ]; then
		mkdir -p "$root/run/dpdk-source"
		mount --bind "$DPDK_SOURCE" "$root/run/dpdk-source"
	fi
	cp -L /etc/resolv.conf "$root/etc/resolv.conf"
	exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		${DPDK_SOURCE:+DPDK_SOURCE=/run/dpdk-source} sh -c 'cd /iovtee && exec "$@"' sh "$@"
}

[ "$(id -u)" -eq 0 ] || { echo 'debian-chroot: must be root' >&2; exit 1; }
if [ "${IOVTEE_CHROOT-}" = entered ]; then
	enter "$@"
fi
[ -d "$root" ] || bootstrap
mkdir -p "$build"
IOVTEE_CHROOT=entered exec unshare --mount --pid --fork --kill-child "$0" "$suite" "$@"
