/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an uplink does of the offloads that its NIC has not got: contents, whose memory is written, and a NIC
 * without room.
 */
#include <string.h>

#include <rte_eal.h>

#include "offload_bed.h"
#include "uplink.h"

#define ROOM 256u /* of an mbuf, so that segments take several */
#define MSS  700u

static const struct frame_conf tcp = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 100};
static struct rte_mempool *pool;
static struct uplink_txq q;

/* No packet is on loan here. */
int32_t loan_ops_index = -1;

/* The NIC. */
static unsigned int nic_room;
static struct rte_mbuf *nic[256];
static unsigned int nic_len;

uint16_t
uplink_send(struct uplink_txq *queue, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = RTE_MIN(n, nic_room);

	memcpy(nic + nic_len, pkts, sent * sizeof(nic[0]));
	nic_len += sent;
	nic_room -= sent;
	return sent;
}

static void
open_queue(uint64_t offloads, uint64_t capa)
{
	const struct rte_eth_dev_info info = {.tx_offload_capa = capa,
		.tx_desc_lim.nb_seg_max = 40};

	q = (struct uplink_txq){.pool = pool};
	uplink_finish_init(&q, offloads, &info);
	nic_room = RTE_DIM(nic);
	nic_len = 0;
}

/* Everything that was sent is freed, and nothing else is out. */
static void
close_queue(unsigned int held)
{
	rte_pktmbuf_free_bulk(nic, nic_len);
	assert_int_equal(rte_mempool_in_use_count(pool), held);
}

static struct frame f;

/* A packet with these requests, in as many mbufs as it takes. */
static struct rte_mbuf *
make(const struct frame_conf *c, uint64_t flags)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *last = m;

	assert_non_null(m);
	frame_make(&f, c);
	m->ol_flags = f.mbuf[0].ol_flags | flags;
	m->l2_len = c->l2;
	m->l3_len = c->l3;
	m->l4_len = c->l4;
	m->tso_segsz = MSS;
	m->vlan_tci = 42;
	m->pkt_len = f.len;
	for (uint32_t off = 0; off < f.len; off += last->data_len) {
		if (off > 0) {
			last->next = rte_pktmbuf_alloc(pool);
			assert_non_null(last->next);
			last = last->next;
			m->nb_segs++;
		}
		last->data_len = RTE_MIN(f.len - off, ROOM);
		memcpy(rte_pktmbuf_mtod(last, void *), f.bytes + off, last->data_len);
	}
	return m;
}

static const uint8_t *
bytes_of(const struct rte_mbuf *m)
{
	static uint8_t room[FRAME_MAX];

	return rte_pktmbuf_read(m, 0, m->pkt_len, room);
}

#define SUMS (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM)

static void
expect_sums(const struct rte_mbuf *m, const struct frame_conf *c)
{
	const uint8_t *bytes = bytes_of(m);

	assert_int_equal(m->pkt_len, f.len);
	assert_true(ip_sum_right(bytes, c, c->l2));
	assert_true(l4_sum_right(bytes, c, c->l2));
	assert_memory_equal(bytes + c->l2 + c->l3 + c->l4, f.bytes + c->l2 + c->l3 + c->l4,
		c->payload);
	assert_int_equal(m->ol_flags & (SUMS | RTE_MBUF_F_TX_TCP_SEG), 0);
}

static void
in_place(void **state)
{
	const struct frame_conf longer = {.l2 = 18, .l3 = 20, .l4 = 32, .payload = 1001};
	struct rte_mbuf *m;

	open_queue(0, UPLINK_SOFT_OFFLOADS); /* the application has enabled nothing */
	for (unsigned int i = 0; i < 2; i++) {
		const struct frame_conf *c = i ? &longer : &tcp;
		struct rte_mbuf *before = m = make(c, SUMS | RTE_MBUF_F_TX_VLAN);

		assert_true(m->ol_flags & q.finish);
		assert_int_equal(uplink_finish(&q, &m, 1), 1);
		assert_ptr_equal(m, before);
		expect_sums(m, c);
		assert_true(m->ol_flags & RTE_MBUF_F_TX_VLAN); /* the NIC's */
		rte_pktmbuf_free(m);
	}
	assert_int_equal(q.csum_in_software, 2);
	close_queue(0);
}

/* Somebody else sees its headers: they stay as they are. */
static void
copied(void **state)
{
	struct rte_mbuf *m, *held;

	open_queue(0, 0);
	m = held = make(&tcp, SUMS);
	rte_mbuf_refcnt_update(held, 1);
	assert_int_equal(uplink_finish(&q, &m, 1), 1);
	assert_ptr_not_equal(m, held);
	expect_sums(m, &tcp);
	assert_memory_equal(rte_pktmbuf_mtod(held, void *), f.bytes, f.len);
	assert_int_equal(rte_mbuf_refcnt_read(held), 1);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(held);
	close_queue(0);
}

