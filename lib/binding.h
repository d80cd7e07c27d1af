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
 *  RECLAIMED  came back undelivered; the engine's, lent again first. So is a chain that a copy takes from
 *             the ring, until it is delivered
 *  LATE       the guest's again, while the switch still holds the mbuf; no NIC does
 */
#ifndef IOVT_BINDING_H
#define IOVT_BINDING_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "barrier.h"
#include "inflight.h"

enum iovt_binding_state { IOVT_FREE, IOVT_LATE, IOVT_LENT, IOVT_RECLAIMED };

/* An entry of the queue's record, see inflight.h. */
struct iovt_binding {
	uint16_t state; /* enum iovt_binding_state */
	uint16_t descs; /* slots that the chain takes in a packed ring */
	uint32_t len;   /* bytes, header included */
	uint8_t *va;    /* first byte of the virtio-net header, in our mapping */
};
_Static_assert(IOVT_LATE < IOVT_IN_HAND && IOVT_LENT >= IOVT_IN_HAND, "who has what, in a record");
_Static_assert(offsetof(struct iovt_binding, state) == 0 &&
		offsetof(struct iovt_binding, descs) == 2,
	"how an entry of a record begins");

/* The one place where a binding changes state. Under the queue's lock. */
IOVT_INLINE void
iovt_binding_move(struct iovt_binding *b, enum iovt_binding_state from, enum iovt_binding_state to)
{
	assert(b->state == from);
	(void)from;
	iovt_program_order();
	IOVT_WRITE_ONCE(b->state, to);
}

#endif
