#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run a command as root: directly, or through sudo.
# `as-root.sh true` only checks that this is possible.
set -eu

[ "$(id -u)" -ne 0 ] || exec "$@"

if ! command -v sudo >/dev/null 2>&1; then
	echo "as-root: root is needed, but this is user $(id -un) and sudo is not installed;" \
		'run make as root, or install sudo' >&2
	exit 1
fi
if ! sudo -v; then
	echo "as-root: sudo refuses user $(id -un); run make as root, or as a user whom sudo permits" >&2
	exit 1
fi
exec sudo DEBIAN_FRONTEND=noninteractive "$@"
