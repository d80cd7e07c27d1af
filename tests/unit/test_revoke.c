/* SPDX-License-Identifier: BSD-3-Clause */
/* close, give back, put: what the guest finds afterwards, and what late buffers may still do. */
#include "bed.h"

static struct iovt_buf bufs[SIZE_MAX_TESTED];

/* Go on with a new queue at the bases that were given: everything posted is delivered once. */
static void
reopen(struct bed *b, uint16_t last_avail, uint16_t last_used)
{
	uint16_t posted = b->guest.nr_posted;

	bed_open(b, last_avail, last_used);
	for (uint16_t i = 0; i < posted; i++) {
		assert_int_equal(bed_copy_burst(b, i, 60), 0);
		bed_expect(b, i, 60);
	}
	assert_int_equal(b->guest.nr_posted, 0);
}

static void
unused(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	uint16_t avail, used;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(bed_close(b, &avail, &used), 0);
	assert_int_equal(avail, conf->start);
	assert_int_equal(used, conf->start);
	reopen(b, avail, used);
	bed_free(b);
}

/* All that was lent is back, and is the newest: as if never taken. */
static void
by_rewind(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	unsigned int half = conf->size / 2;
	struct iovt_rxq_stats stats;
	struct iovt_vring_end end;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_PAIRS);
	assert_int_equal(fake_nic_harvest(b->q, bufs, half, half), half);
	bed_reclaim(b, bufs, half);
	/* Lent twice and back in another order. */
	assert_int_equal(fake_nic_harvest(b->q, bufs, half, half), half);
	bed_reclaim(b, bufs, half);
	iovt_rxq_close(b->q);
	assert_int_equal(iovt_rxq_give_back(b->q, &end), 0);
	stats = b->q->stats;
	iovt_rxq_put(b->q);
	b->q = NULL;
	assert_int_equal(stats.rewound, half);
	assert_int_equal(stats.flushed, 0);
	assert_false(end.notify); /* nothing is used */
	assert_int_equal(end.last_avail, conf->start);
	assert_int_equal(end.last_used, conf->start);
	bed_expect_nothing(b);
	reopen(b, end.last_avail, end.last_used);
	bed_free(b);
}

/* A newer buffer was delivered: the older ones come back with length 0. */
static void
by_flush(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	unsigned int held = conf->size - 1;
	struct iovt_rxq_stats stats;
	struct iovt_vring_end end;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_PAIRS);
	assert_int_equal(fake_nic_harvest(b->q, bufs, conf->size, 1), conf->size);
	bed_deliver(b, &bufs[held], 1, 60);
	bed_expect(b, 1, 60);
	bed_reclaim(b, bufs, held);
	iovt_rxq_close(b->q);
	assert_int_equal(iovt_rxq_give_back(b->q, &end), 0);
	stats = b->q->stats;
	iovt_rxq_put(b->q);
	b->q = NULL;
	assert_int_equal(stats.rewound, 0);
	assert_int_equal(stats.flushed, held);
	assert_true(end.notify);
	assert_int_equal(end.last_avail, conf->format->after(conf->size, conf->start, conf->size));
	assert_int_equal(end.last_used, conf->format->after(conf->size, conf->start, conf->size));
	for (unsigned int i = 0; i < held; i++)
		bed_expect_flushed(b);
	assert_int_equal(b->guest.nr_posted, 0);
	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	reopen(b, end.last_avail, end.last_used);
	bed_free(b);
}

/* A guest that asked for a notification gets one for what it is given back, and no other. */
static void
given_back_notified(const struct bed_conf *conf)
{
	const unsigned int n = conf->size < 3 ? conf->size : 3;

	for (uint16_t after = 0; after <= n; after++) {
		struct bed_conf c = *conf;
		uint16_t avail, used;
		struct iovt_rxq *old;
		struct bed *b;

		c.event_idx = true;
		b = bed_new(&c);
		old = b->q;
		fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
		assert_int_equal(fake_nic_harvest(b->q, bufs, n, n), n);
		b->guest.format->notify_after(&b->guest, after);
		assert_int_equal(bed_close(b, &avail, &used), n);
		assert_int_equal(b->end.notify, after != 0);
		for (unsigned int i = 0; i < n; i++)
			bed_expect_flushed(b);
		for (unsigned int i = 0; i < n; i++)
			iovt_rxq_reclaim(old, &bufs[i].id, 1);
		bed_free(b);
	}
}

