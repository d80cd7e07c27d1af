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

# One build folder, reported as one test.
build() { suite "build-$1" 420 sh -c 'tools/build.sh "$0" && echo "ok build-$0"' "$1"; }

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

suite lint 120 tools/lint.sh
for kind in rel clang asan tsan; do
	build "$kind"
done
suite hugepages 60 sh -c 'tools/hugepages.sh "$0" && echo "ok hugepages"' "$pages"
for kind in rel asan tsan; do
	suite "unit-$kind" 300 tools/unit-tests.py "$kind"
done
suite budget 300 tests/budget/run
suite report 120 tests/report/run
suite model 600 tests/model/run
as_root=tools/as-root.sh
suite integration 900 tests/integration/run
suite integration-asan 300 tests/integration/run --build build/asan --only nf-killed \
	--only 'frontend-[rkqem]*' --only 'offload-*' --only 'transmit-*'
suite integration-tsan 240 tests/integration/run --build build/tsan --only 'concurrent-*' \
	--only queues-16-trusted --only queues-strangers-port-restart --only 'switch-port-*' \
	--only 'frontend-reconnect-[sp]*' --only 'frontend-memory-table-*' \
	--only 'frontend-dirty-log-[sp]*' --only transmit-flood

conclude
