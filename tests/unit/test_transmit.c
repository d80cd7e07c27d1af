/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest sends: every layout, contents, order; and what it should not send. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bed.h"
#include "transmit.h"

#define ROOM 2048u

struct packet {
	uint32_t len;
	bool pieced;
	uint8_t *data;
};

/* A sending guest, the engine's queue over its memory, and what was taken from it. */
struct send_bed {
	struct fake_guest guest;
	struct iovt_txq *q;
	struct packet got[SIZE_MAX_TESTED];
	unsigned int nr_got;
	unsigned int refuse; /* so many packets in pieces find no room */
};

static void
open_queue(struct send_bed *b, uint16_t last_avail, uint16_t last_used)
{
	struct iovt_txq_conf conf = {
		.ring =
			{
				.mem = b->guest.mem.snapshot,
				.size = b->guest.size,
				.last_avail = last_avail,
				.last_used = last_used,
				.event_idx = b->guest.event_idx,
			},
		.hdr_len = b->guest.hdr_len,
	};

	b->guest.format->open(&b->guest, &conf.ring);
	CHECK(iovt_txq_create(&conf, &b->q) == 0);
}

static struct send_bed *new (const struct bed_conf *conf)
{
	const struct fake_guest_conf guest = {
		.format = conf->format,
		.size = conf->size,
		.start = conf->start,
		.hdr_len = conf->hdr_len,
		.event_idx = conf->event_idx,
		.one_view = conf->one_view,
		.sends = true,
	};
	struct send_bed *b = calloc(1, sizeof(*b));

	CHECK(b != NULL);
	fake_guest_init(&b->guest, &guest);
	open_queue(b, conf->start, conf->start);
	return b;
}

static void
forget(struct send_bed *b)
{
	for (unsigned int i = 0; i < b->nr_got; i++)
		free(b->got[i].data);
	b->nr_got = 0;
}

static void
end(struct send_bed *b)
{
	uint16_t last_avail, last_used;

	forget(b);
	iovt_txq_destroy(b->q, &last_avail, &last_used);
	fake_guest_fini(&b->guest);
	free(b);
}

static struct packet *
add(struct send_bed *b, size_t k, uint32_t len)
{
	struct packet *p = &b->got[b->nr_got + k];

	CHECK(b->nr_got + k < SIZE_MAX_TESTED);
	*p = (struct packet){.len = len, .data = malloc(len)};
	CHECK(p->data != NULL);
	return p;
}

static void
take_frame(void *ctx, size_t k, const void *data, uint32_t len)
{
	CHECK(len >= IOVT_TX_LEN_MIN && len <= ROOM);
	memcpy(add(ctx, k, len)->data, data, len);
}

static int
take_pieces(void *ctx, size_t k, const struct iovt_piece *piece, unsigned int nr, uint32_t len)
{
	struct send_bed *b = ctx;
	uint32_t off = 0;
	struct packet *p;

	CHECK(len >= IOVT_TX_LEN_MIN && len <= IOVT_TX_LEN_MAX);
	if (b->refuse > 0) {
		b->refuse--;
		return -ENOMEM;
	}
	p = add(b, k, len);
	p->pieced = true;
	for (unsigned int i = 0; i < nr; i++) {
		CHECK(piece[i].len > 0 && piece[i].len <= len - off);
		memcpy(p->data + off, piece[i].data, piece[i].len);
		off += piece[i].len;
	}
	CHECK(off == len);
	return 0;
}

/* One burst of a switch. Returns how many packets it brought. */
static unsigned int
burst(struct send_bed *b, unsigned int n)
{
	unsigned int ready = iovt_tx_ready(b->q, n), got;

	CHECK(ready <= n && ready <= IOVT_TX_BATCH);
	if (ready == 0)
		return 0;
	got = iovt_tx_take(b->q, ready, ROOM, take_frame, take_pieces, b);
	CHECK(got <= ready);
	b->nr_got += got;
	iovt_tx_end(b->q);
	return got;
}

static void
expect(const struct send_bed *b, unsigned int k, uint64_t seq, uint32_t len)
{
	assert_true(k < b->nr_got);
	assert_int_equal(b->got[k].len, len);
	assert_true(fake_frame_equal(b->got[k].data, seq, len));
}

