/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hostile guest offers, and what becomes of the packets, buffers and counters around it. */
#include <errno.h>
#include <string.h>

#include "hostile.h"

static struct iovt_buf bufs[SIZE];

/* A buffer that is not in guest memory: never lent, and a copy breaks the ring. */
static void
outside_memory(const struct bed_conf *conf)
{
	static const uint64_t size = 2000;

	for (unsigned int k = 0; k < 6 * MEETINGS; k++) {
		struct bed *b = bed_new(conf);
		const struct fake_region_conf *r = &b->guest.mem.region[k % 6 < 3 ? 2 : 0].conf;
		const uint64_t at[] = {
			r->gpa + r->size,      /* just behind the region */
			r->gpa + r->size - 5,  /* the header starts inside */
			r->gpa + r->size - 20, /* the data */
			r->gpa + r->size,
			UINT64_C(0x7f0000000000),
			OUTSIDE,
		};

		offer(b, 3, at[k % 6], size, W);
		fake_mem_save(&b->guest.mem);
		if (k / 6 == BY_HARVEST) {
			assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 0);
			assert_int_equal(b->q->stats.unbindable, 1);
			assert_int_equal(b->q->state, IOVT_RXQ_RUNNING);
			assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
		} else {
			struct iovt_vnet_hdr hdr = fake_frame_hdr(k);
			uint8_t frame[100];
			const struct iovt_piece piece = {frame, sizeof(frame)};

			fake_frame_write(frame, k, sizeof(frame));
			assert_true(iovt_rx_begin(b->q));
			assert_int_equal(k / 6 == BY_COPY
					? iovt_rx_copy(b->q, b->q->vr.format, frame, 100, &hdr)
					: iovt_rx_copy_pieces(b->q, &piece, 1, 100, &hdr),
				-EPROTO);
			iovt_rx_end(b->q, b->q->vr.format);
			bed_expect_broken(b);
			/* What of it lies in memory may have been written, it was offered. */
			assert_true(fake_mem_changed(&b->guest.mem, at[k % 6], size) == UINT64_MAX);
		}
		bed_free(b);
	}
}

/* A broken ring takes no packet, not even in the burst in which it broke. */
static void
rest_of_burst(const struct bed_conf *conf)
{
	for (int how = BY_COPY; how < MEETINGS; how++) {
		struct bed *b = bed_new(conf);
		struct iovt_vnet_hdr hdr = fake_frame_hdr(1);
		const struct iovt_piece piece = {"0123456789", 10};

		offer(b, 3, OUTSIDE, 2000, W);
		offer(b, 4, good(b), 2000, W);
		fake_mem_save(&b->guest.mem);
		assert_true(iovt_rx_begin(b->q));
		assert_int_equal(iovt_rx_copy(b->q, b->q->vr.format, piece.data, 10, &hdr),
			-EPROTO);
		assert_int_equal(how == BY_COPY
				? iovt_rx_copy(b->q, b->q->vr.format, piece.data, 10, &hdr)
				: iovt_rx_copy_pieces(b->q, &piece, 1, 10, &hdr),
			-EPROTO);
		iovt_rx_end(b->q, b->q->vr.format);
		bed_expect_broken(b);
		assert_true(fake_mem_changed(&b->guest.mem, 0, 0) == UINT64_MAX);
		bed_free(b);
	}
}

/* What was completed before the ring broke, in the same burst, may be shown or not: accounts hold. */
static void
completed_in_same_burst(const struct bed_conf *conf)
{
	struct bed *b = bed_new(conf);

	for (int i = 0; i < 3; i++)
		fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 3, 3), 3);
	bed_nic_fill(b, &bufs[0], 1, 60);
	offer(b, SIZE, good(b), 2000, W); /* no such id */
	assert_true(iovt_rx_begin(b->q));
	assert_true(bed_complete(b, &bufs[0], 1, 60));
	assert_int_equal(bed_copy(b, 2, 60), -EPROTO);
	iovt_rx_end(b->q, b->q->vr.format);
	bed_expect_broken(b);
	bed_expect(b, 1, 60);
	bed_reclaim(b, bufs + 1, 2);
	bed_free(b);
}

/* A reclaimed buffer that was gathered for a packet which could not be written is not forgotten. */
static void
reclaimed_beside_bad(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct bed *b;

	c.mergeable = true;
	b = bed_new(&c);
	for (int i = 0; i < 2; i++)
		fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_LINEAR);
	assert_int_equal(fake_nic_harvest(b->q, bufs, 2, 2), 2);
	bed_reclaim(b, bufs, 2);
	offer(b, 3, OUTSIDE, 100, W);
	assert_int_equal(bed_copy_burst(b, 1, 500), -EPROTO);
	bed_expect_broken(b);
	bed_free(b);
}

