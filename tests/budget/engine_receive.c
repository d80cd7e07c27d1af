/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine towards the guest: buffers harvested and completed, or filled by copying. */
#include <stdlib.h>

#include "budget.h"
#include "copy.h"
#include "guest.h"
#include "harvest.h"

struct bed {
	const struct budget_case *c;
	struct fake_guest guest;
	struct iovt_rxq *q;
	uint32_t len;
	struct iovt_buf bufs[BURST];
	uint8_t frame[2048];
};

static const struct iovt_vnet_hdr hdr = {.num_buffers = 1};

static void
released(void *ctx)
{
}

static void *
open_bed(const struct budget_case *c, const struct fake_format *format)
{
	struct bed *b = calloc(1, sizeof(*b));
	struct iovt_rxq_conf conf = {
		.lend_max = GUEST_RING,
		.hdr_len = GUEST_HDR,
		.mergeable = true,
		.nic_max = 1518,
		.release = released,
	};

	CHECK(b != NULL);
	b->c = c;
	b->len = budget_len(c);
	fake_frame_write(b->frame, 1, b->len);
	guest_open(&b->guest, format, false, 0, GUEST_RING);
	conf.ring = guest_ring(&b->guest);
	CHECK(iovt_rxq_create(&conf, &b->q) == 0);
	return b;
}

IOVT_INLINE void
note(void *ctx, size_t k, const struct iovt_buf *buf)
{
	((struct bed *)ctx)->bufs[k] = *buf;
}

IOVT_INLINE uint16_t
harvest(struct bed *b, const enum iovt_ring_format f, uint16_t n)
{
	return iovt_harvest(b->q, f, n, 0, note, b);
}

IOVT_INLINE uint16_t
complete_run(struct bed *b, const enum iovt_ring_format f, uint16_t n)
{
	struct iovt_rxq *const q = b->q;
	const uint32_t len = b->len;
	struct iovt_run run = iovt_run_start(q);
	uint16_t i;

	for (i = 0; i < n; i++) {
		const struct iovt_buf *buf = &b->bufs[i];

		if (!iovt_run_complete(&run, f, buf->id, buf->va + GUEST_HDR, len, &hdr))
			break;
	}
	iovt_run_stop(q, f, &run);
	return i;
}

IOVT_INLINE uint16_t
complete(struct bed *b, const enum iovt_ring_format f, uint16_t n)
{
	uint16_t done;

	if (!iovt_rx_begin(b->q))
		return 0;
	done = complete_run(b, f, n);
	iovt_rx_end(b->q, f);
	return done;
}

IOVT_INLINE uint16_t
copy(struct bed *b, const enum iovt_ring_format f, uint16_t n)
{
	uint16_t i;

	if (!iovt_rx_begin(b->q))
		return 0;
	for (i = 0; i < n; i++)
		if (iovt_rx_copy(b->q, f, b->frame, b->len, &hdr) < 0)
			break;
	iovt_rx_end(b->q, f);
	return i;
}

BUDGET_FOR_BOTH(harvest)
BUDGET_FOR_BOTH(complete)
BUDGET_FOR_BOTH(copy)

static void
lap(void *bed)
{
	struct bed *b = bed;
	bool split = b->q->vr.format == IOVT_SPLIT;

	if (b->c->way == COPIED) {
		stage_burst(b->c, COPY, split ? copy_split : copy_packed, b, NULL);
	} else {
		stage_burst(b->c, HARVEST, split ? harvest_split : harvest_packed, b, NULL);
		stage_burst(b->c, COMPLETE, split ? complete_split : complete_packed, b, NULL);
	}
	guest_turn(&b->guest, GUEST_HDR + b->len);
}

static void
close_bed(void *bed)
{
	struct bed *b = bed;
	struct iovt_vring_end end;

	iovt_rxq_close(b->q);
	CHECK(iovt_rxq_give_back(b->q, &end) == 0);
	iovt_rxq_put(b->q);
	fake_guest_fini(&b->guest);
	free(b);
}

const struct budget_bed engine_receive = {open_bed, lap, close_bed};
