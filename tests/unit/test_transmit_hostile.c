/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest should not send: dropped and counted, or the ring is broken and left alone. */
#include <stdio.h>

#include "send_bed.h"

/* Broken once; and nothing more is taken, or written. */
static void
expect_error(struct send_bed *b)
{
	assert_non_null(b->q->error);
	assert_int_equal(b->q->stats.ring_errors, 1);
	fake_mem_save(&b->guest.mem);
	assert_int_equal(send_bed_burst(b, 8), 0);
	iovt_txq_break(b->q, "again");
	assert_int_equal(b->q->stats.ring_errors, 1);
	assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
}

static void
too_short(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	unsigned int n = 0, kept = 0;

	for (uint32_t len = 1; len < conf->hdr_len + 16u; len++) {
		assert_true(fake_guest_send(&b->guest, len % 2 || len < 4 ? FAKE_ONE : FAKE_CHAIN,
				    len, FAKE_LINEAR, len) >= 0);
		n++;
		kept += send_bed_burst(b, 8);
		assert_true(fake_guest_reap(&b->guest) >= 0);
	}
	assert_int_equal(kept, 2);
	assert_int_equal(b->q->stats.too_short, n - kept);
	send_bed_expect(b, 0, conf->hdr_len + 14, 14);
	send_bed_expect(b, 1, conf->hdr_len + 15, 15);
	send_bed_free(b);
}

static uint64_t
memory(const struct send_bed *b)
{
	return b->guest.mem.region[1].conf.gpa;
}

static void
offer_desc(struct send_bed *b, uint64_t gpa, uint32_t len, uint16_t flags)
{
	fake_guest_offer(&b->guest, 1, &(struct fake_raw){gpa, len, flags}, 1);
}

/* The one chain that was offered comes back. */
static void
expect_used(struct send_bed *b)
{
	uint32_t len;
	uint16_t id;

	assert_true(fake_guest_used(&b->guest, &id, &len));
	assert_int_equal(id, 1);
	assert_int_equal(len, 0);
	assert_false(fake_guest_used(&b->guest, &id, &len));
}

/* The longest, and one byte more. */
static void
too_big(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	uint32_t max = conf->hdr_len + IOVT_TX_LEN_MAX;

	assert_true(b->guest.mem.region[1].conf.size > max);
	offer_desc(b, memory(b), max + 1, 0);
	assert_int_equal(send_bed_burst(b, 8), 0);
	assert_int_equal(b->q->stats.too_big, 1);
	expect_used(b);
	offer_desc(b, memory(b), UINT32_MAX, 0);
	assert_int_equal(send_bed_burst(b, 8), 0);
	assert_int_equal(b->q->stats.too_big, 2);
	expect_used(b);
	offer_desc(b, memory(b), max, 0);
	assert_int_equal(send_bed_burst(b, 8), 1);
	assert_int_equal(b->got[0].len, IOVT_TX_LEN_MAX);
	assert_null(b->q->error);
	expect_used(b);
	send_bed_free(b);
}

/* More pieces than are kept: dropped, not cut. */
static void
too_many_pieces(const struct bed_conf *conf)
{
	struct fake_raw d[IOVT_SEGS_MAX];
	struct bed_conf c = *conf;
	struct send_bed *b;

	c.size = 256;
	b = send_bed_new(&c);
	for (unsigned int i = 0; i < IOVT_SEGS_MAX; i++)
		d[i] = (struct fake_raw){memory(b) + 100 * i, 20, 0};
	for (unsigned int n = IOVT_SEGS_MAX - 1; n <= IOVT_SEGS_MAX; n++) {
		fake_guest_offer(&b->guest, 1, d, n);
		assert_int_equal(send_bed_burst(b, 8), n < IOVT_SEGS_MAX);
		expect_used(b);
	}
	assert_int_equal(b->got[0].len, 20 * (IOVT_SEGS_MAX - 1) - c.hdr_len);
	assert_int_equal(b->q->stats.too_big, 1);
	send_bed_free(b);
}