/* An indirect table may lie at any address (virtio 1.2 asks for no alignment). */
static void
unaligned_table(const struct bed_conf *conf)
{
	for (unsigned int off = 1; off < 16; off++) {
		struct bed *b = bed_new(conf);
		const struct fake_raw t[] = {{good(b), 12, W}, {good(b) + 12, 2000, W}};

		fake_guest_table(&b->guest, b->guest.tables + off, t, 2);
		offer(b, 3, b->guest.tables + off, 32, I);
		assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 1);
		assert_int_equal(bufs[0].len, 2012);
		assert_ptr_equal(bufs[0].va, fake_mem_host(&b->guest.mem, good(b), 2012));
		bed_reclaim(b, bufs, 1);
		bed_free(b);
	}
}

/*
 * Lengths that add up to more than 32 bits. The first 512 bytes are good memory, so a copy may be
 * accepted or refused; but it writes nothing else, and reports no more than it wrote.
 */
static void
huge_lengths(const struct bed_conf *conf)
{
	for (unsigned int k = 0; k < 8; k++) {
		uint32_t len = k & 1 ? 0x80000000 : 0xffffffff;
		uint32_t first = k & 4 ? 12 : len;
		struct bed_conf c = *conf;
		uint32_t written;
		struct bed *b;
		uint16_t id;

		c.mergeable = k & 2;
		b = bed_new(&c);
		offer_two(b, 3, (struct fake_raw){good(b), first, W},
			(struct fake_raw){good(b) + first, 0x80000000 + 32, W});
		fake_mem_save(&b->guest.mem);
		assert_int_equal(fake_nic_harvest(b->q, bufs, 1, 1), 0);
		bed_copy_burst(b, 1, 500);
		bed_check_accounts(b->q);
		if (fake_guest_used(&b->guest, &id, &written)) {
			assert_int_equal(id, 3);
			assert_int_equal(written, 512);
			assert_false(fake_guest_used(&b->guest, &id, &written));
		}
		fake_mem_save_rings(&b->guest.mem);
		assert_true(fake_mem_changed(&b->guest.mem, good(b), 512) == UINT64_MAX);
		bed_free(b);
	}
}

/* One id for two chains of different length, both for one packet. */
static void
twice_in_a_packet(const struct bed_conf *conf)
{
	for (unsigned int k = 0; k < 2; k++) {
		struct bed_conf c = *conf;
		struct fake_raw d[2];
		struct bed *b;

		c.mergeable = true;
		b = bed_new(&c);
		for (int i = 0; i < 2; i++)
			d[i] = (struct fake_raw){good(b) + i * 100, 50, W};
		fake_guest_offer(&b->guest, 3, d, 1 + k % 2);
		fake_guest_offer(&b->guest, 3, d, 2 - k % 2);
		assert_int_equal(bed_copy_burst(b, 1, 100),
			-EPROTO); /* more than the first holds */
		assert_int_equal(bed_avail(b->q), c.start);
		bed_expect_broken(b);
		bed_free(b);
	}
}

/* Whatever a driver wishes: it has its packets, and nobody else is told of them. */
static void
any_wish(const struct bed_conf *conf)
{
	static const uint16_t flags[] = {0, 1, 2, 3, 4, 0xfffc, 0xffff};
	static const uint16_t events[] = {0, SIZE - 1, SIZE, 0x7fff, 0x8000 | SIZE, 0xffff};

	for (unsigned int k = 0; k < 7 * 6 * 2; k++) {
		struct bed_conf c = *conf;
		struct bed *b;

		c.event_idx = k % 2;
		b = bed_new(&c);
		c.format->wish(&b->guest, flags[k / 2 % 7], events[k / 14]);
		for (uint64_t seq = 0; seq < 3 * SIZE; seq++) {
			fake_guest_post(&b->guest, FAKE_ONE, 2000, FAKE_LINEAR);
			assert_int_equal(bed_copy_burst(b, seq, 60), 0);
			bed_expect(b, seq, 60);
		}
		bed_expect_nothing(b);
		assert_int_equal(b->q->state, IOVT_RXQ_RUNNING);
		bed_free(b);
	}
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"a buffer outside the guest's memory", outside_memory},
		{"no packet for a ring that broke earlier in the burst", rest_of_burst},
		{"frames completed before the ring broke", completed_in_same_burst},
		{"reclaimed buffers beside a bad one stay accounted for", reclaimed_beside_bad},
		{"an indirect table at any alignment", unaligned_table},
		{"lengths that do not add up in 32 bits", huge_lengths},
		{"a buffer offered twice for one packet", twice_in_a_packet},
		{"any notification wish", any_wish},
	};

	return unit_run("hostile guest", cases, sizeof(cases) / sizeof(cases[0]));
}