/* Of eight, the fourth is copied into and the sixth delivered: two rewound, four flushed. */
static void
by_both(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	/* Ring entries that six chains of two descriptors take. */
	uint16_t six = conf->format == &fake_packed ? 12 : 6;
	struct iovt_rxq_stats stats;
	struct iovt_vring_end end;

	fake_guest_fill(&b->guest, FAKE_HDR_FOLLOWED, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 3);
	assert_int_equal(bed_copy_burst(b, 1, 60), 0);
	assert_int_equal(fake_nic_harvest(b->q, bufs + 3, 4, 4), 4);
	bed_deliver(b, &bufs[4], 2, 60);
	bed_expect(b, 1, 60);
	bed_expect(b, 2, 60);
	bed_reclaim(b, bufs, 4);
	bed_reclaim(b, bufs + 5, 2);
	iovt_rxq_close(b->q);
	assert_int_equal(iovt_rxq_give_back(b->q, &end), 0);
	stats = b->q->stats;
	iovt_rxq_put(b->q);
	b->q = NULL;
	assert_int_equal(stats.rewound, 2);
	assert_int_equal(stats.flushed, 4);
	assert_int_equal(end.last_avail, conf->format->after(conf->size, conf->start, six));
	assert_int_equal(end.last_used, conf->format->after(conf->size, conf->start, six));
	for (int i = 0; i < 4; i++)
		bed_expect_flushed(b);
	/* Of the ring's eight, two are as if never taken. */
	assert_int_equal(b->guest.nr_posted, conf->size / 2 - 6);
	reopen(b, end.last_avail, end.last_used);
	bed_free(b);
}

/* Posted again in a new order after a delivery: an older use of an id must not confuse the rewind. */
static void
rewind_after_recycling(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	unsigned int n = conf->size;
	uint16_t avail, used;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, n, n), n);
	for (unsigned int i = 0; i < n; i++) {
		bed_deliver(b, &bufs[(i ^ 1) < n ? i ^ 1 : i], i, 60);
		bed_expect(b, i, 60);
	}
	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, n, n), n);
	bed_deliver(b, &bufs[0], 1, 60);
	bed_expect(b, 1, 60);
	bed_reclaim(b, bufs + 1, n - 1);
	assert_int_equal(bed_close(b, &avail, &used), 0);
	assert_int_equal(avail, conf->format->after(conf->size, conf->start, n + 1));
	assert_int_equal(used, conf->format->after(conf->size, conf->start, n + 1));
	bed_expect_nothing(b);
	assert_int_equal(b->guest.nr_posted, n - 1);
	reopen(b, avail, used);
	bed_free(b);
}

/* A copy is the newest use of the ring, so nothing older may be rewound; not even id 0, which is what a
 * queue's record of its uses starts with. */
static void
no_rewind_past_copy(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	uint16_t avail, used;
	unsigned int n = 0;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	do
		assert_int_equal(fake_nic_harvest(b->q, &bufs[n], 1, 1), 1);
	while (bufs[n++].id != 0);
	assert_int_equal(bed_copy_burst(b, 1, 60), 0);
	bed_expect(b, 1, 60);
	bed_reclaim(b, bufs, n);
	assert_int_equal(bed_close(b, &avail, &used), 0);
	assert_int_equal(avail, conf->format->after(conf->size, conf->start, n + 1));
	for (unsigned int i = 0; i < n; i++)
		bed_expect_flushed(b);
	reopen(b, avail, used);
	bed_free(b);
}

