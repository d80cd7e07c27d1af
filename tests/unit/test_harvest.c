/* SPDX-License-Identifier: BSD-3-Clause */
#include "bed.h"

static struct iovt_buf bufs[SIZE_MAX_TESTED + 1];

static void
deliver_all(struct bed *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		bed_deliver(b, &bufs[i], i, 60);
		assert_int_equal(bed_expect(b, i, 60), bufs[i].id);
	}
}

static void
in_order(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	unsigned int half = conf->size / 2;
	uint16_t posted[SIZE_MAX_TESTED];

	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < conf->size; i++) {
			posted[i] = fake_guest_post(&b->guest, FAKE_ONE, 2048 + i % 8,
				i % FAKE_PLACES);
			assert_true(posted[i] < conf->size);
		}
		assert_int_equal(fake_nic_harvest(b->q, bufs, half, half), half);
		assert_int_equal(fake_nic_harvest(b->q, bufs + half, SIZE_MAX_TESTED, 1),
			conf->size - half);
		for (unsigned int i = 0; i < conf->size; i++) {
			const struct fake_seg *s = &b->guest.chain[posted[i]].seg[0];

			assert_int_equal(bufs[i].id, posted[i]);
			assert_int_equal(bufs[i].len, s->len);
			assert_ptr_equal(bufs[i].va, fake_mem_host(&b->guest.mem, s->gpa, s->len));
			assert_ptr_equal(fake_mem_device(&b->guest.mem, bufs[i].iova, s->len),
				fake_mem_guest(&b->guest.mem, s->gpa, s->len));
		}
		bed_check_accounts(b->q);
		deliver_all(b, conf->size);
	}
	assert_int_equal(b->q->stats.harvested, 3 * conf->size);
	assert_int_equal(b->q->stats.completed, 3 * conf->size);
	bed_free(b);
}

static void
limited(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct bed *b;

	c.lend_max = conf->size * 3 / 4;
	b = bed_new(&c);
	fake_guest_fill(&b->guest, FAKE_ONE, BUF_MIN, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, conf->size, 1), c.lend_max);
	assert_int_equal(fake_nic_harvest(b->q, bufs + c.lend_max, 1, 0), 0);
	assert_int_equal(b->q->stats.starved, 0); /* kept back is not starved */
	bed_deliver(b, &bufs[0], 1, 60);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 0); /* room for one only */
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 1), 1);
	/* What is kept back serves copies. */
	if (c.lend_max < conf->size - 1)
		assert_int_equal(bed_copy_burst(b, 2, 100), 0);
	bed_check_accounts(b->q);
	iovt_rxq_close(b->q);
	for (uint16_t id = 0; id < conf->size; id++)
		if (b->q->binding[id].state == IOVT_LENT)
			iovt_rxq_reclaim(b->q, &id, 1);
	bed_free(b);
}

static void
all_or_nothing(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	uint16_t start = bed_avail(b->q);

	assert_int_equal(fake_nic_harvest(b->q, bufs, 4, 1), 0);
	assert_int_equal(b->q->stats.starved, 1);
	for (int i = 0; i < 3; i++)
		fake_guest_post(&b->guest, FAKE_ONE, BUF_MIN, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 4, 4), 0);
	assert_int_equal(bed_avail(b->q), start);
	assert_int_equal(b->q->stats.starved, 2);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 3);
	assert_int_equal(b->q->stats.starved, 2);
	deliver_all(b, 3);
	bed_free(b);
}

/* min is missed only after some were taken: those stay the engine's, and come first next time. */
static void
min_missed_at_unbindable(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	int first, second;

	first = fake_guest_post(&b->guest, FAKE_ONE, BUF_MIN, FAKE_LINEAR);
	second = fake_guest_post(&b->guest, FAKE_ONE, BUF_MIN, FAKE_LINEAR);
	fake_guest_post(&b->guest, FAKE_HDR_APART, BUF_MIN, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 0);
	assert_true(b->q->head_unbindable);
	bed_check_accounts(b->q);
	assert_int_equal(b->q->nr_reclaimed, 2);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 2), 2);
	assert_true(bufs[0].id + bufs[1].id == first + second);
	assert_int_equal(b->q->stats.harvested, 2);
	deliver_all(b, 2);
	bed_free(b);
}

