#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Check the vhost baseline of iovtee-pvp with DPDK's own tools: one dpdk-testpmd forwards (io)
# between net_null and net_vhost and counts its busy cycles, a second one (macswap) is the NF.
#
# Usage: bench/testpmd-baseline.sh [FRAME_BYTES [SECONDS]]
#
# net_null takes the NIC's place because it needs no CPU: CPU 1 is the switch's, CPU 0 the NF's.
# What the NF does not take is dropped by the switch: a fair figure needs a TX-dropped near 0, that
# is an NF whose CPU nobody else uses.
set -eu

frame=${1:-64}
seconds=${2:-5}

dir=$(mktemp -d "${TMPDIR:-/tmp}/testpmd-baseline.XXXXXX")
switch='' nf=''
finish() {
	for pid in $nf $switch; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap finish EXIT
trap 'exit 130' INT TERM

wait_for() { # FILE TEXT
	for _ in $(seq 100); do
		grep -q "$2" "$1" && return
		sleep 0.1
	done
	echo "testpmd-baseline: no '$2' within 10 s; it said:" >&2
	cat "$1" >&2
	exit 1
}

# Commands reach each testpmd through a pipe that this shell keeps open.
mkfifo "$dir/switch.in" "$dir/nf.in"
dpdk-testpmd -l 0,1 --no-pci --in-memory --single-file-segments -m 256 \
	--log-level='lib.vhost.*:warning' \
	--vdev "net_null0,size=$((frame - 4))" --vdev "net_vhost0,iface=$dir/vhost.sock,queues=1" \
	-- -i --total-num-mbufs=8192 --rxd=256 --txd=256 --record-core-cycles --record-burst-stats \
	<"$dir/switch.in" >"$dir/switch.out" 2>&1 &
switch=$!
exec 8>"$dir/switch.in"
wait_for "$dir/switch.out" 'testpmd>'

dpdk-testpmd --lcores 0@0,1@0 --no-pci --in-memory --single-file-segments -m 256 \
	--vdev "net_virtio_user0,path=$dir/vhost.sock,queue_size=256" \
	-- -i --total-num-mbufs=8192 --forward-mode=macswap --port-topology=loop \
	<"$dir/nf.in" >"$dir/nf.out" 2>&1 &
nf=$!
exec 9>"$dir/nf.in"
wait_for "$dir/nf.out" 'testpmd>'

echo start >&9
echo start >&8
sleep 1
echo 'clear fwd stats all' >&8
sleep "$seconds"
echo 'show fwd stats all' >&8
sleep 0.5
# The NF goes first: without its socket it would end by itself.
echo quit >&9
wait "$nf"
nf=''
echo quit >&8
wait "$switch"
switch=''

echo "$frame-byte frames, $seconds s"
# The first report is the one that was asked for, testpmd prints a second one at its end.
sed '/cycles\/packet/q' "$dir/switch.out" |
	grep -E 'statistics for|RX-packets|TX-packets|bursts|cycles/packet' >"$dir/report"
cat "$dir/report"
# Port 1 is net_vhost: what it received has made the round trip.
awk '/for port 1/ { vhost = 1 }
	vhost && /RX-packets/ && !trips { trips = $2 }
	match($0, /total cycles=[0-9]+/) { cycles = substr($0, RSTART + 13, RLENGTH - 13) }
	END {
		if (!trips) exit 1
		printf "cycles per round trip: %.1f\n", cycles / trips
	}' "$dir/report"