static void
expect_error(struct send_bed *b)
{
	uint16_t used = b->guest.split.used->idx;

	assert_non_null(b->q->error);
	assert_int_equal(b->q->stats.ring_errors, 1);
	assert_int_equal(burst(b, 8), 0);
	iovt_txq_break(b->q, "again");
	assert_int_equal(b->q->stats.ring_errors, 1);
	assert_int_equal(b->guest.split.used->idx, used);
}

/* Full rings, in bursts that do not divide them. */
static void
in_order(const struct bed_conf *conf)
{
	struct send_bed *b = new (conf);
	unsigned int n = conf->size;

	for (uint64_t seq = 0; seq < 3 * n; seq += n) {
		int id[SIZE_MAX_TESTED];

		for (unsigned int i = 0; i < n; i++) {
			id[i] = fake_guest_send(&b->guest, FAKE_ONE, 12 + 14 + i, FAKE_LINEAR,
				seq + i);
			assert_true(id[i] >= 0);
		}
		while (burst(b, 1 + (seq + b->nr_got) % IOVT_TX_BATCH) > 0)
			;
		assert_int_equal(b->nr_got, n);
		for (unsigned int i = 0; i < n; i++) {
			expect(b, i, seq + i, 14 + i);
			assert_int_equal(fake_guest_reap(&b->guest), id[i]);
		}
		assert_int_equal(fake_guest_reap(&b->guest), -1);
		forget(b);
	}
	assert_int_equal(b->q->stats.packets, 3 * n);
	assert_int_equal(b->q->stats.chained, 1); /* the first: nothing told its region before */
	end(b);
}

/* Every layout in every place, with plain packets around it. */
static void
layouts(const struct bed_conf *conf)
{
	static const uint32_t lens[] = {14, 60, 1514, 3400};

	for (unsigned int k = 0; k < FAKE_LAYOUTS * FAKE_PLACES * 4 * 2; k++) {
		enum fake_layout layout = k / (FAKE_PLACES * 8);
		uint32_t len = lens[k / 2 % 4];
		struct bed_conf c = *conf;
		struct send_bed *b;

		c.hdr_len = k % 2 ? 10 : 12;
		b = new (&c);
		for (unsigned int i = 0; i < 3; i++)
			assert_true(
				fake_guest_send(&b->guest, i == 1 ? layout : FAKE_ONE,
					c.hdr_len + (i == 1 ? len : 100),
					i == 1 ? k / 8 % FAKE_PLACES : FAKE_LINEAR, k + i) >= 0);
		assert_int_equal(burst(b, 8), 3);
		for (unsigned int i = 0; i < 3; i++) {
			expect(b, i, k + i, i == 1 ? len : 100);
			assert_true(fake_guest_reap(&b->guest) >= 0);
		}
		/* In pieces if it has any, or no room; a region's very end counts as such. */
		if ((layout != FAKE_ONE && layout != FAKE_PAGE_CROSS) || len > ROOM)
			assert_true(b->got[1].pieced);
		assert_int_equal(b->q->stats.chained,
			b->got[0].pieced + b->got[1].pieced + b->got[2].pieced);
		end(b);
	}
}

/* One that finds no room stays where it is, and so does what is behind it. */
static void
no_room(const struct bed_conf *conf)
{
	struct send_bed *b = new (conf);

	fake_guest_send(&b->guest, FAKE_ONE, 200, FAKE_LINEAR, 0);
	assert_int_equal(burst(b, 8), 1);
	assert_true(fake_guest_reap(&b->guest) >= 0);
	forget(b);
	for (unsigned int i = 0; i < 5; i++)
		fake_guest_send(&b->guest, i == 2 ? FAKE_CHAIN : FAKE_ONE, 200 + i, FAKE_LINEAR, i);
	b->refuse = 2;
	assert_int_equal(burst(b, 8), 2);
	assert_int_equal(burst(b, 8), 0);
	assert_int_equal(burst(b, 8), 3);
	for (unsigned int i = 0; i < 5; i++) {
		expect(b, i, i, 188 + i);
		assert_true(fake_guest_reap(&b->guest) >= 0);
	}
	assert_int_equal(fake_guest_reap(&b->guest), -1);
	end(b);
}