static void
reclaimed_first(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	struct iovt_buf again[4];

	fake_guest_fill(&b->guest, FAKE_ONE, 2000, FAKE_PAIRS);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 4, 4), 4);
	bed_reclaim(b, bufs + 1, 2);
	bed_check_accounts(b->q);
	assert_int_equal(b->q->stats.reclaimed, 2);
	assert_int_equal(fake_nic_harvest(b->q, again, 3, 3), 3);
	for (int i = 0; i < 2; i++) {
		const struct iovt_buf *was = &bufs[again[i].id == bufs[1].id ? 1 : 2];

		assert_int_equal(again[i].id, was->id);
		assert_ptr_equal(again[i].va, was->va);
		assert_int_equal(again[i].iova, was->iova);
		assert_int_equal(again[i].len, was->len);
	}
	assert_int_not_equal(again[0].id, again[1].id);
	assert_int_equal(b->q->stats.harvested, 5);
	bed_deliver(b, &again[0], 1, 60);
	assert_int_equal(bed_expect(b, 1, 60), again[0].id);
	bed_reclaim(b, &again[1], 2);
	bed_reclaim(b, &bufs[0], 1);
	bed_reclaim(b, &bufs[3], 1);
	bed_free(b);
}

/* Reclaimed buffers count towards what can be lent when the ring has too few. */
static void
reclaimed_when_starved(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	for (int i = 0; i < 3; i++)
		fake_guest_post(&b->guest, FAKE_ONE, BUF_MIN, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	bed_reclaim(b, bufs, 2);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 3);
	assert_int_equal(b->q->stats.starved, 0);
	assert_int_equal(fake_nic_harvest(b->q, bufs + 3, 1, 1), 0);
	assert_int_equal(b->q->stats.starved, 1);
	deliver_all(b, 3);
	bed_free(b);
}

/* Every layout and length: bindable exactly if a device can fill it; else left for a copy. */
static void
layouts(const struct bed_conf *conf)
{
	static const uint32_t lens[] = {13, BUF_MIN - 1, BUF_MIN, FAKE_LEN_MAX};

	for (unsigned int k = 0; k < FAKE_LAYOUTS * FAKE_PLACES * 4; k++) {
		enum fake_layout layout = k / (FAKE_PLACES * 4);
		enum fake_place place = k / 4 % FAKE_PLACES;
		uint32_t len = lens[k % 4];
		struct bed *b = bed_new(conf);
		uint16_t start = bed_avail(b->q);
		int id = fake_guest_post(&b->guest, layout, len, place);
		bool bindable = b->guest.chain[id].contiguous && len >= BUF_MIN;

		if (layout == FAKE_REGION_CROSS)
			bindable = false;
		assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), bindable);
		assert_int_equal(b->q->stats.unbindable, !bindable);
		assert_int_equal(b->q->head_unbindable, !bindable);
		if (bindable) {
			assert_int_equal(bufs[0].len, len);
			deliver_all(b, 1);
		} else {
			assert_int_equal(bed_avail(b->q), start);
			assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 0);
			assert_int_equal(b->q->stats.unbindable, 1); /* the same one */
			assert_int_equal(bed_copy_burst(b, 5, len - 12), 0);
			assert_int_equal(bed_expect(b, 5, len - 12), id);
		}
		bed_check_accounts(b->q);
		bed_free(b);
	}
}

/* The minimum follows the header's length. */
static void
short_header(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct bed *b;

	c.hdr_len = 10;
	b = bed_new(&c);
	fake_guest_post(&b->guest, FAKE_HDR_FOLLOWED, 10 + NIC_MAX, FAKE_LINEAR);
	fake_guest_post(&b->guest, FAKE_ONE, 10 + NIC_MAX - 1, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 1), 1);
	deliver_all(b, 1);
	bed_free(b);
}

/* Buffers of almost 64 KiB: two in the fast path's reach, one at the end of the region. */
#define HUGE 0xfff0u

static struct bed *
bed_with_huge_buffers(const struct bed_conf *conf, uint32_t len)
{
	struct bed_conf c = *conf;
	const struct fake_region_conf *r;
	struct bed *b;

	c.size = 64;
	b = bed_new(&c);
	r = &b->guest.mem.region[1].conf;
	for (uint16_t i = 0; i < 3; i++) {
		uint64_t gpa = r->gpa + (i < 2 ? i * len : r->size - len);

		fake_guest_offer(&b->guest, i, &(struct fake_raw){gpa, len, VRING_DESC_F_WRITE}, 1);
	}
	return b;
}