/* Buffers still in the switch: counted, given back, and harmless when they come after put. */
static void
late(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	unsigned int half = conf->size / 2, released;
	uint16_t avail, used;
	struct iovt_rxq *old = b->q;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_SCATTERED);
	assert_int_equal(fake_nic_harvest(b->q, bufs, conf->size, 1), conf->size);
	bed_reclaim(b, bufs, half); /* older than the late ones, so they cannot be rewound */
	assert_int_equal(bed_close(b, &avail, &used), conf->size - half);
	assert_int_equal(old->stats.late, conf->size - half);
	assert_int_equal(old->stats.flushed, half);
	for (unsigned int i = 0; i < conf->size; i++)
		bed_expect_flushed(b);
	bed_expect_nothing(b);
	fake_mem_save(&b->guest.mem);
	for (unsigned int i = half; i < conf->size; i++) {
		assert_int_equal(b->released, 0);
		assert_false(iovt_rx_begin(old));
		assert_int_equal(fake_nic_harvest(old, bufs, 1, 1), 0);
		/* Still mapped, whatever became of the guest. */
		assert_int_equal(old->mem->refs, 2);
		iovt_rxq_reclaim(old, &bufs[i].id, 1);
	}
	assert_int_equal(b->released, 1);
	assert_int_equal(b->guest.mem.snapshot->refs, 1);
	assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
	released = b->released;
	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	reopen(b, avail, used);
	bed_free(b);
	assert_int_equal(released, 1);
}

/* Buffers that come back between close and give_back are not late. */
static void
back_before_give_back(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	uint16_t avail, used;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 4, 4), 4);
	iovt_rxq_close(b->q);
	bed_reclaim(b, bufs, 4);
	iovt_rxq_reclaim(b->q, NULL, 0);
	assert_int_equal(bed_close(b, &avail, &used), 0);
	assert_int_equal(avail, conf->start);
	reopen(b, avail, used);
	bed_free(b);
}

/* A reclaim of none must not free a queue that was put, whoever waits for it. */
static void
empty_reclaim_after_put(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	struct iovt_rxq *old = b->q;
	uint16_t avail, used;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	assert_int_equal(bed_close(b, &avail, &used), 2);
	iovt_rxq_reclaim(old, NULL, 0);
	assert_int_equal(b->released, 0);
	iovt_rxq_reclaim(old, &bufs[1].id, 1);
	assert_int_equal(b->released, 0);
	iovt_rxq_reclaim(old, &bufs[0].id, 1);
	assert_int_equal(b->released, 1);
	bed_free(b);
}

/* Guest memory outlives its owner's reference as long as a buffer is out. */
static void
memory_outlives_owner(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	struct iovt_rxq *old = b->q;
	struct fake_mem *m = &b->guest.mem;
	uint16_t avail, used;

	fake_guest_fill(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
	assert_int_equal(bed_close(b, &avail, &used), 1);
	iovt_guest_mem_ref(m->snapshot);
	iovt_guest_mem_unref(m->snapshot);
	assert_int_equal(m->snapshot->refs, 2);
	assert_int_equal(m->released, 0);
	iovt_rxq_reclaim(old, &bufs[0].id, 1);
	assert_int_equal(m->snapshot->refs, 1);
	assert_int_equal(m->released, 0);
	bed_free(b);
}

static void
no_kicks(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	assert_false(conf->format->kicks(&b->guest));
	bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"the guest is told that kicks are not needed", no_kicks},
		{"an idle queue goes on where it was", unused, true},
		{"the newest buffers are given back by rewinding", by_rewind, true},
		{"older buffers are given back with length 0", by_flush, true},
		{"both ways at once", by_both},
		{"and it is notified as it wishes", given_back_notified, true},
		{"a rewind is not confused by an id's older uses", rewind_after_recycling, true},
		{"nothing is rewound past a copy", no_rewind_past_copy},
		{"late buffers are counted, and free the queue when they are back", late, true},
		{"buffers that come back after close are not late", back_before_give_back},
		{"reclaiming nothing frees nothing", empty_reclaim_after_put},
		{"guest memory lives as long as a buffer is out", memory_outlives_owner},
	};

	return unit_run("revoke", cases, sizeof(cases) / sizeof(cases[0]));
}
