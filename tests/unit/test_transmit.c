/* SPDX-License-Identifier: BSD-3-Clause */
/* What a guest sends: every layout, contents, order, while it goes on sending. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "send_bed.h"

/* Full rings, in bursts that do not divide them. */
static void
in_order(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	unsigned int n = conf->size;

	for (uint64_t seq = 0; seq < 3 * n; seq += n) {
		int id[SIZE_MAX_TESTED];

		for (unsigned int i = 0; i < n; i++) {
			id[i] = fake_guest_send(&b->guest, FAKE_ONE, 12 + 14 + i, FAKE_LINEAR,
				seq + i);
			assert_true(id[i] >= 0);
		}
		while (send_bed_burst(b, 1 + (seq + b->nr_got) % IOVT_TX_BATCH) > 0)
			;
		assert_int_equal(b->nr_got, n);
		for (unsigned int i = 0; i < n; i++) {
			send_bed_expect(b, i, seq + i, 14 + i);
			assert_int_equal(fake_guest_reap(&b->guest), id[i]);
		}
		assert_int_equal(fake_guest_reap(&b->guest), -1);
		send_bed_forget(b);
	}
	assert_int_equal(b->q->stats.chained, 1); /* the first: nothing told its region before */
	send_bed_free(b);
}

/* Every layout in every place, with plain packets around it. */
static void
layouts(const struct bed_conf *conf)
{
	static const uint32_t lens[] = {14, 1514, SEND_ROOM, SEND_ROOM + 1};

	for (unsigned int k = 0; k < FAKE_LAYOUTS * FAKE_PLACES * 4 * 2; k++) {
		enum fake_layout layout = k / (FAKE_PLACES * 8);
		uint32_t len = lens[k / 2 % 4];
		struct bed_conf c = *conf;
		struct send_bed *b;

		c.hdr_len = k % 2 ? 10 : 12;
		b = send_bed_new(&c);
		for (unsigned int i = 0; i < 3; i++)
			assert_true(
				fake_guest_send(&b->guest, i == 1 ? layout : FAKE_ONE,
					c.hdr_len + (i == 1 ? len : 100),
					i == 1 ? k / 8 % FAKE_PLACES : FAKE_LINEAR, k + i) >= 0);
		assert_int_equal(send_bed_burst(b, 8), 3);
		for (unsigned int i = 0; i < 3; i++) {
			send_bed_expect(b, i, k + i, i == 1 ? len : 100);
			assert_true(fake_guest_reap(&b->guest) >= 0);
		}
		/* In pieces if it has any, or no room; a region's very end counts as such. */
		if ((layout != FAKE_ONE && layout != FAKE_PAGE_CROSS) || len > SEND_ROOM)
			assert_true(b->got[1].pieced);
		assert_int_equal(b->q->stats.chained,
			b->got[0].pieced + b->got[1].pieced + b->got[2].pieced);
		send_bed_free(b);
	}
}

/* One that finds no room stays where it is, and so does what is behind it. */
static void
no_room(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);

	fake_guest_send(&b->guest, FAKE_ONE, 200, FAKE_LINEAR, 0);
	assert_int_equal(send_bed_burst(b, 8), 1);
	assert_true(fake_guest_reap(&b->guest) >= 0);
	send_bed_forget(b);
	for (unsigned int i = 0; i < 5; i++)
		fake_guest_send(&b->guest, i == 2 ? FAKE_CHAIN : FAKE_ONE, 200 + i, FAKE_LINEAR, i);
	b->refuse = 2;
	assert_int_equal(send_bed_burst(b, 8), 2);
	assert_int_equal(send_bed_burst(b, 8), 0);
	assert_int_equal(send_bed_burst(b, 8), 3);
	for (unsigned int i = 0; i < 5; i++) {
		send_bed_expect(b, i, i, 188 + i);
		assert_true(fake_guest_reap(&b->guest) >= 0);
	}
	assert_int_equal(fake_guest_reap(&b->guest), -1);
	send_bed_free(b);
}

/* What the taker drops goes back to the guest as if it had been taken, and leaves no gap. */
static void
dropped(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	unsigned int k = 0;

	for (unsigned int i = 0; i < 9; i++)
		assert_true(fake_guest_send(&b->guest, i == 1 || i == 5 ? FAKE_CHAIN : FAKE_ONE,
				    200 + i, FAKE_LINEAR, i) >= 0);
	b->drop = 3;
	while (send_bed_burst(b, 8) > 0)
		;
	assert_int_equal(b->nr_got, 6);
	for (unsigned int i = 0; i < 9; i++) {
		if (i % 3 != 2)
			send_bed_expect(b, k++, i, 188 + i);
		assert_true(fake_guest_reap(&b->guest) >= 0);
	}
	assert_null(b->q->error);
	send_bed_free(b);
}