/* Somebody else's memory, which may be a guest's. */
static void
external(void **state)
{
	static struct rte_mbuf_ext_shared_info shared;
	static uint8_t elsewhere[2048];
	struct rte_mbuf *m;

	open_queue(0, 0);
	m = make(&tcp, 0);
	memcpy(elsewhere, f.bytes, f.len);
	rte_mbuf_ext_refcnt_set(&shared, 2);
	rte_pktmbuf_attach_extbuf(m, elsewhere, 0, sizeof(elsewhere), &shared);
	m->data_len = m->pkt_len = f.len;
	m->data_off = 0;
	m->ol_flags |= SUMS | RTE_MBUF_F_TX_IPV4;
	assert_int_equal(uplink_finish(&q, &m, 1), 1);
	expect_sums(m, &tcp);
	assert_memory_equal(elsewhere, f.bytes, f.len);
	assert_int_equal(rte_mbuf_ext_refcnt_read(&shared), 1);
	rte_pktmbuf_free(m);
	close_queue(0);
}

static void
no_mbuf_for_a_copy(void **state)
{
	struct rte_mbuf *m, *held;

	open_queue(0, 0);
	q.pool = NULL;
	m = held = make(&tcp, SUMS);
	rte_mbuf_refcnt_update(held, 1);
	assert_int_equal(uplink_finish(&q, &m, 1), 0);
	assert_int_equal(q.copy_drops, 1);
	rte_pktmbuf_free(held);
	close_queue(0);
}

/* Lengths that are not those of the packet: dropped; the others stay in order. */
static void
refused(void **state)
{
	struct rte_mbuf *pkts[4], *first, *last;

	open_queue(0, 0);
	for (unsigned int i = 0; i < 4; i++)
		pkts[i] = make(&tcp, i == 3 ? 0 : SUMS);
	first = pkts[0];
	last = pkts[3];
	pkts[1]->l3_len = 16;
	pkts[2]->l2_len = 0;
	assert_int_equal(uplink_finish(&q, pkts, 4), 2);
	assert_ptr_equal(pkts[0], first);
	assert_ptr_equal(pkts[1], last);
	assert_int_equal(q.dropped_offload, 2);
	rte_pktmbuf_free_bulk(pkts, 2);
	close_queue(0);
}

/* What the NIC does is left alone. */
static void
by_nic(void **state)
{
	const struct frame_conf large = frame_large(false);
	struct rte_mbuf *pkts[2];

	open_queue(UPLINK_SOFT_OFFLOADS, UPLINK_SOFT_OFFLOADS);
	pkts[0] = make(&tcp, SUMS);
	pkts[1] = make(&large, SUMS | RTE_MBUF_F_TX_TCP_SEG);
	assert_int_equal(pkts[0]->ol_flags & q.finish, 0);
	assert_int_equal(uplink_finish(&q, pkts, 2), 2);
	assert_int_equal(uplink_send_cut(&q, pkts, 2), 2);
	assert_int_equal(nic_len, 2);
	assert_true((pkts[0]->ol_flags & SUMS) == SUMS);
	assert_true(pkts[1]->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
	close_queue(0);
}

static void
expect_segments(unsigned int first, unsigned int n, const struct frame_conf *large)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct rte_mbuf *m = nic[first + i];
		uint32_t head = large->l2 + large->l3 + large->l4, off = i * MSS;
		uint32_t len = RTE_MIN(large->payload - off, MSS);
		const uint8_t *bytes = bytes_of(m);

		assert_int_equal(m->pkt_len, head + len);
		assert_true(ip_sum_right(bytes, large, large->l2));
		assert_true(l4_sum_right(bytes, large, large->l2));
		assert_memory_equal(bytes + head, f.bytes + head + off, len);
		assert_int_equal(m->vlan_tci, 42);
		assert_true(m->ol_flags == RTE_MBUF_F_TX_VLAN);
	}
}

/* One between two others, which stay as they are and where they are. */
static void
cut(void **state)
{
	for (unsigned int v6 = 0; v6 <= 1; v6++) {
		const struct frame_conf large = frame_large(v6);
		struct rte_mbuf *pkts[3];

		open_queue(UPLINK_SOFT_OFFLOADS,
			v6 ? 0 : UPLINK_SOFT_OFFLOADS & ~RTE_ETH_TX_OFFLOAD_TCP_TSO);
		pkts[0] = make(&tcp, 0);
		pkts[2] = make(&tcp, 0);
		pkts[1] = make(&large,
			RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_VLAN |
				(v6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM));
		assert_int_equal(uplink_finish(&q, pkts, 3), 3);
		assert_int_equal(uplink_send_cut(&q, pkts, 3), 3);
		assert_int_equal(nic_len, 2 + 5);
		assert_ptr_equal(nic[0], pkts[0]);
		assert_ptr_equal(nic[6], pkts[2]);
		expect_segments(1, 5, &large);
		assert_int_equal(q.segmented_packets, 1);
		assert_int_equal(q.csum_in_software, 5);
		close_queue(0);
	}
}

