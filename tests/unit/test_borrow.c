/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that stay in the guest's memory until the last one who reads them is done. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "send_bed.h"

#define LEN 200u

static struct send_bed *
borrowing(const struct bed_conf *conf, uint16_t max)
{
	struct bed_conf c = *conf;

	c.lend_max = max;
	return send_bed_new(&c);
}

static int
send(struct send_bed *b, uint64_t seq)
{
	int id = fake_guest_send(&b->guest, FAKE_ONE, 12 + LEN, FAKE_LINEAR, seq);

	assert_true(id >= 0);
	return id;
}

/* The first packet of a queue is copied: nothing told its region before. */
static void
warm_up(struct send_bed *b)
{
	send(b, 0);
	assert_int_equal(send_bed_burst(b, 1), 1);
	assert_false(b->got[0].borrowed);
	assert_true(fake_guest_reap(&b->guest) >= 0);
	send_bed_forget(b);
}

static void
return_and_show(struct send_bed *b, unsigned int k)
{
	send_bed_return(b, k);
	iovt_tx_end(b->q, b->q->vr.format);
}

/* The guest sees a packet used when it came back, not before; in any order. */
static void
any_order(const struct bed_conf *conf)
{
	struct send_bed *b = borrowing(conf, conf->size);
	unsigned int n = conf->size < 8 ? conf->size : 8;
	int id[8];

	warm_up(b);
	for (uint64_t lap = 0; lap < 3 * conf->size; lap += n) {
		for (unsigned int i = 0; i < n; i++)
			id[i] = send(b, lap + i);
		assert_int_equal(send_bed_burst(b, n), n);
		assert_int_equal(fake_guest_reap(&b->guest), -1);
		for (unsigned int i = 0; i < n; i++) {
			unsigned int k = i % 2 ? i - 1 : i + 1 < n ? i + 1 : i;

			assert_true(b->got[k].borrowed && b->got[k].id == id[k]);
			send_bed_expect(b, k, lap + k, LEN);
			return_and_show(b, k);
			assert_int_equal(fake_guest_reap(&b->guest), id[k]);
			assert_int_equal(fake_guest_reap(&b->guest), -1);
		}
		send_bed_forget(b);
	}
	send_bed_free(b);
}

/* Beyond the limit, and below the length that is worth it, packets are copied: the ring never starves. */
static void
limit(const struct bed_conf *conf)
{
	struct send_bed *b = borrowing(conf, 2);
	unsigned int copied = 0;

	warm_up(b);
	for (unsigned int lap = 0; lap < 40; lap++) {
		for (unsigned int i = 0; i < 4; i++)
			send(b, 4 * lap + i);
		assert_int_equal(send_bed_burst(b, 8), 4);
		for (unsigned int i = 0; i < 4; i++) {
			assert_int_equal(b->got[i].borrowed, lap == 0 && i < 2);
			send_bed_expect(b, i, 4 * lap + i, LEN);
			copied += !b->got[i].borrowed;
		}
		for (unsigned int i = 0; i < (lap == 0 ? 2 : 4); i++)
			assert_true(fake_guest_reap(&b->guest) >= 0);
		assert_int_equal(fake_guest_reap(&b->guest), -1);
		send_bed_forget(b);
	}
	assert_int_equal(copied, 158);
	assert_int_equal(iovt_txq_out(b->q), 2);
	for (unsigned int id = 0; id < conf->size; id++) {
		uint16_t back = id;

		if (b->q->loan[id].state == IOVT_LOAN_BORROWED)
			iovt_txq_return(b->q, &back, 1);
	}
	b->reads.all_below = LEN + 1;
	send(b, 1);
	assert_int_equal(send_bed_burst(b, 8), 1);
	assert_false(b->got[0].borrowed);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(fake_guest_reap(&b->guest) >= 0);
	send_bed_free(b);
}

