#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Configure, if need be, and build one of the build folders:
#   rel    gcc, release: what is installed and measured
#   clang  clang, compiled only to see its warnings
#   asan   the same under address and undefined-behaviour sanitizers
#   tsan   the same under the thread sanitizer
#
# Usage: build.sh rel|clang|asan|tsan
set -eu
cd "$(dirname "$0")/.."
kind=${1:?usage: build.sh rel|clang|asan|tsan}
dir=build/$kind

CC=gcc
# Where variables are in code that is inlined a lot takes a third of the time to find out.
debug='-Dbuildtype=debug -Doptimization=1 -Dc_args=-fno-var-tracking'
case $kind in
rel) options= ;;
clang) CC=clang options=-Doptimization=0 ;;
asan) options="$debug -Db_sanitize=address,undefined -Db_lundef=false" ;;
tsan) options="$debug -Db_sanitize=thread -Db_lundef=false" ;;
*) echo "build: unknown kind '$kind'; one of rel, clang, asan, tsan" >&2; exit 2 ;;
esac
export CC

# Say nothing unless it fails.
quietly() {
	"$@" > "$dir.log" 2>&1 || {
		cat "$dir.log" >&2
		echo "build: '$*' failed" >&2
		exit 1
	}
}

mkdir -p build
if [ ! -e "$dir/build.ninja" ]; then
	rm -rf "$dir"
	# shellcheck disable=SC2086 # a list of words
	quietly meson setup "$dir" "-Ddriver_headers=$PWD/build/cache" $options
fi
quietly ninja -C "$dir"
echo "build: $dir is up to date"