static void
too_short(const struct bed_conf *conf)
{
	struct send_bed *b = new (conf);
	unsigned int n = 0, kept = 0;

	for (uint32_t len = 1; len < conf->hdr_len + 16u; len++) {
		assert_true(fake_guest_send(&b->guest, len % 2 || len < 4 ? FAKE_ONE : FAKE_CHAIN,
				    len, FAKE_LINEAR, len) >= 0);
		n++;
		kept += burst(b, 8);
		assert_true(fake_guest_reap(&b->guest) >= 0);
	}
	assert_int_equal(kept, 2);
	assert_int_equal(b->q->stats.too_short, n - kept);
	expect(b, 0, conf->hdr_len + 14, 14);
	expect(b, 1, conf->hdr_len + 15, 15);
	end(b);
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
	struct send_bed *b = new (conf);
	uint32_t max = conf->hdr_len + IOVT_TX_LEN_MAX;

	assert_true(b->guest.mem.region[1].conf.size > max);
	offer_desc(b, memory(b), max + 1, 0, 0);
	assert_int_equal(burst(b, 8), 0);
	assert_int_equal(b->q->stats.too_big, 1);
	offer_desc(b, memory(b), UINT32_MAX, 0, 0);
	assert_int_equal(burst(b, 8), 0);
	assert_int_equal(b->q->stats.too_big, 2);
	offer_desc(b, memory(b), max, 0, 0);
	assert_int_equal(burst(b, 8), 1);
	assert_int_equal(b->got[0].len, IOVT_TX_LEN_MAX);
	assert_null(b->q->error);
	assert_int_equal(b->guest.split.used->idx, b->guest.split.avail_idx);
	end(b);
}

/* More pieces than are kept: dropped, not cut. */
static void
too_many_pieces(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct send_bed *b;

	c.size = 256;
	b = new (&c);
	for (unsigned int n = IOVT_SEGS_MAX - 1; n <= IOVT_SEGS_MAX; n++) {
		for (uint16_t i = 1; i <= n; i++)
			b->guest.split.desc[i] = (struct vring_desc){memory(b) + 100 * i, 20,
				i < n ? VRING_DESC_F_NEXT : 0, i + 1};
		offer_desc(b, memory(b), 20, VRING_DESC_F_NEXT, 2);
		assert_int_equal(burst(b, 8), n < IOVT_SEGS_MAX);
	}
	assert_int_equal(b->got[0].len, 20 * (IOVT_SEGS_MAX - 1) - c.hdr_len);
	assert_int_equal(b->q->stats.too_big, 1);
	end(b);
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
		struct send_bed *b = new (conf);

		snprintf(fake_context, sizeof(fake_context), "malformed chain %u", i);
		fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, i);
		how[i](b);
		fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, 77);
		assert_int_equal(burst(b, 8), 1);
		expect(b, 0, i, 100);
		expect_error(b);
		end(b);
	}
}

static void
jumped(const struct bed_conf *conf)
{
	struct send_bed *b = new (conf);

	fake_guest_send(&b->guest, FAKE_ONE, 112, FAKE_LINEAR, 1);
	index_jump(b);
	assert_int_equal(burst(b, 8), 0);
	expect_error(b);
	end(b);
}

/* A queue goes on where the one before it stopped. */
static void
goes_on(const struct bed_conf *conf)
{
	struct send_bed *b = new (conf);
	uint16_t last_avail, last_used;

	for (uint64_t seq = 0; seq < 40; seq++) {
		fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, seq);
		fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, seq + 1000);
		assert_int_equal(burst(b, 1), 1);
		iovt_txq_destroy(b->q, &last_avail, &last_used);
		open_queue(b, last_avail, last_used);
		assert_int_equal(burst(b, 8), 1);
		expect(b, 0, seq, 88);
		expect(b, 1, seq + 1000, 88);
		assert_true(fake_guest_reap(&b->guest) >= 0);
		assert_true(fake_guest_reap(&b->guest) >= 0);
		forget(b);
	}
	end(b);
}