/* As many descriptors as are kept, but in more pieces, because two of them cross regions. */
static void
too_many_across(const struct bed_conf *conf)
{
	struct fake_raw d[IOVT_SEGS_MAX - 1];
	struct bed_conf c = *conf;
	struct send_bed *b;

	c.size = 256;
	b = send_bed_new(&c);
	for (unsigned int crossing = 1; crossing <= 2; crossing++) {
		for (unsigned int i = 0; i < IOVT_SEGS_MAX - 1; i++)
			d[i] = (struct fake_raw){memory(b) + 100 * i, 20, 0};
		for (unsigned int i = 0; i < crossing; i++)
			d[10 + i].gpa = b->guest.mem.region[2].conf.gpa - 10;
		fake_guest_offer(&b->guest, 1, d, IOVT_SEGS_MAX - 1);
		assert_int_equal(send_bed_burst(b, 8), crossing == 1);
		expect_used(b);
	}
	assert_int_equal(b->got[0].len, 20 * (IOVT_SEGS_MAX - 1) - c.hdr_len);
	assert_int_equal(b->q->stats.too_big, 1);
	send_bed_free(b);
}

static void
to_fill(struct send_bed *b)
{
	offer_desc(b, memory(b), 100, VRING_DESC_F_WRITE);
}

static void
chain_to_fill(struct send_bed *b)
{
	const struct fake_raw d[] = {{memory(b), 100, 0}, {memory(b), 100, VRING_DESC_F_WRITE}};

	fake_guest_offer(&b->guest, 1, d, 2);
}

static void
empty(struct send_bed *b)
{
	offer_desc(b, memory(b), 0, 0);
}

static void
outside(struct send_bed *b)
{
	offer_desc(b, memory(b) - 1, 100, 0);
}

static void
beyond(struct send_bed *b)
{
	const struct fake_region_conf *r = &b->guest.mem.region[2].conf;

	offer_desc(b, r->gpa + r->size - 99, 100, 0);
}

static void
wrapped(struct send_bed *b)
{
	offer_desc(b, UINT64_MAX - 50, 100, 0);
}

static void
chain_outside(struct send_bed *b)
{
	const struct fake_raw d[] = {{memory(b), 100, 0}, {memory(b) - 1, 100, 0}};

	fake_guest_offer(&b->guest, 1, d, 2);
}

static void
no_such_id(struct send_bed *b)
{
	fake_guest_offer(&b->guest, b->guest.size, &(struct fake_raw){memory(b), 100, 0}, 1);
}

static void
chain_of_no_such_id(struct send_bed *b)
{
	const struct fake_raw d[] = {{memory(b), 100, 0}, {memory(b), 100, 0}};

	fake_guest_offer(&b->guest, 65535, d, 2);
}

/* What came before is taken; what comes after is not. */
static void
broken(const struct bed_conf *conf)
{
	static void (*const how[])(struct send_bed * b) = {to_fill, chain_to_fill, empty, outside,
		beyond, wrapped, chain_outside, no_such_id, chain_of_no_such_id};

	for (unsigned int i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		struct send_bed *b = send_bed_new(conf);

		snprintf(fake_context, sizeof(fake_context), "malformed chain %u", i);
		fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, i);
		how[i](b);
		fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, 77);
		assert_int_equal(send_bed_burst(b, 8), 1);
		send_bed_expect(b, 0, i, 100);
		expect_error(b);
		send_bed_free(b);
	}
}

/* As many links as the ring has entries. */
static void
endless(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	struct fake_raw d[16];

	assert_int_equal(b->guest.size, 16);
	for (unsigned int i = 0; i < 16; i++)
		d[i] = (struct fake_raw){memory(b), 1, VRING_DESC_F_NEXT};
	fake_guest_offer(&b->guest, 1, d, 16);
	assert_int_equal(send_bed_burst(b, 8), 0);
	expect_error(b);
	send_bed_free(b);
}

/*
 * More made available than a ring has entries. The index of a split ring tells of it. In a packed ring the
 * first entry is written over, and is not available any more before the next lap.
 */
static void
too_much(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);

	fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, 1);
	for (unsigned int i = 0; i < conf->size; i++)
		offer_desc(b, memory(b), 112, 0);
	assert_int_equal(send_bed_burst(b, 8), 0);
	if (conf->format == &fake_split)
		expect_error(b);
	else
		assert_null(b->q->error);
	send_bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"too short", too_short, false},
		{"too big", too_big, false},
		{"too many pieces", too_many_pieces, false},
		{"too many pieces across regions", too_many_across, false},
		{"malformed chains", broken, false},
		{"a chain without an end", endless, false},
		{"more than a ring holds", too_much, false},
	};

	return unit_run("hostile transmit", cases, sizeof(cases) / sizeof(cases[0]));
}