/* More segments than the NIC takes of one packet. */
static void
too_many_mbufs(void **state)
{
	const struct frame_conf large = {.l2 = 14, .l3 = 20, .l4 = 20, .payload = 41 * ROOM};
	struct rte_mbuf *m;

	open_queue(UPLINK_SOFT_OFFLOADS, UPLINK_SOFT_OFFLOADS);
	m = make(&large, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_VLAN);
	assert_true(m->ol_flags & q.finish);
	assert_int_equal(uplink_send_cut(&q, &m, 1), 1);
	assert_int_equal(nic_len, 15);
	expect_segments(0, 15, &large);
	close_queue(0);
}

/* No larger than one segment: its checksum is made, and it is not copied. */
static void
small(void **state)
{
	struct rte_mbuf *m, *before;

	open_queue(0, 0);
	m = before = make(&tcp, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM);
	assert_int_equal(uplink_finish(&q, &m, 1), 1);
	assert_int_equal(uplink_send_cut(&q, &m, 1), 1);
	assert_int_equal(nic_len, 1);
	assert_ptr_equal(nic[0], before);
	expect_sums(nic[0], &tcp);
	close_queue(0);
}

/* A NIC with room for so many of the five segments. */
static void
no_room(void **state)
{
	const struct frame_conf large = frame_large(false);

	for (unsigned int room = 0; room <= 5; room++) {
		struct rte_mbuf *m;

		open_queue(0, 0);
		nic_room = room;
		m = make(&large, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM);
		assert_int_equal(uplink_send_cut(&q, &m, 1), room > 0);
		assert_int_equal(q.dropped_segments, room > 0 ? 5 - room : 0);
		assert_int_equal(q.segmented_packets, room > 0);
		if (room == 0) /* whole, to be sent again */
			rte_pktmbuf_free(m);
		close_queue(0);
	}
}

static void
no_mbufs_for_segments(void **state)
{
	const struct frame_conf large = frame_large(false);
	static struct rte_mbuf *all[4096];
	unsigned int n = 0;
	struct rte_mbuf *m;

	open_queue(0, 0);
	m = make(&large, RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_IP_CKSUM);
	while (n < RTE_DIM(all) && (all[n] = rte_pktmbuf_alloc(pool)) != NULL)
		n++;
	/* A segment is 740 bytes, in three mbufs. */
	rte_pktmbuf_free_bulk(all + n - 7, 7);
	assert_int_equal(uplink_send_cut(&q, &m, 1), 1);
	assert_int_equal(nic_len, 2);
	assert_int_equal(q.dropped_segments, 3);
	rte_pktmbuf_free_bulk(all, n - 7);
	close_queue(0);
}

static uint16_t prepared;

static uint16_t
nic_prepare(void *queue, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++, prepared++)
		if (pkts[i]->data_len < 60)
			return i;
	return n;
}

/* The NIC's driver sees what is for the NIC, up to the first packet that it refuses. */
static void
prepare(void **state)
{
	static void *queues[1];
	const struct frame_conf large = frame_large(false);
	struct rte_mbuf *pkts[6];

	open_queue(UPLINK_SOFT_OFFLOADS, UPLINK_SOFT_OFFLOADS & ~RTE_ETH_TX_OFFLOAD_TCP_TSO);
	rte_eth_fp_ops[0].tx_pkt_prepare = nic_prepare;
	rte_eth_fp_ops[0].txq.data = queues;
	for (unsigned int i = 0; i < 6; i++)
		pkts[i] = i % 2 ? make(&large, RTE_MBUF_F_TX_TCP_SEG) : make(&tcp, SUMS);
	assert_int_equal(uplink_tx_prepare(&q, pkts, 6), 6);
	assert_int_equal(prepared, 3);
	pkts[4]->data_len = 59;
	assert_int_equal(uplink_tx_prepare(&q, pkts, 6), 4);
	rte_pktmbuf_free_bulk(pkts, 6);
	close_queue(0);
}

int
main(int argc, char **argv)
{
	static const char *eal[] = {"unit-uplink-finish", "--no-huge", "-m", "64", "--no-pci",
		"--no-shconf", "--no-telemetry", "--log-level=error"};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_place),
		cmocka_unit_test(copied),
		cmocka_unit_test(external),
		cmocka_unit_test(no_mbuf_for_a_copy),
		cmocka_unit_test(refused),
		cmocka_unit_test(by_nic),
		cmocka_unit_test(cut),
		cmocka_unit_test(too_many_mbufs),
		cmocka_unit_test(small),
		cmocka_unit_test(no_room),
		cmocka_unit_test(no_mbufs_for_segments),
		cmocka_unit_test(prepare),
	};

	if (rte_eal_init(RTE_DIM(eal), (char **)(uintptr_t)eal) < 0)
		return 2;
	pool = rte_pktmbuf_pool_create("pool", 1023, 0, 0, RTE_PKTMBUF_HEADROOM + ROOM, 0);
	if (pool == NULL)
		return 2;
	return cmocka_run_group_tests_name("uplink finish", tests, NULL, NULL);
}