/* The taker has more room than the guest has memory behind any packet. */
static void
much_room(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);

	b->room = 65535;
	for (uint64_t seq = 0; seq < 4; seq++) {
		assert_true(fake_guest_send(&b->guest, FAKE_ONE, 1000, FAKE_PAIRS, seq) >= 0);
		assert_int_equal(send_bed_burst(b, 8), 1);
		send_bed_expect(b, seq, seq, 988);
		assert_true(fake_guest_reap(&b->guest) >= 0);
	}
	send_bed_free(b);
}

static void
nothing_there(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);

	assert_int_equal(send_bed_take_chain(b), -EAGAIN);
	assert_int_equal(send_bed_burst(b, 8), 0);
	fake_guest_send(&b->guest, FAKE_ONE, 1000, FAKE_LINEAR, 1);
	/* Not looked at yet. */
	assert_int_equal(send_bed_take_chain(b), -EAGAIN);
	assert_int_equal(send_bed_burst(b, 8), 1);
	assert_int_equal(send_bed_take_chain(b), -EAGAIN);
	assert_null(b->q->error);
	send_bed_free(b);
}

/* A queue goes on where the one before it stopped. */
static void
goes_on(const struct bed_conf *conf)
{
	struct send_bed *b = send_bed_new(conf);
	uint16_t last_avail, last_used;

	for (uint64_t seq = 0; seq < 40; seq++) {
		fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, seq);
		fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, seq + 1000);
		assert_int_equal(send_bed_burst(b, 1), 1);
		assert_int_equal(send_bed_close(b, &last_avail, &last_used), 0);
		send_bed_open(b, last_avail, last_used);
		assert_int_equal(send_bed_burst(b, 8), 1);
		send_bed_expect(b, 0, seq, 88);
		send_bed_expect(b, 1, seq + 1000, 88);
		assert_true(fake_guest_reap(&b->guest) >= 0);
		assert_true(fake_guest_reap(&b->guest) >= 0);
		send_bed_forget(b);
	}
	send_bed_free(b);
}

static void
notification(const struct bed_conf *conf)
{
	for (int event_idx = 0; event_idx < 2; event_idx++) {
		struct bed_conf c = *conf;
		struct send_bed *b;

		c.event_idx = event_idx;
		b = send_bed_new(&c);
		for (unsigned int wish = 0; wish < 4; wish++) {
			bool due = event_idx ? wish == 1 || wish == 2 : wish != 0;

			b->guest.format->notify_after(&b->guest, wish);
			fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, 1);
			fake_guest_send(&b->guest, FAKE_ONE, 100, FAKE_LINEAR, 2);
			assert_int_equal(send_bed_take(b, 8), 2);
			assert_int_equal(iovt_tx_end(b->q, b->q->vr.format), due);
			assert_false(iovt_tx_end(b->q, b->q->vr.format));
			send_bed_forget(b);
			while (fake_guest_reap(&b->guest) >= 0)
				;
		}
		send_bed_free(b);
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

static enum iovt_tx_fate
check_frame(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct line *l = ctx;

	CHECK(f->len == length_of(l->next) && fake_frame_equal(f->data, l->next, f->len));
	l->next++;
	return IOVT_TX_COPIED;
}

static int
check_pieces(void *ctx, size_t k, const struct iovt_pieces *p)
{
	uint8_t data[2048];
	uint32_t off = 0;

	CHECK(p->len <= sizeof(data));
	for (unsigned int i = 0; i < p->nr; i++) {
		memcpy(data + off, p->piece[i].data, p->piece[i].len);
		off += p->piece[i].len;
	}
	check_frame(ctx, k, &(struct iovt_frame){.data = data, .len = p->len}, false);
	return 0;
}

static void *
switch_main(void *arg)
{
	struct line *l = arg;

	while (l->next < AT_ONCE) {
		unsigned int n = iovt_tx_ready(l->b->q, l->b->q->vr.format,
			1 + l->next % IOVT_TX_BATCH);

		if (n > 0)
			iovt_tx_take(l->b->q, l->b->q->vr.format, n, SEND_ROOM, IOVT_TX_READS_ALL,
				check_frame, check_pieces, l);
		iovt_tx_end(l->b->q, l->b->q->vr.format);
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
	l.b = send_bed_new(&c);
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
	send_bed_free(l.b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"in order, whole rings", in_order, true},
		{"every layout and place", layouts, false},
		{"no room for one in the middle", no_room, false},
		{"the taker drops some", dropped, false},
		{"room for more than the memory holds", much_room, true},
		{"an empty ring", nothing_there, false},
		{"goes on after a restart", goes_on, true},
		{"notification", notification, false},
		{"guest and switch at once", at_once, false},
	};

	return unit_run("transmit", cases, sizeof(cases) / sizeof(cases[0]));
}
