#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Build everything, run every test, and close with `N passed, N failed, N skipped`.
#
# Usage: check.sh HUGEPAGES
set -eu
cd "$(dirname "$0")/.."
pages=${1:?usage: check.sh HUGEPAGES}
logs=build/check
deadline=$(($(date +%s) + 24 * 60))
. tools/suites.sh

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

for kind in rel asan tsan; do
	build "$kind"
done
chrt --idle 0 tools/check-aside.sh "$logs/aside" "$deadline" > "$logs/aside.log" 2>&1 &
aside=$!
trap 'kill "$aside" 2> /dev/null || true' EXIT
suite hugepages 60 sh -c 'tools/hugepages.sh "$0" && echo "ok hugepages"' "$pages"
for kind in rel asan tsan; do
	suite "unit-$kind" 300 tools/unit-tests.py "$kind"
done
as_root=tools/as-root.sh
suite integration 900 tests/integration/run -v
suite integration-asan 300 tests/integration/run -v --build build/asan --only nf-killed \
	--only 'frontend-[rkqe]*' --only 'frontend-m[!a]*' --only 'frontend-ma*-server' \
	--only 'offload-*' --only 'transmit-*'
suite integration-tsan 240 tests/integration/run -v --build build/tsan --only 'concurrent-*' \
	--only queues-16-trusted --only queues-strangers-port-restart --only 'switch-port-*' \
	--only frontend-reconnect-split --only frontend-memory-table-packed --only frontend-dirty-log-packed \
	--only transmit-flood
if wait "$aside"; then
	cat "$logs/aside/results"
else
	echo "not ok aside - exit status $?"
fi >> "$logs/results"
cat "$logs/aside.log"

conclude
