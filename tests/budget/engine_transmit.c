/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine from the guest: packets taken, by copying or on loan, and loans returned. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "guest.h"
#include "transmit.h"

#define ROOM 2048u

struct bed {
	const struct budget_case *c;
	struct fake_guest guest;
	struct iovt_txq *q;
	uint32_t len;
	uint16_t ids[BURST];
	uint8_t copy[ROOM];
};

static void
released(void *ctx)
{
}

IOVT_INLINE enum iovt_tx_fate
copy_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	memcpy(((struct bed *)ctx)->copy, f->data, f->len);
	return IOVT_TX_COPIED;
}

IOVT_INLINE enum iovt_tx_fate
borrow_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct bed *b = ctx;

	if (!may_borrow)
		return copy_frame(ctx, k, f, false);
	b->ids[k] = f->id;
	return IOVT_TX_BORROWED;
}

/* The first packet, when the engine does not know the region of guest memory yet. */
static int
copy_pieces(void *ctx, size_t k, const struct iovt_pieces *packet)
{
	return packet->len <= ROOM ? 0 : -ENOMEM;
}

IOVT_INLINE uint16_t
take_copied(struct bed *b, const enum iovt_ring_format f, uint16_t n)
{
	unsigned int ready = iovt_tx_ready(b->q, f, n);
	unsigned int got = iovt_tx_take(b->q, f, ready, ROOM, IOVT_TX_READS_ALL, copy_frame,
		copy_pieces, b);

	iovt_tx_end(b->q, f);
	return got;
}

IOVT_INLINE uint16_t
take_borrowed(struct bed *b, const enum iovt_ring_format f, uint16_t n)
{
	const struct iovt_tx_reads reads = {0, 64};
	unsigned int ready, got;

	iovt_lock_take(&b->q->lock);
	ready = iovt_tx_ready(b->q, f, n);
	got = iovt_tx_take(b->q, f, ready, ROOM, reads, borrow_frame, copy_pieces, b);
	iovt_tx_end(b->q, f);
	iovt_lock_release(&b->q->lock);
	return got;
}

BUDGET_FOR_BOTH(take_copied)
BUDGET_FOR_BOTH(take_borrowed)

static uint16_t
give_back(void *bed, struct rte_mbuf **pkts, uint16_t n)
{
	struct bed *b = bed;

	iovt_txq_return(b->q, b->ids, n);
	return n;
}

static burst_fn
take(const struct bed *b)
{
	if (b->q->vr.format == IOVT_SPLIT)
		return b->c->way == COPIED ? take_copied_split : take_borrowed_split;
	return b->c->way == COPIED ? take_copied_packed : take_borrowed_packed;
}

/* What is on loan is shown to the guest one lap later. The first packet of all tells its region, and is copied. */
static void *
open_bed(const struct budget_case *c, const struct fake_format *format)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct iovt_txq_conf conf = {.hdr_len = GUEST_HDR, .release = released};

	CHECK(b != NULL);
	b->c = c;
	b->len = budget_len(c);
	guest_open(&b->guest, format, true, b->len, c->way == COPIED ? BURST : 2 * BURST);
	conf.ring = guest_ring(&b->guest);
	if (c->way != COPIED)
		conf.borrow_max = GUEST_RING;
	CHECK(iovt_txq_create(&conf, &b->q) == 0);
	CHECK(take(b)(b, NULL, 1) == 1 && b->q->nr_borrowed == 0);
	guest_turn(&b->guest, GUEST_HDR + b->len);
	return b;
}

static void
lap(void *bed)
{
	struct bed *b = bed;

	stage_burst(b->c, TAKE, take(b), b, NULL);
	if (b->c->way != COPIED)
		stage_burst(b->c, RETURN, give_back, b, NULL);
	guest_turn(&b->guest, GUEST_HDR + b->len);
}

static void
close_bed(void *bed)
{
	struct bed *b = bed;
	struct iovt_vring_end end;
	struct iovt_txq_stats stats;

	CHECK(iovt_txq_destroy(b->q, &end, &stats) == 0);
	CHECK(stats.ring_errors == 0);
	fake_guest_fini(&b->guest);
	free(b);
}

const struct budget_bed engine_transmit = {open_bed, lap, close_bed};