/* What a switch may write before a packet stays within the packet's region. */
static void
front(const struct bed_conf *conf)
{
	for (uint16_t at = 115; at <= 116; at++) {
		struct send_bed *b = borrowing(conf, conf->size);
		const struct fake_region_conf *r;

		warm_up(b);
		r = &b->guest.mem.region[1].conf;
		b->q->front = 116;
		fake_guest_offer(&b->guest, 1, &(struct fake_raw){r->gpa + at, 12 + LEN, 0}, 1);
		assert_int_equal(send_bed_burst(b, 1), 1);
		assert_int_equal(b->got[0].borrowed, at == 116);
		if (b->got[0].borrowed)
			send_bed_return(b, 0);
		send_bed_forget(b);
		send_bed_free(b);
	}
}

/* A packet that finds no room stays in the ring; those before it are gone, and borrowed. */
static void
left(const struct bed_conf *conf)
{
	struct send_bed *b = borrowing(conf, 1);

	warm_up(b);
	for (unsigned int i = 0; i < 4; i++)
		send(b, i);
	b->refuse = 1;
	assert_int_equal(send_bed_burst(b, 8), 1);
	assert_true(b->got[0].borrowed);
	assert_int_equal(send_bed_burst(b, 8), 3);
	for (unsigned int i = 0; i < 4; i++)
		send_bed_expect(b, i, i, LEN);
	return_and_show(b, 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(fake_guest_reap(&b->guest) >= 0);
	assert_int_equal(fake_guest_reap(&b->guest), -1);
	send_bed_free(b);
}

/* Whose queue is destroyed meanwhile: the guest has all at once, and the memory lives until they are back. */
static void
overdue(const struct bed_conf *conf, bool asks)
{
	struct send_bed *b = borrowing(conf, conf->size);
	const struct iovt_guest_mem *mem = b->guest.mem.snapshot;
	uint16_t last_avail, last_used, ids[4];
	const unsigned int refs = mem->refs;
	struct iovt_txq *q = b->q;

	warm_up(b);
	for (unsigned int i = 0; i < 4; i++)
		send(b, i);
	assert_int_equal(send_bed_burst(b, 8), 4);
	send_bed_return(b, 1);
	b->guest.format->notify_after(&b->guest, asks);
	assert_int_equal(send_bed_close(b, &last_avail, &last_used), 3);
	assert_int_equal(last_avail, last_used);
	assert_int_equal(b->end.notify, asks);
	for (unsigned int i = 0; i < 4; i++) {
		ids[i] = b->got[i].id;
		send_bed_expect(b, i, i, LEN);
	}
	for (unsigned int i = 0; i < 4; i++)
		assert_true(fake_guest_reap(&b->guest) >= 0);
	assert_int_equal(mem->refs, refs);
	/* The ring goes on without them. */
	send_bed_open(b, last_avail, last_used);
	send_bed_forget(b);
	warm_up(b);
	fake_mem_save(&b->guest.mem);
	iovt_txq_return(q, ids, 1);
	assert_int_equal(b->released, 0);
	iovt_txq_return(q, ids + 2, 2);
	assert_int_equal(b->released, 1);
	assert_int_equal(fake_mem_changed(&b->guest.mem, 0, 0), UINT64_MAX);
	assert_int_equal(mem->refs, refs);
	send_bed_free(b);
}

static void
overdue_told(const struct bed_conf *conf)
{
	overdue(conf, true);
}

static void
overdue_not_told(const struct bed_conf *conf)
{
	overdue(conf, false);
}

/* Of a ring that broke, nothing is written when they come back. */
static void
broken(const struct bed_conf *conf)
{
	struct send_bed *b = borrowing(conf, conf->size);
	uint16_t last_avail, last_used;
	struct iovt_txq *q = b->q;

	warm_up(b);
	for (unsigned int i = 0; i < 2; i++)
		send(b, i);
	assert_int_equal(send_bed_burst(b, 8), 2);
	iovt_txq_break(b->q, "test");
	fake_mem_save(&b->guest.mem);
	send_bed_return(b, 0);
	iovt_tx_end(b->q, b->q->vr.format);
	assert_int_equal(send_bed_close(b, &last_avail, &last_used), 1);
	iovt_txq_return(q, &b->got[1].id, 1);
	assert_int_equal(b->released, 1);
	assert_int_equal(fake_mem_changed(&b->guest.mem, 0, 0), UINT64_MAX);
	send_bed_free(b);
}

/* One id offered for two packets: the second is copied. */
static void
twice(const struct bed_conf *conf)
{
	struct send_bed *b = borrowing(conf, conf->size);
	const struct fake_raw raw = {b->guest.mem.region[1].conf.gpa, 12 + LEN, 0};

	warm_up(b);
	fake_guest_offer(&b->guest, 1, &raw, 1);
	fake_guest_offer(&b->guest, 1, &raw, 1);
	assert_int_equal(send_bed_burst(b, 8), 2);
	assert_true(b->got[0].borrowed != b->got[1].borrowed);
	for (unsigned int i = 0; i < 2; i++)
		if (b->got[i].borrowed)
			send_bed_return(b, i);
	assert_int_equal(iovt_txq_out(b->q), 0);
	send_bed_free(b);
}

/* No NIC finds what is not contiguous for it. */
static void
paged(const struct bed_conf *conf)
{
	unsigned int borrowed[FAKE_PLACES] = {0}, copied[FAKE_PLACES] = {0};
	struct bed_conf c = *conf;
	struct send_bed *b;

	c.lend_max = c.size;
	b = send_bed_new(&c);
	for (unsigned int i = 0; i < 120; i++) {
		uint32_t len = 1500 + i % 500;

		assert_true(fake_guest_send(&b->guest, i % 2 ? FAKE_PAGE_CROSS : FAKE_ONE, 12 + len,
				    i / 4 % FAKE_PLACES, i) >= 0);
		assert_int_equal(send_bed_burst(b, 8), 1);
		send_bed_expect(b, 0, i, len);
		borrowed[i / 4 % FAKE_PLACES] += b->got[0].borrowed;
		copied[i / 4 % FAKE_PLACES] += !b->got[0].borrowed;
		if (b->got[0].borrowed)
			return_and_show(b, 0);
		assert_true(fake_guest_reap(&b->guest) >= 0);
		send_bed_forget(b);
	}
	/* One in four is the first after another region, two cross pages. */
	assert_int_equal(borrowed[FAKE_LINEAR], 30);
	assert_int_equal(borrowed[FAKE_PAIRS], 30);
	assert_int_equal(borrowed[FAKE_SCATTERED], 10);
	for (unsigned int i = 0; i < FAKE_PLACES; i++)
		assert_int_equal(borrowed[i] + copied[i], 40);
	send_bed_free(b);
}

#define AT_ONCE 20000
#define RING    64

/* A switch that borrows, and a second lcore that reads the packets and returns them. */
struct line {
	struct send_bed *b;
	uint16_t id[RING];
	const uint8_t *data[RING];
	uint64_t seq[RING];
	unsigned int sent, seen; /* free running */
	unsigned int taken;
	bool done;
};

static enum iovt_tx_fate
borrow(void *ctx, size_t k, const struct iovt_frame *f, bool may_borrow)
{
	struct line *l = ctx;
	unsigned int sent = l->sent;

	CHECK(f->len == LEN && fake_frame_equal(f->data, l->taken, LEN));
	l->taken++;
	if (sent - __atomic_load_n(&l->seen, __ATOMIC_ACQUIRE) == RING || !may_borrow)
		return IOVT_TX_COPIED;
	l->id[sent % RING] = f->id;
	l->data[sent % RING] = f->data;
	l->seq[sent % RING] = l->taken - 1;
	return IOVT_TX_BORROWED;
}

static int
count_pieces(void *ctx, size_t k, const struct iovt_pieces *p)
{
	struct line *l = ctx;

	CHECK(p->len == LEN && p->nr == 1 && fake_frame_equal(p->piece->data, l->taken, LEN));
	l->taken++;
	return 0;
}

static void *
poller_main(void *arg)
{
	struct line *l = arg;
	struct iovt_txq *q = l->b->q;

	while (l->taken < AT_ONCE) {
		uint64_t before;
		unsigned int n;

		iovt_lock_take(&q->lock);
		before = q->stats.borrowed;
		n = iovt_tx_ready(q, q->vr.format,
			1); /* one at a time: its slot is published below */
		if (n > 0)
			iovt_tx_take(q, q->vr.format, n, SEND_ROOM, ((struct iovt_tx_reads){0, 64}),
				borrow, count_pieces, l);
		iovt_tx_end(q, q->vr.format);
		CHECK(q->error == NULL);
		before = q->stats.borrowed - before;
		iovt_lock_release(&q->lock);
		__atomic_store_n(&l->sent, l->sent + before, __ATOMIC_RELEASE);
		if (n == 0)
			sched_yield();
	}
	return NULL;
}

static void *
nic_main(void *arg)
{
	struct line *l = arg;

	while (!__atomic_load_n(&l->done, __ATOMIC_RELAXED)) {
		unsigned int sent = __atomic_load_n(&l->sent, __ATOMIC_ACQUIRE);
		uint16_t ids[RING];
		unsigned int n = 0;

		for (; n < sent - l->seen; n++) {
			unsigned int i = (l->seen + n) % RING;

			ids[n] = l->id[i];
			CHECK(fake_frame_equal(l->data[i], l->seq[i], LEN));
		}
		if (n > 0)
			iovt_txq_return(l->b->q, ids, n);
		else
			sched_yield();
		__atomic_store_n(&l->seen, l->seen + n, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void
at_once(const struct bed_conf *conf)
{
	struct bed_conf c = *conf;
	struct line l = {0};
	pthread_t poller, nic;
	struct iovt_txq *q;
	uint64_t seq = 0;

	fake_fail_hook = NULL; /* a failure in another thread cannot return to this one */
	c.one_view = true;
	l.b = borrowing(&c, c.size);
	q = l.b->q;
	CHECK(pthread_create(&poller, NULL, poller_main, &l) == 0);
	CHECK(pthread_create(&nic, NULL, nic_main, &l) == 0);
	while (seq < AT_ONCE) {
		while (fake_guest_reap(&l.b->guest) >= 0)
			;
		if (fake_guest_send(&l.b->guest, FAKE_ONE, 12 + LEN, FAKE_LINEAR, seq) >= 0)
			seq++;
		else
			sched_yield();
	}
	pthread_join(poller, NULL);
	__atomic_store_n(&l.done, true, __ATOMIC_RELAXED);
	pthread_join(nic, NULL);
	for (; l.seen != l.sent; l.seen++)
		iovt_txq_return(q, &l.id[l.seen % RING], 1);
	iovt_tx_end(q, q->vr.format);
	assert_int_equal(iovt_txq_out(q), 0);
	assert_true(q->stats.borrowed > 0);
	while (fake_guest_reap(&l.b->guest) >= 0)
		;
	send_bed_free(l.b);
}

int
main(void)
{
	static const struct unit_case cases[] = {
		{"back in any order", any_order, true},
		{"limits", limit, false},
		{"room before a packet", front, false},
		{"no room for a copy", left, false},
		{"out when the queue goes, and the guest is notified", overdue_told, false},
		{"the same of one that does not ask", overdue_not_told, false},
		{"a broken ring", broken, false},
		{"one id twice", twice, false},
		{"memory in pages", paged, false},
		{"guest, poller and NIC at once", at_once, false},
	};

	return unit_run("borrow", cases, sizeof(cases) / sizeof(cases[0]));
}
