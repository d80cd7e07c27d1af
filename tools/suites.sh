# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Sourced by check.sh and system-check.sh: runs suites, collects their results, and counts them.
#
# Every suite is a command that prints a line for each test: `ok NAME`, `not ok NAME - REASON` or
# `skip NAME - REASON`. What else it prints is shown only if one failed. A suite that
# crashes, runs out of time or reports no test is itself one failed test.
#
# Set before: logs (a folder), deadline (seconds since 1970: all suites end before it, whatever hangs).
: "${logs:?}" "${deadline:?}"
as_root= # what puts a suite in root's hands
result='^\(ok\|not ok\|skip\) '

rm -rf "$logs"
mkdir -p "$logs"
: > "$logs/results"

# suite NAME SECONDS COMMAND...: run COMMAND, collect its results.
suite() {
	name=$1
	limit=$2
	shift 2
	echo "== $name"
	log=$logs/$name.log
	left=$((deadline - $(date +%s)))
	[ "$limit" -le "$left" ] || limit=$left
	status=0
	if [ "$limit" -gt 0 ]; then
		$as_root timeout -k 10 "$limit" "$@" < /dev/null > "$log" 2>&1 || status=$?
	else
		echo 'no time left' > "$log"
		status=124
	fi
	verdict "$name" "$status" "$limit"
	if grep -q '^not ok ' "$logs/$name.verdict"; then
		cat "$log" # the whole story
	else
		cat "$logs/$name.verdict"
	fi
	cat "$logs/$name.verdict" >> "$logs/results"
}

# build KIND: make a build folder, reported as one test.
build() { suite "build-$1" 420 sh -c 'tools/build.sh "$0" && echo "ok build-$0"' "$1"; }

# verdict NAME STATUS LIMIT: what the suite's log says, and what its exit status adds to that.
verdict() {
	grep -a "$result" "$logs/$1.log" > "$logs/$1.verdict" || true
	case $2 in
	124 | 137)
		echo "not ok $1 - ran out of its $3 seconds"
		;;
	0) # fine, if it did anything
		[ -s "$logs/$1.verdict" ] || echo "not ok $1 - reported no test"
		;;
	1) # the usual status if tests failed
		grep -q '^not ok ' "$logs/$1.verdict" || echo "not ok $1 - exit status 1"
		;;
	*)
		echo "not ok $1 - exit status $2"
		;;
	esac >> "$logs/$1.verdict"
}

count() { grep -c "^$1 " "$2" || true; }

# conclude: the closing line; true if nothing failed.
conclude() {
	failed=$(count 'not ok' "$logs/results")
	[ "$failed" -eq 0 ] || { echo; echo 'failed:'; grep '^not ok ' "$logs/results"; echo; }
	echo "$(count ok "$logs/results") passed, $failed failed, $(count skip "$logs/results") skipped"
	[ "$failed" -eq 0 ]
}
