/* SPDX-License-Identifier: BSD-3-Clause */
/* What tests of a hostile guest have in common: it offers by hand. */
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

/* Nowhere in guest memory. */
#define OUTSIDE UINT64_C(0x20000000)

/* Offer one descriptor. */
static inline void
offer(struct bed *b, uint16_t id, uint64_t gpa, uint32_t len, uint16_t flags)
{
	fake_guest_offer(&b->guest, id, &(struct fake_raw){gpa, len, flags}, 1);
}

/* Offer two that are linked. */
static inline void
offer_two(struct bed *b, uint16_t id, struct fake_raw first, struct fake_raw second)
{
	const struct fake_raw d[] = {first, second};

	fake_guest_offer(&b->guest, id, d, 2);
}

#endif
