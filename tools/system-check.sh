#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tests that need whole machines, kernels and packages of their own and take longer than `make check`
# has: every tests/system/*/run, with the release build.
#
# Usage: system-check.sh HUGEPAGES
set -eu
cd "$(dirname "$0")/.."
pages=${1:?usage: system-check.sh HUGEPAGES}
logs=build/system-check
deadline=$(($(date +%s) + 3 * 3600))
. tools/suites.sh

build rel
suite hugepages 60 sh -c 'tools/hugepages.sh "$0" && echo "ok hugepages"' "$pages"
as_root=tools/as-root.sh
for run in tests/system/*/run; do
	name=${run%/run}
	suite "${name##*/}" 2700 "$run"
done

conclude
