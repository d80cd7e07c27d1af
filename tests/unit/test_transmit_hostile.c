/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest should not send: dropped and counted, or the ring is broken and left alone. */
#include <stdio.h>

#include "send_bed.h"

static void
expect_error(struct send_bed *b)
{
	uint16_t used = b->guest.split.used->idx;

	assert_non_null(b->q->error);
	assert_int_equal(b->q->stats.ring_errors, 1);
	assert_int_equal(send_bed_burst(b, 8), 0);
	iovt_txq_break(b->q, "again");
	assert_int_equal(b->q->stats.ring_errors, 1);
	assert_int_equal(b->guest.split.used->idx, used);
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
offer_desc(struct send_bed *b, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next)
{
	struct fake_split_ring *r = &b->guest.split;

	r->desc[1] = (struct vring_desc){gpa, len, flags, next};
	r->avail->ring[r->avail_idx++ & (b->guest.size - 1)] = 1;
	r->avail->idx = r->avail_idx;
}

/* The longest, and one byte more. */
static void
too_big(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	uint32_t max = conf->hdr_len + IOVT_TX_LEN_MAX;

	assert_true(b->guest.mem.region[1].conf.size > max);
	offer_desc(b, memory(b), max + 1, 0, 0);
	assert_int_equal(send_bed_burst(b, 8), 0);
	assert_int_equal(b->q->stats.too_big, 1);
	offer_desc(b, memory(b), UINT32_MAX, 0, 0);
	assert_int_equal(send_bed_burst(b, 8), 0);
	assert_int_equal(b->q->stats.too_big, 2);
	offer_desc(b, memory(b), max, 0, 0);
	assert_int_equal(send_bed_burst(b, 8), 1);
	assert_int_equal(b->got[0].len, IOVT_TX_LEN_MAX);
	assert_null(b->q->error);
	assert_int_equal(b->guest.split.used->idx, b->guest.split.avail_idx);
	send_bed_free(b);
}

/* More pieces than are kept: dropped, not cut. */
static void
too_many_pieces(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct send_bed *b;

	c.size = 256;
	b = send_bed_new(&c);
	for (unsigned int n = IOVT_SEGS_MAX - 1; n <= IOVT_SEGS_MAX; n++) {
		for (uint16_t i = 1; i <= n; i++)
			b->guest.split.desc[i] = (struct vring_desc){memory(b) + 100 * i, 20,
				i < n ? VRING_DESC_F_NEXT : 0, i + 1};
		offer_desc(b, memory(b), 20, VRING_DESC_F_NEXT, 2);
		assert_int_equal(send_bed_burst(b, 8), n < IOVT_SEGS_MAX);
	}
	assert_int_equal(b->got[0].len, 20 * (IOVT_SEGS_MAX - 1) - c.hdr_len);
	assert_int_equal(b->q->stats.too_big, 1);
	send_bed_free(b);
}

static void
to_fill(struct send_bed *b)
{
	offer_desc(b, memory(b), 100, VRING_DESC_F_WRITE, 0);
}

static void
chain_to_fill(struct send_bed *b)
{
	b->guest.split.desc[2] = (struct vring_desc){memory(b), 100, VRING_DESC_F_WRITE, 0};
	offer_desc(b, memory(b), 100, VRING_DESC_F_NEXT, 2);
}

static void
empty(struct send_bed *b)
{
	offer_desc(b, memory(b), 0, 0, 0);
}

static void
loop(struct send_bed *b)
{
	offer_desc(b, memory(b), 1, VRING_DESC_F_NEXT, 1);
}

static void
outside(struct send_bed *b)
{
	offer_desc(b, memory(b) - 1, 100, 0, 0);
}

static void
beyond(struct send_bed *b)
{
	const struct fake_region_conf *r = &b->guest.mem.region[2].conf;

	offer_desc(b, r->gpa + r->size - 99, 100, 0, 0);
}

static void
wrapped(struct send_bed *b)
{
	offer_desc(b, UINT64_MAX - 50, 100, 0, 0);
}

static void
no_such_head(struct send_bed *b)
{
	offer_desc(b, memory(b), 100, 0, 0);
	b->guest.split.avail->ring[(b->guest.split.avail_idx - 1) & (b->guest.size - 1)] =
		b->guest.size;
}

static void
index_jump(struct send_bed *b)
{
	b->guest.split.avail->idx += b->guest.size + 1;
}

/* What came before is taken; what comes after is not. */
static void
broken(const struct bed_conf *conf)
{
	static void (*const how[])(struct send_bed * b) = {to_fill, chain_to_fill, empty, loop,
		outside, beyond, wrapped, no_such_head};

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

static void
jumped(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);

	fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, 1);
	index_jump(b);
	assert_int_equal(send_bed_burst(b, 8), 0);
	expect_error(b);
	send_bed_free(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"too short", too_short, false},
		{"too big", too_big, false, true},
		{"too many pieces", too_many_pieces, false, true},
		{"malformed chains", broken, false, true},
		{"index jump", jumped, false, true},
	};

	return unit_run("hostile transmit", cases, sizeof(cases) / sizeof(cases[0]));
}
