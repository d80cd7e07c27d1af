#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run the built iovtee-pvp with the built plugins.
#
# Usage: pvp.sh HUGEPAGES [iovtee-pvp options]
set -eu
cd "$(dirname "$0")/.."
pages=${1:?usage: pvp.sh HUGEPAGES [iovtee-pvp options]}
shift

tools/hugepages.sh "$pages"
plugins=$(tools/stage.sh build/rel)
cpus=$(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0))[:2], sep=",")')

# The program links a plugin as a library too: it must be the file that EAL loads. All memory is
# taken at the start: a guest in the same process cannot answer while EAL adds some. With virtual
# addresses as IOVAs, the backend's own mapping of that guest's memory has IOVAs of its own.
exec tools/as-root.sh env "LD_LIBRARY_PATH=$plugins" "$PWD/build/rel/apps/iovtee-pvp/iovtee-pvp" \
	-l "$cpus" -m "$pages" --iova-mode=va --no-pci --single-file-segments --file-prefix="iovtee-pvp-$$" \
	-d "$plugins" --log-level=lib.vhost.config:warning -- "$@"
