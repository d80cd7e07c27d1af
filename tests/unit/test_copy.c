/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "bed.h"

static struct iovt_buf bufs[SIZE_MAX_TESTED];

static void
one_each(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	for (unsigned int round = 0; round < 3; round++) {
		unsigned int n = fake_guest_fill(&b->guest, FAKE_ONE, 2000, round);

		assert_int_equal(n, conf->size);
		assert_true(iovt_rx_begin(b->q));
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(bed_copy(b, i, 1 + i), 0);
		assert_int_equal(bed_copy(b, n, 60), -ENOBUFS);
		bed_expect_nothing(b);
		iovt_rx_end(b->q, b->q->vr.format);
		for (unsigned int i = 0; i < n; i++)
			bed_expect(b, i, 1 + i);
		bed_expect_nothing(b);
	}
	assert_int_equal(b->q->stats.copied_bufs, 3 * conf->size);
	assert_int_equal(b->q->stats.harvested, 0);
	bed_free(b);
}

/* The largest frame that fits, in every layout and place, and one byte more. */
static void
layouts(const struct bed_conf *conf)
{
	static const uint32_t lens[] = {13, 100, 1537, FAKE_LEN_MAX};

	for (unsigned int k = 0; k < FAKE_LAYOUTS * FAKE_PLACES * 4 * 2; k++) {
		struct bed_conf c = *conf;
		uint32_t len = lens[k / 2 % 4], room;
		struct bed *b;
		int id;

		c.hdr_len = k % 2 ? 10 : 12;
		room = len - c.hdr_len;
		b = bed_new(&c);
		id = fake_guest_post(&b->guest, k / (FAKE_PLACES * 8), len, k / 8 % FAKE_PLACES);
		assert_true(id >= 0);
		assert_int_equal(bed_copy_burst(b, k, room + 1), -EMSGSIZE);
		bed_expect_nothing(b);
		assert_int_equal(bed_copy_burst(b, k, room), 0);
		assert_int_equal(bed_expect(b, k, room), id);
		bed_free(b);
	}
}

static unsigned int
copy_in_pieces(struct bed *b, uint64_t seq, uint32_t len, unsigned int nr)
{
	struct iovt_vnet_hdr hdr = fake_frame_hdr(seq);
	uint8_t *frame = malloc(len);
	struct iovt_piece pieces[8];
	uint32_t at = 0;
	int ret;

	CHECK(frame != NULL && nr <= 8);
	fake_frame_write(frame, seq, len);
	for (unsigned int i = 0; i < nr; i++) {
		uint32_t n = i + 1 == nr ? len - at : len / (nr + i);

		pieces[i] = (struct iovt_piece){frame + at, n};
		at += n;
	}
	assert_true(iovt_rx_begin(b->q));
	ret = seq & 8 ? iovt_rx_copy_pieces(b->q, pieces, nr, len, &hdr)
		      : iovt_rx_copy_packet(b->q, b->q->vr.format, pieces, nr, len, &hdr);
	iovt_rx_end(b->q, b->q->vr.format);
	free(frame);
	return ret;
}

static void
pieces(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct bed *b;

	c.mergeable = true;
	b = bed_new(&c);
	for (unsigned int k = 0; k < 400; k++) {
		uint32_t len = 14 + k * 17 % 6000;

		while (fake_guest_post(&b->guest, k % FAKE_REGION_CROSS, 500 + k * 7,
			       k % FAKE_PLACES) >= 0)
			;
		assert_int_equal(copy_in_pieces(b, k, len, 1 + k % 8), 0);
		bed_expect(b, k, len);
	}
	bed_free(b);
}

/* fake_guest_receive checks that all buffers but the last are full. */
static void
several_buffers(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	uint64_t seq = 0;
	struct bed *b;

	c.mergeable = true;
	b = bed_new(&c);
	for (uint32_t buf = 40; buf < 3000; buf = buf * 2 + 1) {
		uint32_t max = buf * (c.size < 64 ? c.size : 64) - 12;

		/* So many full buffers, a byte less, and a byte more. */
		for (uint32_t len = buf - 12; len <= max; len += buf * (1 + max / buf / 5)) {
			for (int off = -1; off <= 1; off++) {
				unsigned int want = (len + off + 12 + buf - 1) / buf;

				while (fake_guest_post(&b->guest, FAKE_HDR_APART, buf,
					       FAKE_PAIRS) >= 0)
					;
				while (fake_guest_post(&b->guest, FAKE_ONE, buf, FAKE_PAIRS) >= 0)
					;
				if (want > b->guest.nr_posted || want > 64 || len + off > 65536)
					continue;
				assert_int_equal(bed_copy_burst(b, ++seq, len + off), 0);
				bed_expect(b, seq, len + off);
				assert_int_equal(b->packet.nr, want);
			}
		}
		/* Use the rest up, so that all buffers have the next size. */
		while (bed_copy_burst(b, ++seq, 1) == 0)
			bed_expect(b, seq, 1);
	}
	bed_free(b);
}

