#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Print the folder that DPDK loads drivers from at start: LIBDIR/dpdk/pmds-<abi>.
# Debian's libdpdk.pc has no driverdir variable, so the folder is found by its name.
set -eu
libdir=${1:?usage: driver-dir.sh LIBDIR}
abi=$(basename "$(readlink -f "$libdir/librte_eal.so")" | sed 's/^librte_eal\.so\.//')
dir=$libdir/dpdk/pmds-$abi
[ -d "$dir" ] || dir=$(find "$libdir/dpdk" -maxdepth 1 -name "pmds-${abi%%.*}*" | sort | tail -n 1)
[ -n "$dir" ] || { echo "driver-dir: no $libdir/dpdk/pmds-$abi; is dpdk installed?" >&2; exit 1; }
echo "$dir"
