#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life-cycle tests, about 1,000 cycles each, with the release build or the one with sanitizers: a quarter of an
# hour and more.
#
# Usage: soak.sh [rel|asan]
set -eu
cd "$(dirname "$0")/.."
kind=${1:-rel}
status=0

# soak FACTOR TEST: a test that repeats something, so many times as often as in `make check`.
soak() {
	IOVTEE_SOAK=$1 tools/as-root.sh tests/integration/run --verbose --build "build/$kind" --only "$2" || status=1
}

tools/setup.sh check
tools/build.sh "$kind"
soak 56 'frontend-killed-*'
soak 17 'frontend-queue-restart-*'
soak 50 'frontend-reply-time-*'
exit "$status"
