#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life-cycle tests, about CYCLES times each: with the release build, and then, with the sanitizers' one, guests of a
# packed ring that are killed; or all of them with the build that is given. Closes with the verdicts, and with how long
# guests waited for the replies to GET_VRING_BASE. 1,000 cycles (the default) take a third of an hour and more.
#
# Usage: soak.sh CYCLES [rel|asan]
set -eu
cd "$(dirname "$0")/.."
cycles=${1:?usage: soak.sh CYCLES [rel|asan]}
log=build/soak.log

# soak KIND NUMBER TEST: a test that repeats something NUMBER times in `make check`.
soak() {
	factor=$(((cycles + $2 - 1) / $2))
	{
		IOVTEE_SOAK=$factor tools/as-root.sh tests/integration/run --verbose --build "build/$1" --only "$3" ||
			echo "not ok soak of $3 - exit status $?"
	} 2>&1 | tee -a "$log"
}

# all KIND: every one of them.
all() {
	tools/build.sh "$1"
	soak "$1" 18 'frontend-killed-*'
	soak "$1" 60 'frontend-queue-restart-*'
	soak "$1" 20 'frontend-reply-time-*'
}

tools/setup.sh check
mkdir -p build
: > "$log"
if [ $# -gt 1 ]; then
	all "$2"
else
	all rel
	tools/build.sh asan
	soak asan 18 frontend-killed-packed
fi
echo
grep -E '^(ok|not ok|skip) | replies to ' "$log"
! grep -q '^not ok ' "$log"