/* However large a buffer is, its length fits in an mbuf's 16 bits, with a headroom in front of it. */
static void
huge_buffers(const struct bed_conf *conf)
{
	static const uint32_t lens[] = {IOVT_LEND_LEN_MAX, IOVT_LEND_LEN_MAX + 1, HUGE};

	for (unsigned int k = 0; k < 3; k++) {
		struct bed *b = bed_with_huge_buffers(conf, lens[k]);

		assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 3);
		for (int i = 0; i < 3; i++)
			assert_int_equal(bufs[i].len, IOVT_LEND_LEN_MAX);
		iovt_rxq_close(b->q);
		bed_reclaim(b, bufs, 3);
		bed_free(b);
	}
}

/* No buffer is lent to a NIC that may write more than can be lent. */
static void
huge_frames(const struct bed_conf *conf)
{
	struct bed *b = bed_with_huge_buffers(conf, HUGE);

	assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
	b->q->bind_min = IOVT_LEND_LEN_MAX + 1;
	assert_int_equal(fake_nic_harvest(b->q, bufs + 1, 2, 1), 0);
	assert_true(b->q->head_unbindable);
	iovt_rxq_close(b->q);
	bed_reclaim(b, bufs, 1);
	bed_free(b);
}

/* What is written before a buffer stays within its region, whichever path looks. */
static void
front(const struct bed_conf *conf)
{
	static const struct {
		uint16_t at[3];
		unsigned int lent;
	} tries[] = {{{115, 0, 0}, 0}, {{116, 4096, 115}, 2}, {{4096, 116, 0}, 2}};

	for (unsigned int k = 0; k < sizeof(tries) / sizeof(tries[0]); k++) {
		struct bed *b = bed_new(conf);
		const struct fake_region_conf *r = &b->guest.mem.region[1].conf;

		b->q->front = 116;
		for (uint16_t i = 0; i < 3; i++)
			fake_guest_offer(&b->guest, i,
				&(struct fake_raw){r->gpa + tries[k].at[i], 2048,
					VRING_DESC_F_WRITE},
				1);
		assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 1), tries[k].lent);
		assert_true(b->q->head_unbindable);
		iovt_rxq_close(b->q);
		bed_reclaim(b, bufs, tries[k].lent);
		bed_free(b);
	}
}

static void
stops_at_unbindable(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	int id[3];

	id[0] = fake_guest_post(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	id[1] = fake_guest_post(&b->guest, FAKE_ONE, 256, FAKE_LINEAR);
	id[2] = fake_guest_post(&b->guest, FAKE_ONE, 2048, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 1), 1);
	assert_int_equal(bufs[0].id, id[0]);
	assert_true(b->q->head_unbindable);
	assert_int_equal(bed_copy_burst(b, 9, 200), 0);
	assert_int_equal(bed_expect(b, 9, 200), id[1]);
	assert_int_equal(fake_nic_harvest(b->q, bufs + 1, 3, 1), 1);
	assert_int_equal(bufs[1].id, id[2]);
	assert_false(b->q->head_unbindable);
	assert_int_equal(b->q->stats.unbindable, 1);
	deliver_all(b, 2);
	bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"buffers are lent in the guest's order, with the right addresses", in_order, true},
		{"no more is lent than allowed", limited, true},
		{"fewer than the wanted minimum: none", all_or_nothing},
		{"minimum missed at an unbindable buffer: nothing is lost",
			min_missed_at_unbindable},
		{"reclaimed buffers are lent again first", reclaimed_first},
		{"reclaimed buffers help a starved guest", reclaimed_when_starved},
		{"exactly the layouts that a device can fill are lent", layouts},
		{"a guest with the short header", short_header},
		{"no more of a huge buffer is lent than an mbuf can say", huge_buffers},
		{"a NIC that may write too much gets no buffer", huge_frames},
		{"nothing is written before the beginning of a region", front},
		{"an unbindable buffer at the head waits for a copy", stops_at_unbindable},
	};

	return unit_run("harvest", cases, sizeof(cases) / sizeof(cases[0]));
}
