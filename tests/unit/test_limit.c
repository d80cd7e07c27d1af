/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames longer than the guest's MTU are dropped in the middle of a batch, the others sent in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <rte_ether.h>

#include "vhost.h"

#define N 6

static struct vhost_port port;
static struct vhost_txq q;
static struct rte_mbuf mbuf[N];
static struct rte_mbuf *pkts[N];
static unsigned int nr_sent, room;
static struct rte_ether_hdr head[2];

/* Takes as many as there is room for, and they are the next fitting ones. */
static uint16_t
send_some(struct vhost_txq *txq, struct rte_mbuf **p, uint16_t n)
{
	uint16_t taken = RTE_MIN(n, room);

	assert_ptr_equal(txq, &q);
	assert_true(n > 0);
	room -= taken;
	nr_sent += taken;
	for (uint16_t i = 0; i < taken; i++)
		rte_mbuf_refcnt_set(p[i], 7);
	return taken;
}

/* Those of bits long are a byte too long; tagged: with a VLAN tag, which may be had in addition. */
static uint16_t
send_batch(unsigned int bits, bool tagged, uint64_t flags, unsigned int space)
{
	head[1].ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	for (unsigned int i = 0; i < N; i++) {
		mbuf[i] = (struct rte_mbuf){.pkt_len = 1514 + 4 * tagged + (bits >> i & 1),
			.buf_addr = &head[tagged],
			.ol_flags = flags,
			.nb_segs = 1};
		rte_mbuf_refcnt_set(&mbuf[i], 2);
		pkts[i] = &mbuf[i];
	}
	nr_sent = 0;
	room = space;
	q.stats.dropped_mtu = 0;
	return q.send(&q, pkts, N);
}

/* Every one of a batch's done packets was sent if it fits, else freed; the others are the caller's. */
static void
expect_done(unsigned int bits, uint16_t done)
{
	unsigned int dropped = 0;

	for (unsigned int i = 0; i < N; i++) {
		bool drop = bits >> i & 1;

		assert_int_equal(rte_mbuf_refcnt_read(&mbuf[i]), i >= done ? 2 : drop ? 1 : 7);
		dropped += i < done && drop;
	}
	assert_int_equal(q.stats.dropped_mtu, dropped);
	assert_int_equal(nr_sent, done - dropped);
}

static void
every_batch(void **state)
{
	port.mtu = 1500;
	vhost_limit_frames(&q, send_some);
	for (unsigned int bits = 0; bits < 1 << N; bits++) {
		for (unsigned int space = 0; space <= N; space++) {
			unsigned int fitting = N - __builtin_popcount(bits);
			uint16_t done = send_batch(bits, space % 2, 0, space);

			expect_done(bits, done);
			assert_int_equal(nr_sent, RTE_MIN(space, fitting));
			assert_true(done == N || !(bits >> done & 1));
		}
	}
}

/* Packets with requests may yet be cut; vhost_offload.c drops what is too long then. */
static void
requests(void **state)
{
	port.mtu = 1500;
	vhost_limit_frames(&q, send_some);
	for (unsigned int k = 0; k < 2; k++) {
		uint64_t flag = k ? RTE_MBUF_F_TX_TCP_SEG : RTE_MBUF_F_RX_LRO;

		assert_int_equal(send_batch((1 << N) - 1, false, flag, N), N);
		assert_int_equal(nr_sent, N);
	}
	assert_int_equal(send_batch((1 << N) - 1, false, RTE_MBUF_F_RX_VLAN, N), N);
	assert_int_equal(nr_sent, 0);
}

static void
none_told(void **state)
{
	port.mtu = 0;
	vhost_limit_frames(&q, send_some);
	assert_ptr_equal(q.send, send_some);
	assert_true(vhost_within_mtu(&q, 65557, &head[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_batch),
		cmocka_unit_test(requests),
		cmocka_unit_test(none_told),
	};

	q.port = &port;
	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
