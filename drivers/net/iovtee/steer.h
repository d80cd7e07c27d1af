/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steering (trust=0): the NIC sends a guest's frames, and nothing else, into its queue. With the control
 * lock held.
 */
#ifndef IOVTEE_STEER_H
#define IOVTEE_STEER_H

#include "mapping.h"

/** Install the rule for a guest's address. @return MAP_ON, or why that is not possible. */
enum map_reason steer_install(struct uplink *up, struct vhost_txq *q);
void steer_remove(struct uplink *up, struct vhost_txq *q);

/** A port restart may lose rules: take them out before it, install them again after it. */
void steer_park(struct uplink *up);
void steer_unpark(struct uplink *up);

/**
 * Take the queues of untrusted guests out of the RSS table. After start and after each change.
 * @return 0 or negative errno
 */
int steer_keep_exclusive(struct uplink *up);

#endif