static void
notification(const struct bed_conf *conf)
{
	for (int event_idx = 0; event_idx < 2; event_idx++) {
		struct bed_conf c = *conf;
		struct send_bed *b;

		c.event_idx = event_idx;
		b = new (&c);
		for (unsigned int wish = 0; wish < 4; wish++) {
			bool due = event_idx ? wish == 1 || wish == 2 : wish != 0;

			b->guest.format->notify_after(&b->guest, wish);
			fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, 1);
			fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, 2);
			assert_int_equal(iovt_tx_ready(b->q, 8), 2);
			b->nr_got += iovt_tx_take(b->q, 2, ROOM, take_frame, take_pieces, b);
			assert_int_equal(iovt_tx_end(b->q), due);
			assert_false(iovt_tx_end(b->q));
			while (fake_guest_reap(&b->guest) >= 0)
				;
		}
		end(b);
	}
}

#define AT_ONCE 20000

/* A guest that sends as fast as it can, while a switch takes. */
struct line {
	struct send_bed *b;
	uint64_t next; /* packet that the switch expects */
};

static uint32_t
length_of(uint64_t seq)
{
	return 14 + seq * 7 % 1500;
}

static void
check_frame(void *ctx, size_t k, const void *data, uint32_t len)
{
	struct line *l = ctx;

	CHECK(len == length_of(l->next) && fake_frame_equal(data, l->next, len));
	l->next++;
}

static int
check_pieces(void *ctx, size_t k, const struct iovt_piece *piece, unsigned int nr, uint32_t len)
{
	uint8_t data[2048];
	uint32_t off = 0;

	CHECK(len <= sizeof(data));
	for (unsigned int i = 0; i < nr; i++) {
		memcpy(data + off, piece[i].data, piece[i].len);
		off += piece[i].len;
	}
	check_frame(ctx, k, data, len);
	return 0;
}

static void *
switch_main(void *arg)
{
	struct line *l = arg;

	while (l->next < AT_ONCE) {
		unsigned int n = iovt_tx_ready(l->b->q, 1 + l->next % IOVT_TX_BATCH);

		if (n > 0)
			iovt_tx_take(l->b->q, n, ROOM, check_frame, check_pieces, l);
		iovt_tx_end(l->b->q);
		CHECK(l->b->q->error == NULL);
		if (n == 0)
			sched_yield();
	}
	return NULL;
}

static void
at_once(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct line l = {0};
	pthread_t thread;
	uint64_t seq = 0;

	fake_fail_hook = NULL; /* a failure in another thread cannot return to this one */
	c.one_view = true;
	l.b = new (&c);
	CHECK(pthread_create(&thread, NULL, switch_main, &l) == 0);
	while (seq < AT_ONCE) {
		while (fake_guest_reap(&l.b->guest) >= 0)
			;
		if (fake_guest_send(&l.b->guest, seq % 5 == 0 ? FAKE_CHAIN : FAKE_ONE,
			    12 + length_of(seq), seq % FAKE_PLACES, seq) >= 0)
			seq++;
		else
			sched_yield();
	}
	pthread_join(thread, NULL);
	assert_int_equal(l.b->q->stats.packets, AT_ONCE);
	end(l.b);
}

static void
bad_configuration(const struct bed_conf *conf)
{
	struct send_bed *b = new (conf);
	struct iovt_txq_conf good = {.hdr_len = 12}, bad;
	struct iovt_txq *q = NULL;

	b->guest.format->open(&b->guest, &good.ring);
	good.ring.mem = b->guest.mem.snapshot;
	good.ring.size = conf->size;
	bad = good;
	bad.hdr_len = 11;
	assert_int_equal(iovt_txq_create(&bad, &q), -EINVAL);
	bad = good;
	bad.ring.size = 3;
	assert_int_equal(iovt_txq_create(&bad, &q), -EINVAL);
	bad = good;
	bad.ring.mem = NULL;
	assert_int_equal(iovt_txq_create(&bad, &q), -EINVAL);
	assert_null(q);
	end(b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"in order, whole rings", in_order, true},
		{"every layout and place", layouts, false},
		{"no room for one in the middle", no_room, false},
		{"too short", too_short, false},
		{"too big", too_big, false},
		{"too many pieces", too_many_pieces, false},
		{"malformed chains", broken, false},
		{"index jump", jumped, false},
		{"goes on after a restart", goes_on, true},
		{"notification", notification, false},
		{"bad configuration", bad_configuration, false},
		{"guest and switch at once", at_once, false},
	};

	return unit_run("transmit", cases, sizeof(cases) / sizeof(cases[0]));
}
