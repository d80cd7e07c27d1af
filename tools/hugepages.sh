#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make sure that N hugepages of 2 MB are free, and that /dev/hugepages is mounted.
# The number of hugepages is only ever raised, and lasts until the next boot; if the kernel cannot
# give all that is asked for, it is left as it was.
#
# Usage: hugepages.sh N
set -eu
cd "$(dirname "$0")/.."
wanted=${1:?usage: hugepages.sh N}
pool=/sys/kernel/mm/hugepages/hugepages-2048kB

die() { echo "hugepages: $*" >&2; exit 1; }
get() { cat "$pool/$1_hugepages"; }
missing() { echo $((wanted - $(get free) + $(get resv))); }
set_nr() {
	tools/as-root.sh sh -c 'echo "$1" > "$2"' sh "$1" "$pool/nr_hugepages" ||
		die "cannot write $1 to $pool/nr_hugepages; in a container, do it on the host"
}

case $wanted in
*[!0-9]*) die "N is '$wanted', which is no number" ;;
esac
[ -d "$pool" ] || die "$pool does not exist: this kernel has no hugepages of 2 MB"

remedy='free some memory, or ask for fewer with make HUGEPAGES=N'
if [ "$(missing)" -gt 0 ]; then
	available=$(($(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 2048))
	[ "$(missing)" -lt "$available" ] ||
		die "$wanted free pages of 2 MB wanted, $(missing) more than there are, but there" \
			"is memory for $available only; $remedy"
	before=$(get nr)
	# The kernel may find more contiguous memory at a second attempt, after it compacted some.
	for _ in 1 2; do
		[ "$(missing)" -le 0 ] || set_nr $(($(get nr) + $(missing)))
	done
	if [ "$(missing)" -gt 0 ]; then
		short=$(missing)
		set_nr "$before"
		die "$wanted free pages of 2 MB wanted, the kernel gives $((wanted - short)): its" \
			"memory is in small pieces; reboot, or $remedy"
	fi
fi

if ! grep -q '^[^ ]* /dev/hugepages hugetlbfs ' /proc/self/mounts; then
	tools/as-root.sh mkdir -p /dev/hugepages
	tools/as-root.sh mount -t hugetlbfs -o pagesize=2M hugetlbfs /dev/hugepages ||
		die 'cannot mount hugetlbfs on /dev/hugepages; in a container, mount it on the host'
fi
