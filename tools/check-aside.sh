#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The part of `make check` whose results do not depend on when it gets a CPU: check.sh runs it on what CPU time the
# tests of running switches leave.
#
# Usage: check-aside.sh LOGS DEADLINE (seconds since 1970)
set -eu
cd "$(dirname "$0")/.."
logs=${1:?usage: check-aside.sh LOGS DEADLINE}
deadline=${2:?usage: check-aside.sh LOGS DEADLINE}
. tools/suites.sh

suite lint 300 tools/lint.sh
build clang
suite budget 600 tests/budget/run
suite report 300 tests/report/run
suite model 1200 tests/model/run
