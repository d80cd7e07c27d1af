/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that are not worth a loan, where loans are made: runs of them, and what comes between. */
#include "loan_bed.h"

#define SHORT 60u

static uint32_t
len_of(unsigned int i, uint64_t large)
{
	return large >> i & 1 ? LEN : SHORT;
}

/* A burst of n packets; those whose bit is set are large. */
static void
burst(struct bed *b, const struct kind *kind, unsigned int n, uint64_t large)
{
	for (unsigned int i = 0; i < n; i++)
		send_packets(b, i, 1, len_of(i, large));
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts, n), n);
	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = b->pkts[i];
		const bool lent = !kind->headers || (large >> i & 1);

		expect_packet(m, i, len_of(i, large));
		assert_int_equal(m->pool != app_pool, lent);
	}
	assert_int_equal(iovt_txq_out(b->q.txq),
		kind->headers ? (unsigned int)__builtin_popcountll(large) : n);
	rte_pktmbuf_free_bulk(b->pkts, n);
	expect_back(b, n);
}

static void
done(struct bed *b)
{
	assert_int_equal(close_queue(b), 0);
	assert_true(pool_goes(b));
	close_bed(b);
}

/* A large one at each place of a burst of short ones; two of them; only large ones, and short ones again. */
static void
mixed(const struct kind *kind)
{
	struct bed *b = open_bed(kind);

	for (unsigned int i = 0; i < 20; i++) {
		burst(b, kind, 20, 0);
		burst(b, kind, 20, 0);
		burst(b, kind, 20, UINT64_C(1) << i);
		burst(b, kind, 20, 0);
		burst(b, kind, 20, UINT64_C(5) << (i % 18));
		burst(b, kind, 20, UINT32_C(0xfffff) >> i);
		burst(b, kind, 20, UINT32_C(0xaaaaa));
	}
	done(b);
}

/* Without mbufs, large packets are lent, up to the first short one; nothing is taken twice. */
static void
no_mbufs(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	unsigned int n, got;
	struct rte_mbuf *held[511];

	burst(b, kind, 20, 0);
	n = rte_mempool_avail_count(app_pool);
	assert_int_equal(rte_pktmbuf_alloc_bulk(app_pool, held, n), 0);
	for (unsigned int i = 0; i < 10; i++)
		send_packets(b, i, 1, len_of(i, 7));
	got = vhost_rx_burst(&b->q, b->pkts, 10);
	assert_int_equal(got, kind->headers ? 3 : 10);
	assert_int_equal(b->q.stats.no_mbuf, 10 - got);
	rte_pktmbuf_free_bulk(held, n);
	if (got < 10)
		assert_int_equal(vhost_rx_burst(&b->q, b->pkts + got, SIZE - got), 10 - got);
	for (unsigned int i = 0; i < 10; i++)
		expect_packet(b->pkts[i], i, len_of(i, 7));
	rte_pktmbuf_free_bulk(b->pkts, 10);
	expect_back(b, 10);
	done(b);
}

/* In several descriptors, in the middle of a run. */
static void
chained(const struct kind *kind)
{
	struct bed *b = open_bed(kind);

	burst(b, kind, 20, 0);
	for (unsigned int lap = 0; lap < SIZE; lap++) {
		send_packets(b, 0, 3, SHORT);
		assert_true(
			fake_guest_send(&b->guest, FAKE_HDR_APART, HDR + LEN, FAKE_LINEAR, 3) >= 0);
		send_packets(b, 4, 3, SHORT);
		send_packets(b, 7, 1, LEN);
		send_packets(b, 8, 2, SHORT);
		for (unsigned int got = 0; got < 10;)
			got += vhost_rx_burst(&b->q, b->pkts + got, SIZE - got);
		for (unsigned int i = 0; i < 10; i++)
			expect_packet(b->pkts[i], i, i == 3 || i == 7 ? LEN : SHORT);
		assert_ptr_equal(b->pkts[3]->pool, app_pool);
		rte_pktmbuf_free_bulk(b->pkts, 10);
		expect_back(b, 10);
		burst(b, kind, 20, 0);
	}
	done(b);
}

/* A descriptor that points nowhere, behind a run: what is before it is taken, the ring is broken after that. */
static void
hostile(const struct kind *kind)
{
	struct bed *b = open_bed(kind);

	burst(b, kind, 20, 0);
	send_packets(b, 0, 5, SHORT);
	fake_guest_offer(&b->guest, SIZE - 1, &(struct fake_raw){UINT64_C(1) << 60, HDR + SHORT, 0},
		1);
	send_packets(b, 5, 5, SHORT);
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts, 20), 5);
	for (unsigned int i = 0; i < 5; i++)
		expect_packet(b->pkts[i], i, SHORT);
	assert_non_null(b->q.txq->error);
	assert_int_equal(vhost_rx_burst(&b->q, b->pkts + 5, 20), 0);
	rte_pktmbuf_free_bulk(b->pkts, 5);
	done(b);
}

/* Among packets that are out, and come back during a run of short ones. */
static void
others_out(const struct kind *kind)
{
	struct bed *b = open_bed(kind);
	struct rte_mbuf *held[10];

	take(b, 100, 10);
	memcpy(held, b->pkts, sizeof(held));
	for (unsigned int lap = 0; lap < 10; lap++) {
		send_packets(b, 0, 10, SHORT);
		assert_int_equal(vhost_rx_burst(&b->q, b->pkts, 20), 10);
		for (unsigned int i = 0; i < 10; i++)
			expect_packet(b->pkts[i], i, SHORT);
		expect_packet(held[lap], 100 + lap, LEN);
		rte_pktmbuf_free(held[lap]);
		rte_pktmbuf_free_bulk(b->pkts, 10);
		expect_back(b, 11);
	}
	done(b);
}

#define BODY(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		run_kinds(name);                                                                   \
	}
BODY(mixed)
BODY(no_mbufs)
BODY(chained)
BODY(hostile)
BODY(others_out)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_no_mbufs),
		cmocka_unit_test(test_chained),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_others_out),
	};

	return cmocka_run_group_tests_name("short packets", tests, start_beds, end_beds);
}
