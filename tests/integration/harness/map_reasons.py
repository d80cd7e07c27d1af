# SPDX-License-Identifier: BSD-3-Clause
"""Why zero-copy receive is not on: xstat map_reason, as drivers/net/iovtee/mapping.h has it."""
NO_GUEST = 2
SHARED_QUEUE = 6
NO_STEERING = 7
BUFFERS = 9
FEW_QUEUES = 13
DRIVER = 15
HEADROOM = 16
