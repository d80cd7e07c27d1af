#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Check what a compiler does not: formatting, layering, licence lines, scripts. Prints a line for
# each check: `ok NAME`, `not ok NAME - REASON` or `skip NAME - REASON`.
#
# Usage: lint.sh [--fix]    (--fix: format the C files, check nothing)
set -eu
cd "$(dirname "$0")/.."

# Every file of the project, committed or about to be.
files() {
	git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard -- "$@" |
		while read -r file; do
			[ ! -f "$file" ] || echo "$file"
		done
}

if [ "${1-}" = --fix ]; then
	files '*.c' '*.h' | xargs -r clang-format -i
	exit
fi

if ! command -v git >/dev/null 2>&1 || [ -z "$(files GNUmakefile)" ]; then
	echo 'skip lint - this is no git clone'
	exit
fi

failed=0

# check NAME COMMAND...: passes if COMMAND succeeds and prints nothing.
check() {
	name=$1
	shift
	if said=$("$@" 2>&1) && [ -z "$said" ]; then
		echo "ok lint-$name"
	else
		printf '%s\n' "$said" | sed 's/^/    /'
		echo "not ok lint-$name - see above"
		failed=1
	fi
}

# check_with TOOL NAME COMMAND...: the same, skipped where TOOL is not installed.
check_with() {
	if command -v "$1" >/dev/null 2>&1; then
		shift
		check "$@"
	else
		echo "skip lint-$2 - $1 is not installed"
	fi
}

# matches REGEX FILE_PATTERN...: lines that should not be there.
matches() {
	regex=$1
	shift
	files "$@" | xargs -r grep -nE -e "$regex" /dev/null || true
}

format() { files '*.c' '*.h' | xargs -r clang-format --dry-run -Werror; }

# The engine knows no DPDK; the drivers leave descriptors and rings to the engine.
engine_layer() { matches '#[[:space:]]*include[[:space:]]*[<"]rte_|\<(rte|RTE)_' 'lib/*.[ch]'; }
driver_layer() {
	matches '(->|\.)(desc|avail|used)(->|\[)|\<struct vring_[a-z_]+[[:space:]]*\*' 'drivers/*.[ch]'
}

licence() {
	files '*.c' '*.h' '*.py' '*.sh' '*meson.build' '*meson_options.txt' GNUmakefile .ci/run \
		tests/integration/run tests/budget/run tests/report/run tools/report/run \
		tools/report/stamp tools/ovs-add-pair tests/system/ovs/bench 'tests/system/*/run' |
		while read -r file; do
			head -n 2 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' ||
				echo "$file: no SPDX line"
		done
}

white_space() { matches '[[:space:]]+$' '*.[ch]' '*.sh' '*.py' '*.md' '*meson.build'; }

shell() { files '*.sh' .ci/run tools/ovs-add-pair | xargs -r shellcheck -S warning; }

python() {
	files '*.py' | while read -r file; do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file"
	done
}

check_with clang-format format format
check engine-layer engine_layer
check driver-layer driver_layer
check licence licence
check white-space white_space
check_with shellcheck shell shell
check_with python3 python python
exit "$failed"
