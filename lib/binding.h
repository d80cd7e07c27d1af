/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one guest receive buffer is doing. One binding per descriptor id of a virtqueue.
 *
 *             take                 complete
 *    FREE ------------> LENT ---------------------> FREE
 *      ^ ^               | ^
 *      | |      reclaim  | | lend again
 *      | |               v |
 *      | +----------- RECLAIMED
 *      |   give back
 *      |                 LENT ---------------------> LATE
 *      |                       give back               |
 *      +-----------------------------------------------+
 *                            reclaim
 *
 *  FREE       the guest's, or not offered
 *  LENT       with the NIC (posted) or, after the NIC filled it, with the switch. Who of the two
 *             is told by where the mbuf is, which nothing here decides on, so it is not recorded
 *  RECLAIMED  came back undelivered; the engine's, lent again first
 *  LATE       the guest's again, while the switch still holds the mbuf; no NIC does
 */
#ifndef IOVT_BINDING_H
#define IOVT_BINDING_H

#include <assert.h>
#include <stdint.h>

#include "barrier.h"

enum iovt_binding_state { IOVT_FREE, IOVT_LENT, IOVT_RECLAIMED, IOVT_LATE };

struct iovt_binding {
	uint8_t *va;    /* first byte of the virtio-net header, in our mapping */
	uint32_t len;   /* bytes, header included */
	uint16_t state; /* enum iovt_binding_state */
	uint16_t descs; /* slots that the chain takes in a packed ring */
};

/* The one place where a binding changes state. Under the queue's lock. */
IOVT_INLINE void
iovt_binding_move(struct iovt_binding *b, enum iovt_binding_state from, enum iovt_binding_state to)
{
	assert(b->state == from);
	(void)from;
	b->state = to;
}

#endif
