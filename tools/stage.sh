#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Print a folder that holds both plugins and that EAL accepts for `-d`.
#
# EAL refuses a plugin below a folder that anyone may write to, /tmp for instance. So this is
# BUILD_DIR/plugins, links to what was built, unless BUILD_DIR lies below such a folder: then
# copies are installed in a private folder of root's below /run.
#
# Usage: stage.sh [BUILD_DIR]
set -eu
tools=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-$tools/../build/rel}" && pwd -P)
plugins="$build/drivers/net/iovtee/librte_net_iovtee.so
$build/drivers/net/emunic/librte_net_emunic.so"

die() { echo "stage: $*" >&2; exit 1; }

for plugin in $plugins; do
	[ -e "$plugin" ] || die "$plugin does not exist; run make build"
done

# Is PATH, or a folder above it, writable for others?
exposed() {
	path=$1
	while :; do
		case $(stat -c %A "$path") in
		????????w?) return 0 ;;
		esac
		[ "$path" != / ] || return 1
		path=$(dirname "$path")
	done
}

if exposed "$build"; then
	stage=/run/iovtee-stage-$(printf %s "$build" | sha256sum | cut -c 1-12)
	"$tools/as-root.sh" install -d -m 755 "$stage"
	"$tools/as-root.sh" install -m 755 -t "$stage" $plugins
else
	stage=$build/plugins
	mkdir -p "$stage"
	ln -sf -t "$stage" $plugins
fi
echo "$stage"
