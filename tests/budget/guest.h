/* SPDX-License-Identifier: BSD-3-Clause */
/* The guest of a budget's bed: it offers the same buffers over and over, and wants no notification. */
#ifndef BUDGET_GUEST_H
#define BUDGET_GUEST_H

#include "fake_guest.h"

#define GUEST_RING 256u
#define GUEST_HDR  12u

/*
 * A ring with so many buffers offered: empty ones of 2 KiB, or (sends) frames of len bytes, the same ones for
 * good.
 */
void guest_open(struct fake_guest *g, const struct fake_format *format, bool sends, uint32_t len,
	unsigned int offered);

/* Take back all that is used, each of used bytes, and offer it again. */
void guest_turn(struct fake_guest *g, uint32_t used);

/* The ring, as at the start, for the back end. */
struct iovt_vring_conf guest_ring(const struct fake_guest *g);

#endif
