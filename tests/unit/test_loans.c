/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a switch may do with the mbufs of packets that stay in a guest's memory: the guest gets each back when
 * the last who holds it is done, and the mbufs go when the queue is gone and the last of them is back.
 */
#include <pthread.h>
#include <unistd.h>

#include "loan_bed.h"

static void
in_bulk(const struct kind *kind)
{
	struct bed *b = open_bed(kind);

	for (unsigned int lap = 0; lap < 5 * SIZE; lap += 20) {
		take(b, lap, 20);
		for (unsigned int i = 0; i < 20; i++) {
			assert_int_equal(b->pkts[i]->nb_segs, 1 + kind->headers);
			assert_true(loan_is(loan_in(b->pkts[i], kind)));
			assert_int_equal(b->pkts[i]->port, kind->headers ? port.data->port_id : 7);
		}
		rte_pktmbuf_free_bulk(b->pkts, 20);
		expect_back(b, 20);
	}
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* Beyond the credit packets are copied, and taken all the same. */
static void
copies(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	unsigned int lent = 0;

	take(b, 1, CREDIT + 10);
	for (unsigned int i = 0; i < CREDIT + 10; i++)
		lent += loan_is(
			loan_in(b->pkts[i], kind) != NULL ? loan_in(b->pkts[i], kind) : b->pkts[i]);
	assert_int_equal(lent, CREDIT);
	rte_pktmbuf_free_bulk(b->pkts, CREDIT + 10);
	expect_back(b, CREDIT + 10);
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* Mbufs of the application's pool run out: counted only if a packet waits for that. */
static void
no_mbufs(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	unsigned int n = rte_mempool_avail_count(app_pool);
	struct rte_mbuf *held[n];

	assert_int_equal(rte_pktmbuf_alloc_bulk(app_pool, held, n), 0);
	b->q.copies = true; /* as if the last batch had needed some */
	take(b, 1, 10);
	assert_int_equal(b->q.stats.no_mbuf, 0);
	for (unsigned int i = 0; i < CREDIT - 10 + 5; i++)
		assert_true(
			fake_guest_send(&b->guest, FAKE_ONE, HDR + LEN, FAKE_LINEAR, 11 + i) >= 0);
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts + 10, SIZE - 10), CREDIT - 10);
	assert_int_equal(b->q.stats.no_mbuf, 5);
	rte_pktmbuf_free_bulk(held, n);
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts + CREDIT, SIZE - CREDIT), 5);
	rte_pktmbuf_free_bulk(b->pkts, CREDIT + 5);
	expect_back(b, CREDIT + 5);
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* A mirror's clone keeps the packet from the guest, whoever is done first. */
static void
clones(const struct kind *kind)
{
	struct bed *b = open_bed(kind);

	for (unsigned int first = 0; first < 2; first++) {
		struct rte_mbuf *m[2], *loan;

		take(b, first, 1);
		m[0] = b->pkts[0];
		m[1] = rte_pktmbuf_clone(m[0], app_pool);
		assert_non_null(m[1]);
		/* A driver must not take it for its own. */
		loan = loan_in(m[0], kind);
		loan_hide(loan);
		assert_true(loan_is(loan));
		rte_pktmbuf_free(m[first]);
		expect_back(b, 0);
		rte_pktmbuf_free(m[!first]);
		expect_back(b, 1);
	}
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* As a driver gets them; and what it does not take. */
static void
hidden(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	struct rte_mbuf *loan;

	take(b, 1, 2);
	for (unsigned int i = 0; i < 2; i++) {
		loan = loan_in(b->pkts[i], kind);
		loan_hide(loan);
		assert_false(loan->ol_flags & RTE_MBUF_F_EXTERNAL);
	}
	for (struct rte_mbuf *m = b->pkts[1]; m != NULL; m = m->next)
		loan_unhide(m);
	assert_true(loan_is(loan));
	assert_int_equal(loan_is(b->pkts[1]), !kind->headers);
	rte_pktmbuf_free_bulk(b->pkts, 2);
	expect_back(b, 2);
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* Held beyond the end of the queue: guest and mbufs wait, each for its own, and NICs are asked while they do. */
static void
late(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	struct rte_mbuf *m;

	take(b, 1, 3);
	m = b->pkts[1];
	rte_pktmbuf_free(b->pkts[0]);
	rte_pktmbuf_free(b->pkts[2]);
	assert_int_equal(close_queue(b), 1);
	for (unsigned int i = 0; i < 3; i++)
		assert_true(fake_guest_reap(&b->guest) >= 0);
	__atomic_store_n(&reaped, 0, __ATOMIC_RELAXED);
	assert_true(pool_stays(b));
	assert_true(__atomic_load_n(&reaped, __ATOMIC_RELAXED) > 0);
	rte_pktmbuf_free(m);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* A switch that keeps the headers, and lets the rest go: an answer, say. */
static void
headers_kept(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	struct rte_mbuf *head;

	if (!kind->headers) {
		assert_int_equal(close_queue(b), 0);
		assert_true(pool_goes(b));
		close_bed(b);
		return;
	}
	take(b, 1, 1);
	head = b->pkts[0];
	rte_pktmbuf_free(head->next);
	head->next = NULL;
	head->nb_segs = 1;
	head->pkt_len = head->data_len;
	expect_back(b, 1);
	/* Its id comes round, and is copied, as there is no mbuf for the headers. */
	for (unsigned int i = 0; i < SIZE; i++) {
		take(b, i, 1);
		assert_ptr_not_equal(b->pkts[0], head);
		rte_pktmbuf_free(b->pkts[0]);
		expect_back(b, 1);
	}
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_stays(b));
	assert_true(fake_frame_equal(rte_pktmbuf_mtod(head, void *), 1, 14));
	rte_pktmbuf_free(head);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* Packets are out, and nobody sends: NICs are asked. */
static void
idle(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	struct rte_mbuf *none[1], *m;

	port.uplink = (struct uplink *)&port;
	reaped = 0;
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(vhost_rx_burst(&b->q, none, 1), 0);
	assert_int_equal(reaped, 0);
	take(b, 1, 1);
	m = b->pkts[0];
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(vhost_rx_burst(&b->q, none, 1), 0);
	assert_true(reaped > 0);
	port.uplink = NULL;
	rte_pktmbuf_free(m);
	expect_back(b, 1);
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* The guest will soon have no descriptor left: NICs are asked before that. */
static void
many_out(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	struct rte_mbuf *held[CREDIT / 2], *none[1];

	port.uplink = (struct uplink *)&port;
	reaped = 0;
	take(b, 1, CREDIT / 2);
	memcpy(held, b->pkts, sizeof(held));
	assert_int_equal(vhost_rx_burst(&b->q, none, 1), 0);
	assert_int_equal(reaped, 0);
	take(b, 1 + CREDIT / 2, 1);
	assert_int_equal(vhost_rx_burst(&b->q, none, 1), 0);
	assert_int_equal(reaped, 1);
	port.uplink = NULL;
	rte_pktmbuf_free_bulk(held, CREDIT / 2);
	rte_pktmbuf_free(b->pkts[0]);
	expect_back(b, CREDIT / 2 + 1);
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* What someone who looks through all mempools, while guests come and go, has seen. */
struct look {
	bool stop;
	bool changed;
};

static void
look_closely(struct rte_mempool *mp, void *arg)
{
	struct look *look = arg;
	char name[RTE_MEMPOOL_NAMESIZE];

	memcpy(name, mp->name, sizeof(name));
	usleep(2000);
	look->changed |= memcmp(name, mp->name, sizeof(name)) != 0;
}

static void *
look_through(void *arg)
{
	struct look *look = arg;

	while (!__atomic_load_n(&look->stop, __ATOMIC_RELAXED))
		rte_mempool_walk(look_closely, look);
	return NULL;
}

static void
looked_up(const struct kind *kind)
{
	struct look look = {0};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, look_through, &look), 0);
	for (unsigned int i = 0; i < 10; i++) {
		struct bed *b = open_bed(kind);

		assert_int_equal(close_queue(b), 0);
		assert_true(pool_goes(b));
		close_bed(b);
	}
	__atomic_store_n(&look.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_false(look.changed);
}

#define BODY(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		run_kinds(name);                                                                   \
	}
BODY(in_bulk)
BODY(copies)
BODY(no_mbufs)
BODY(clones)
BODY(hidden)
BODY(late)
BODY(headers_kept)
BODY(idle)
BODY(many_out)
BODY(looked_up)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_bulk),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_no_mbufs),
		cmocka_unit_test(test_clones),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_headers_kept),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_many_out),
		cmocka_unit_test(test_looked_up),
	};

	return cmocka_run_group_tests_name("loans", tests, start_beds, end_beds);
}
