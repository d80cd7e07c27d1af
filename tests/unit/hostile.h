/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hostile guest does to a split ring of SIZE entries: writes it by hand. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "bed.h"

#define W VRING_DESC_F_WRITE
#define N VRING_DESC_F_NEXT
#define I VRING_DESC_F_INDIRECT

#define SIZE 16

/* How the back end may meet a bad chain. */
enum meeting { BY_HARVEST, BY_COPY, BY_PIECES, MEETINGS };

/* Good memory for a buffer. */
static inline uint64_t
good(const struct bed *b)
{
	return b->guest.mem.region[1].conf.gpa;
}

static inline void
offer(struct bed *b, uint16_t head)
{
	struct fake_split_ring *r = &b->guest.split;

	r->avail->ring[r->avail_idx++ & (SIZE - 1)] = head;
	__atomic_store_n(&r->avail->idx, r->avail_idx, __ATOMIC_RELEASE);
}

static inline void
desc(struct bed *b, uint16_t at, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	b->guest.split.desc[at] = (struct vring_desc){addr, len, flags, next};
}

#endif
