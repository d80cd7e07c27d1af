/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "bed.h"

static void
count_release(void *ctx)
{
	__atomic_add_fetch((unsigned int *)ctx, 1, __ATOMIC_RELAXED);
}

void
bed_open(struct bed *b, uint16_t last_avail, uint16_t last_used)
{
	struct iovt_rxq_conf conf = {
		.ring = fake_guest_ring(&b->guest, last_avail, last_used),
		.lend_max = b->conf.lend_max != 0 ? b->conf.lend_max : b->conf.size,
		.hdr_len = b->conf.hdr_len,
		.mergeable = b->conf.mergeable,
		.nic_max = NIC_MAX,
		.log = b->conf.log,
		.inflight = {b->conf.record, BED_OWNER},
		.release = count_release,
		.ctx = &b->released,
	};

	CHECK(iovt_rxq_create(&conf, &b->q) == 0);
	b->queues++;
}

struct bed *
bed_new(const struct bed_conf *conf)
{
	const struct fake_guest_conf guest = {
		.format = conf->format,
		.size = conf->size,
		.start = conf->start,
		.hdr_len = conf->hdr_len,
		.mergeable = conf->mergeable,
		.event_idx = conf->event_idx,
		.one_view = conf->one_view,
	};
	struct bed *b = calloc(1, sizeof(*b));

	CHECK(b != NULL);
	b->conf = *conf;
	fake_guest_init(&b->guest, &guest);
	bed_open(b, conf->start, conf->start);
	return b;
}

unsigned int
bed_close(struct bed *b, uint16_t *last_avail, uint16_t *last_used)
{
	unsigned int released = b->released, late;
	struct iovt_rxq_stats stats;

	bed_check_accounts(b->q);
	iovt_rxq_close(b->q);
	bed_check_accounts(b->q);
	late = iovt_rxq_give_back(b->q, &b->end);
	*last_avail = b->end.last_avail;
	*last_used = b->end.last_used;
	stats = b->q->stats;
	bed_check_given_back(&stats);
	CHECK(b->released == released);
	iovt_rxq_put(b->q);
	CHECK(b->released == released + (late == 0));
	b->q = NULL;
	return late;
}

void
bed_free(struct bed *b)
{
	uint16_t last_avail, last_used;

	if (b->q != NULL)
		CHECK(bed_close(b, &last_avail, &last_used) == 0);
	CHECK(b->released == b->queues);
	fake_guest_fini(&b->guest);
	free(b);
}

uint16_t
bed_avail(const struct iovt_rxq *q)
{
	uint16_t last_avail, last_used;

	iovt_vq_bases(&q->vr, &last_avail, &last_used);
	return last_avail;
}

static uint64_t
not_held(const struct iovt_rxq_stats *s)
{
	return s->completed + s->copied_reclaimed + s->rewound + s->flushed + s->abandoned +
		s->late;
}

void
bed_check_accounts(const struct iovt_rxq *q)
{
	unsigned int lent = 0, reclaimed = 0;

	for (unsigned int i = 0; i < q->vr.size; i++) {
		lent += q->binding[i].state == IOVT_LENT;
		reclaimed += q->binding[i].state == IOVT_RECLAIMED;
	}
	CHECK(lent == q->nr_lent);
	CHECK(lent <= q->lend_max);
	CHECK(reclaimed == q->nr_reclaimed);
	for (unsigned int i = 0; i < reclaimed; i++)
		CHECK(q->binding[q->reclaimed[i]].state == IOVT_RECLAIMED);
	CHECK(q->stats.harvested == not_held(&q->stats) + lent + reclaimed);
	CHECK(q->stats.copied_reclaimed <= q->stats.copied_bufs);
	CHECK(q->stats.ring_errors == (q->state == IOVT_RXQ_BROKEN));
}

void
bed_check_given_back(const struct iovt_rxq_stats *s)
{
	CHECK(s->harvested == not_held(s));
}

void
bed_nic_fill(const struct bed *b, const struct iovt_buf *buf, uint64_t seq, uint32_t len)
{
	uint8_t *p = fake_mem_device(&b->guest.mem, buf->iova, buf->len);

	CHECK(buf->len >= b->conf.hdr_len + NIC_MAX);
	fake_frame_write(p + b->conf.hdr_len, seq, len);
	/* A NIC may write more than the frame. */
	memset(p + b->conf.hdr_len + len, 0x77, NIC_MAX - len);
	/* The header's place holds whatever it did: it must be written by the engine. */
	memset(p, 0xee, b->conf.hdr_len);
}

bool
bed_complete(struct bed *b, const struct iovt_buf *buf, uint64_t seq, uint32_t len)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);

	return iovt_rx_complete(b->q, b->q->vr.format, buf->id, buf->va + b->conf.hdr_len, len,
		&hdr);
}

void
bed_deliver(struct bed *b, const struct iovt_buf *buf, uint64_t seq, uint32_t len)
{
	bed_nic_fill(b, buf, seq, len);
	assert_true(iovt_rx_begin(b->q));
	assert_true(bed_complete(b, buf, seq, len));
	iovt_rx_end(b->q, b->q->vr.format);
}

int
bed_copy(struct bed *b, uint64_t seq, uint32_t len)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);
	/* Exactly as large as the frame, so that reading beyond it shows. */
	uint8_t *data = malloc(len);
	int ret;

	CHECK(data != NULL);
	fake_frame_write(data, seq, len);
	ret = iovt_rx_copy(b->q, b->q->vr.format, data, len, &hdr);
	free(data);
	return ret;
}

int
bed_copy_burst(struct bed *b, uint64_t seq, uint32_t len)
{
	int ret;

	assert_true(iovt_rx_begin(b->q));
	ret = bed_copy(b, seq, len);
	iovt_rx_end(b->q, b->q->vr.format);
	return ret;
}

uint16_t
bed_expect(struct bed *b, uint64_t seq, uint32_t len)
{
	CHECK(fake_guest_receive(&b->guest, &b->packet));
	fake_packet_check(&b->guest, &b->packet, seq, len);
	return b->packet.id[0];
}

uint16_t
bed_expect_flushed(struct bed *b)
{
	CHECK(fake_guest_receive(&b->guest, &b->packet));
	CHECK(b->packet.flushed);
	return b->packet.id[0];
}

void
bed_expect_nothing(struct bed *b)
{
	CHECK(!fake_guest_receive(&b->guest, &b->packet));
}

void
bed_reclaim(struct bed *b, const struct iovt_buf *bufs, unsigned int n)
{
	uint16_t ids[SIZE_MAX_TESTED];

	for (unsigned int i = 0; i < n; i++)
		ids[i] = bufs[i].id;
	iovt_rxq_reclaim(b->q, ids, n);
}

void
bed_expect_broken(struct bed *b)
{
	struct iovt_buf bufs[4];
	struct iovt_rxq_stats before;

	assert_int_equal(b->q->state, IOVT_RXQ_BROKEN);
	assert_int_equal(b->q->stats.ring_errors, 1);
	assert_non_null(b->q->error);
	bed_check_accounts(b->q);
	before = b->q->stats;
	assert_int_equal(fake_nic_harvest(b->q, bufs, 4, 1), 0);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 4, 4), 0);
	assert_false(iovt_rx_begin(b->q));
	iovt_rxq_break(b->q, "again");
	iovt_rxq_close(b->q);
	assert_memory_equal(&before, &b->q->stats, sizeof(before));
	assert_int_equal(b->q->state, IOVT_RXQ_BROKEN);
}