static void
not_mergeable(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	uint16_t start = bed_avail(b->q);

	fake_guest_fill(&b->guest, FAKE_ONE, 1000, FAKE_LINEAR);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bed_copy_burst(b, 1, 989), -EMSGSIZE);
	assert_int_equal(bed_avail(b->q), start);
	assert_int_equal(b->q->stats.copied_bufs, 0);
	assert_int_equal(bed_copy_burst(b, 1, 988), 0);
	bed_expect(b, 1, 988);
	bed_free(b);
}

/* Too few buffers: none is used, and all of them serve the next packet. */
static void
too_few(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	uint16_t start;
	struct bed *b;

	c.mergeable = true;
	b = bed_new(&c);
	start = bed_avail(b->q);
	assert_int_equal(bed_copy_burst(b, 1, 60), -ENOBUFS);
	for (int i = 0; i < 2; i++)
		fake_guest_post(&b->guest, i ? FAKE_ONE : FAKE_DIRECT_INDIRECT, 1000, FAKE_LINEAR);
	assert_int_equal(bed_copy_burst(b, 1, 2000 - 12 + 1), -ENOBUFS);
	assert_int_equal(bed_avail(b->q), start);
	bed_expect_nothing(b);
	assert_int_equal(bed_copy_burst(b, 2, 2000 - 12), 0);
	bed_expect(b, 2, 2000 - 12);
	bed_free(b);
}

static void
too_big(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct bed *b;

	c.mergeable = true;
	c.size = 256;
	b = bed_new(&c);
	fake_guest_fill(&b->guest, FAKE_ONE, 100, FAKE_LINEAR);
	assert_int_equal(bed_copy_burst(b, 1, 64 * 100 - 12 + 1), -EMSGSIZE);
	bed_expect_nothing(b);
	assert_int_equal(bed_copy_burst(b, 2, 64 * 100 - 12), 0);
	bed_expect(b, 2, 64 * 100 - 12);
	assert_int_equal(b->packet.nr, 64);
	bed_free(b);
}

/* Not even a header fits in the second buffer: refused, nothing used. */
static void
tiny(const struct bed_conf *conf)
{
	for (int mergeable = 0; mergeable <= 1; mergeable++) {
		struct bed_conf c = *conf;
		uint16_t start;
		struct bed *b;

		c.mergeable = mergeable;
		b = bed_new(&c);
		start = bed_avail(b->q);
		fake_guest_post(&b->guest, FAKE_ONE, 11, FAKE_LINEAR);
		fake_guest_post(&b->guest, FAKE_ONE, 100, FAKE_LINEAR);
		assert_int_equal(bed_copy_burst(b, 1, 60), -EMSGSIZE);
		assert_int_equal(bed_avail(b->q), start);
		bed_expect_nothing(b);
		bed_check_accounts(b->q);
		bed_free(b);
	}
}

/* Completions and copies of one burst arrive in the order in which they were made. */
static void
mixed(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);
	unsigned int half = conf->size / 2;

	for (unsigned int round = 0; round < 4; round++) {
		fake_guest_fill(&b->guest, FAKE_ONE, 2048, round % FAKE_PLACES);
		assert_int_equal(fake_nic_harvest(b->q, bufs, half, half), half);
		for (unsigned int i = 0; i < half; i++)
			bed_nic_fill(b, &bufs[i], 2 * i, 100);
		assert_true(iovt_rx_begin(b->q));
		for (unsigned int i = 0; i < half; i++) {
			assert_true(bed_complete(b, &bufs[i], 2 * i, 100));
			assert_int_equal(bed_copy(b, 2 * i + 1, 100 + i), 0);
		}
		iovt_rx_end(b->q, b->q->vr.format);
		for (unsigned int i = 0; i < half; i++) {
			bed_expect(b, 2 * i, 100);
			bed_expect(b, 2 * i + 1, 100 + i);
		}
		bed_check_accounts(b->q);
	}
	bed_free(b);
}

/* With an empty ring, buffers that came back from the NIC are used. */
static void
into_reclaimed(const struct bed_conf *conf)
{
	for (unsigned int place = 0; place < FAKE_PLACES; place++) {
		struct bed *b = bed_new(conf);

		fake_guest_fill(&b->guest, FAKE_ONE, 2048, place);
		assert_int_equal(fake_nic_harvest(b->q, bufs, conf->size, 1), conf->size);
		assert_int_equal(bed_copy_burst(b, 1, 60), -ENOBUFS);
		bed_reclaim(b, bufs, conf->size);
		for (unsigned int i = 0; i < conf->size; i++) {
			assert_int_equal(bed_copy_burst(b, i, 2048 - 12), 0);
			bed_expect(b, i, 2048 - 12);
			bed_check_accounts(b->q);
		}
		assert_int_equal(bed_copy_burst(b, 1, 60), -ENOBUFS);
		assert_int_equal(b->q->stats.copied_reclaimed, conf->size);
		bed_free(b);
	}
}

/* One packet in buffers from the ring and reclaimed ones; and the same undone. */
static void
into_both(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	uint16_t last_avail;
	struct bed *b;

	c.mergeable = true;
	b = bed_new(&c);
	for (int i = 0; i < 4; i++)
		fake_guest_post(&b->guest, FAKE_HDR_FOLLOWED, 2000, FAKE_SCATTERED);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	bed_reclaim(b, bufs, 2);
	last_avail = bed_avail(b->q);
	assert_int_equal(bed_copy_burst(b, 1, 8000 - 12 + 1), -ENOBUFS);
	assert_int_equal(bed_avail(b->q), last_avail);
	assert_int_equal(b->q->nr_reclaimed, 2);
	bed_check_accounts(b->q);
	bed_expect_nothing(b);
	assert_int_equal(bed_copy_burst(b, 2, 7000), 0);
	bed_expect(b, 2, 7000);
	assert_int_equal(b->packet.nr, 4);
	assert_int_equal(b->q->stats.copied_reclaimed, 2);
	assert_int_equal(b->q->stats.copied_bufs, 4);
	bed_free(b);
}

/* Longer chains than the engine keeps are legal, in the ring or in a table; what it keeps is used. */
static void
long_chain(const struct bed_conf *conf, bool indirect)
{
	struct bed_conf c = *conf;
	struct fake_raw d[200];
	struct bed *b;
	uint8_t *area;
	const unsigned int n = 200, piece = 10;
	uint64_t gpa;
	uint32_t len;
	uint16_t id;

	c.size = 256;
	c.mergeable = true;
	b = bed_new(&c);
	gpa = b->guest.mem.region[1].conf.gpa;
	area = fake_mem_guest(&b->guest.mem, gpa, n * 2 * piece);
	for (unsigned int i = 0; i < n; i++)
		d[i] = (struct fake_raw){gpa + i * 2 * piece, piece, VRING_DESC_F_WRITE};
	if (indirect) {
		fake_guest_table(&b->guest, b->guest.tables, d, n);
		d[0] = (struct fake_raw){b->guest.tables, n * sizeof(struct vring_desc),
			VRING_DESC_F_INDIRECT};
	}
	fake_guest_offer(&b->guest, 7, d, indirect ? 1 : n);
	assert_int_equal(bed_copy_burst(b, 1, IOVT_SEGS_MAX * piece - 12 + 1), -ENOBUFS);
	assert_int_equal(bed_copy_burst(b, 1, IOVT_SEGS_MAX * piece - 12), 0);
	assert_true(fake_guest_used(&b->guest, &id, &len));
	assert_int_equal(id, 7);
	assert_int_equal(len, IOVT_SEGS_MAX * piece);
	assert_false(fake_guest_used(&b->guest, &id, &len));
	for (unsigned int i = 0, at = 0; i < n * 2 * piece; i++) {
		if (i / piece % 2 == 1 || i / piece / 2 >= IOVT_SEGS_MAX)
			assert_int_equal(area[i], 0);
		else if (at++ >= 12)
			b->packet.data[at - 13] = area[i];
	}
	assert_true(fake_frame_equal(b->packet.data, 1, IOVT_SEGS_MAX * piece - 12));
	bed_free(b);
}

static void
long_chains(const struct bed_conf *conf)
{
	long_chain(conf, false);
	long_chain(conf, true);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"a full ring, then no buffer", one_each, true},
		{"every layout, to the last byte and not one more", layouts},
		{"a packet in several pieces", pieces},
		{"a packet over several buffers, each full but the last", several_buffers, true},
		{"without mergeable buffers a large packet is refused", not_mergeable},
		{"too few buffers: none is used", too_few},
		{"more buffers than one packet may take", too_big},
		{"a buffer without room for the header", tiny},
		{"completions and copies keep their order", mixed, true},
		{"reclaimed buffers are used when the ring is empty", into_reclaimed, true},
		{"one packet in ring and reclaimed buffers", into_both},
		{"a chain longer than the engine keeps", long_chains},
	};

	return unit_run("copy", cases, sizeof(cases) / sizeof(cases[0]));
}
